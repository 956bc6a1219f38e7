// Updates that are written over what they update: the same bits as with this switched off, whoever
// reads old values, in whatever order; and nothing written when a guard is not finite.
#include "autodiff/in_place.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/random_program.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  if (a.size() != b.size()) return false;
  return a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

// A program with updates, and values for what it reads.
struct Case {
  Tape tape;
  Program program;
  Feed<double> feed;

  Expr parameter(const std::string& name, const Shape& shape) {
    return leaf(name, shape, InputKind::kParameter);
  }
  Expr state(const std::string& name, const Shape& shape) {
    return leaf(name, shape, InputKind::kState);
  }
  Expr data(const std::string& name, const Shape& shape) {
    return leaf(name, shape, InputKind::kData);
  }
  void update(Expr target, Expr value) { program.updates.push_back({target, value}); }

 private:
  Expr leaf(const std::string& name, const Shape& shape, InputKind kind) {
    Random random(feed.size() + 1);
    feed[name] = cast<double>(random.tensor<float>(shape, {-1, 1}));
    return tape.input(name, shape, kind);
  }
};

// Runs a plan beside the same one that writes updates at the end, and the plain interpreter.
template <class T>
void check_steps(const Case& c, int threads, int steps = 3, double tolerance = 1000) {
  ThreadPool pool(threads);
  BoundPlan<T> in_place(c.tape, c.program, c.feed, pool, {.poison = true}),
      at_end(c.tape, c.program, c.feed, pool, {.without_passes = {"in_place"}, .poison = true});
  std::vector<Expr> roots = c.program.outputs;
  for (const Update& u : c.program.updates) roots.push_back(u.value);
  for (int step = 0; step < steps; ++step) {
    CAPTURE(step);
    Feed<T> now;
    for (const auto& [name, value] : c.feed) now[name] = {value.shape, in_place.input(name)};
    const auto plain = Interpreter<T>(c.tape, roots).run(now);
    const RunContext context{.seed = 0, .step = static_cast<std::uint64_t>(step)};
    REQUIRE(at_end.run(context));
    REQUIRE(in_place.run(context));
    const auto near = [&](const std::vector<T>& got, const Tensor<T>& want) {
      for (std::size_t i = 0; i < got.size(); ++i)
        if (!(std::abs(got[i] - want.data[i]) <=
              tolerance * std::numeric_limits<T>::epsilon() * (1 + std::abs(want.data[i]))))
          return false;
      return got.size() == want.data.size();
    };
    for (std::size_t i = 0; i < c.program.outputs.size(); ++i) {
      CAPTURE(i);
      CHECK(same_bits(in_place.output(i), at_end.output(i)));
      CHECK(near(in_place.output(i), plain[i]));
    }
    for (const auto& entry : c.feed) {
      const std::string& name = entry.first;
      CAPTURE(name);
      CHECK(same_bits(in_place.input(name), at_end.input(name)));
    }
    for (std::size_t u = 0; u < c.program.updates.size(); ++u) {
      CAPTURE(u);
      const std::string& name = input_name(c.tape.node(c.program.updates[u].target));
      CHECK(near(in_place.input(name), plain[c.program.outputs.size() + u]));
    }
  }
}

void check_case(const Case& c, int steps = 3) {
  for (const int threads : {1, 2}) {
    check_steps<double>(c, threads, steps);
    check_steps<float>(c, threads, steps);
  }
}

// How many values a plan writes over targets.
std::size_t written_over(const Case& c) {
  ThreadPool pool(1);
  const std::string text = Plan<float>(c.tape, c.program, pool).describe();
  std::size_t n = 0;
  for (std::size_t i = text.find(" in place"); i != text.npos; i = text.find(" in place", i + 1))
    ++n;
  return n;
}

// Random updates of parameters of a few shapes, in all ways of reading old and new values.
class UpdateWriter {
 public:
  UpdateWriter(Case& c, std::uint64_t seed) : random_(seed) {
    static const std::vector<Shape> shapes = {{6, 5}, {6, 5}, {6, 5}, {5, 6}, {30}, {5}, {}};
    for (std::size_t i = 0; i < shapes.size(); ++i)
      values_.push_back(c.parameter(cat("p", i), shapes[i]));
    values_.push_back(c.state("s0", {6, 5}));
    targets_ = values_;
    values_.push_back(c.data("x", {6, 5}));
    for (std::int64_t n = random_.below(6); n > 0; --n) keep(any({6, 5}));
    for (std::size_t i = targets_.size(); i > 1; --i)
      std::swap(targets_[i - 1],
                targets_[static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(i)))]);
    for (const Expr& target : targets_) {
      if (random_.below(6) == 0) continue;
      const Expr value = new_value(target);
      c.update(target, value);
      if (random_.coin()) values_.push_back(value);  // read as new value by later updates
    }
    for (std::int64_t n = random_.below(4); n > 0; --n) c.program.outputs.push_back(output());
    if (random_.coin()) c.program.guards.push_back(guard());
    if (random_.below(4) == 0) c.program.guards.push_back(guard());
  }

 private:
  Expr pick() { return values_[static_cast<std::size_t>(random_.below(std::ssize(values_)))]; }
  void keep(Expr e) { values_.push_back(e); }

  // Something with the shape, made from what there is.
  Expr any(const Shape& shape) {
    const Expr x = pick();
    if (x.shape() == shape) return x;
    if (x.shape().size() == shape.size()) {
      if (x.shape().rank() == 2 && shape.rank() == 2) return transpose(x);
      return reshape(x, shape);
    }
    if (shape.size() == 1) return reshape(sum(x), shape);
    if (broadcasts_to(x.shape(), shape)) return broadcast_to(x, shape);
    if (shape == Shape{5}) return sum(reshape(x, Shape{6, 5}), {0});
    return broadcast_to(reshape(sum(x), Shape(std::vector<std::int64_t>(
                                            static_cast<std::size_t>(shape.rank()), 1))),
                        shape);
  }

  Expr change(const Shape& shape) {
    switch (random_.below(5)) {
      case 0:
        return tanh(any(shape));
      case 1:
        return 0.5 * any(shape);
      case 2:
        return sin(any(shape)) * any(shape);
      case 3:
        if (shape.rank() == 2)
          return matmul(any({shape[0], shape[1]}),
                        matmul(tanh(any({shape[1], shape[0]})), sin(any(shape))));
        return any(shape);
      default:
        return any(shape) - any(shape);
    }
  }

  Expr new_value(Expr target) {
    const Shape& shape = target.shape();
    switch (random_.below(8)) {
      case 0:
        return any(shape);
      case 1:
        return target + 0.1 * change(shape);
      case 2:
      case 3:
        return target - 0.1 * tanh(change(shape));
      case 4:
        return 0.9 * target - 0.1 * change(shape);
      case 5:
        return tanh(change(shape));
      case 6:
        if (shape.rank() == 2)  // products that are added
          return target -
                 0.1 * (matmul(tanh(any({shape[0], shape[1]})), any({shape[1], shape[1]})) +
                        matmul(any({shape[0], shape[0]}), sin(any(shape))));
        return target * any(shape);
      default:
        return square(tanh(target)) - 0.3 * any(shape);
    }
  }

  Expr output() {
    const Expr x = pick();
    switch (random_.below(5)) {
      case 0:
        return x;
      case 1:
        return reshape(x, Shape{x.shape().size()});
      case 2:
        return sum(square(x));
      case 3:
        return transpose(any({6, 5}));
      default:
        return exp(tanh(change({6, 5})));
    }
  }

  Expr guard() {
    if (random_.below(5) == 0)
      return targets_[0].shape().rank() == 0 ? targets_[0] : sum(targets_[0]);
    return sum(tanh(pick()));
  }

  Random random_;
  std::vector<Expr> values_, targets_;
};

}  // namespace

TEST_CASE("in place: random updates have the bits of those that are made at the end") {
  std::size_t over = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    Case c;
    UpdateWriter(c, seed);
    check_steps<double>(c, 1);
    check_steps<float>(c, 2);
    over += written_over(c);
  }
  CHECK(over > 400);
}

TEST_CASE("in place: descent on random programs has the bits of updates at the end") {
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    CAPTURE(seed);
    Case c;
    const RandomProgram p = random_program(c.tape, seed, {.draws = false});
    c.feed = p.feed;
    const std::vector<Expr> slopes = gradient(p.cost, p.parameters);
    for (std::size_t i = 0; i < slopes.size(); ++i)
      c.update(p.parameters[i], p.parameters[i] - 0.01 * slopes[i]);
    c.program.outputs = {p.cost};
    c.program.guards = {p.cost};
    check_steps<double>(c, 1, 2, 5000);
    check_steps<float>(c, 2, 2, 5000);
  }
}

TEST_CASE("in place: exchanges, rounds and chains of parameters") {
  Case c;
  const Expr a = c.parameter("a", {4, 4}), b = c.parameter("b", {4, 4}),
             d = c.parameter("d", {4, 4}), x = c.data("x", {4, 4});
  SUBCASE("two that change places") {
    c.update(a, b);
    c.update(b, a);
  }
  SUBCASE("two that change places and grow") {
    c.update(a, b + x);
    c.update(b, a - x);
  }
  SUBCASE("each reads the other") {
    c.update(a, a + b);
    c.update(b, b - a);
  }
  SUBCASE("a round of three") {
    c.update(a, 0.5 * b);
    c.update(b, 0.5 * d);
    c.update(d, 0.5 * a);
  }
  SUBCASE("a round of three with products") {
    c.update(a, a - matmul(b, x));
    c.update(b, b - matmul(d, x));
    c.update(d, d - matmul(a, x));
  }
  SUBCASE("a chain, read forwards") {
    c.update(a, a * x);
    c.update(b, b + a);
    c.update(d, d + b);
  }
  SUBCASE("a chain, read backwards") {
    c.update(d, d + b);
    c.update(b, b + a);
    c.update(a, a * x);
  }
  SUBCASE("a chain of new values") {
    const Expr next = a + 0.1 * x;
    c.update(b, b + next);
    c.update(a, next);
    c.update(d, next * (b + next));
  }
  c.program.outputs = {a + b, d};
  check_case(c, 4);
}

TEST_CASE("in place: old values that are read late, by all who can") {
  Case c;
  const Expr a = c.parameter("a", {4, 6}), b = c.parameter("b", {6, 4}), x = c.data("x", {4, 6});
  const Expr next = a - 0.1 * tanh(x);
  c.update(a, next);
  SUBCASE("by an output behind a product") { c.program.outputs = {matmul(exp(matmul(x, b)), a)}; }
  SUBCASE("by a guard behind a product") { c.program.guards = {sum(matmul(exp(matmul(x, b)), a))}; }
  SUBCASE("by another update behind a product") {
    c.update(b, b - 0.1 * transpose(matmul(exp(matmul(x, b)), a)));
  }
  SUBCASE("through a reshape") { c.program.outputs = {exp(reshape(a, Shape{24})), next}; }
  SUBCASE("through a transposition") { c.program.outputs = {matmul(transpose(a), exp(x))}; }
  SUBCASE("as its own reshape and twice") {
    c.program.outputs = {reshape(a, Shape{24}), a, sum(a * a)};
  }
  SUBCASE("by sums in the same program") {
    c.program.outputs = {sum(a, {0}), sum(next, {1}), sum(tanh(x))};
  }
  check_case(c);
}

TEST_CASE("in place: what it reads of itself at other places is not overwritten") {
  Case c;
  const Expr a = c.parameter("a", {4, 4}), row = c.parameter("row", {4}), x = c.data("x", {4, 4});
  SUBCASE("transposed") { c.update(a, a + transpose(a)); }
  SUBCASE("as a sum of rows") { c.update(a, a - sum(a, {0})); }
  SUBCASE("as both operands of a product") { c.update(a, a - 0.1 * matmul(a, a)); }
  SUBCASE("as an operand of a product that is added") { c.update(a, a - 0.1 * matmul(x, a)); }
  SUBCASE("behind two products") { c.update(a, a - 0.1 * (matmul(x, x) + matmul(x, a))); }
  SUBCASE("reshaped") { c.update(a, a * reshape(reshape(a, Shape{2, 8}), Shape{4, 4})); }
  SUBCASE("one row for all") { c.update(row, sum(a * row, {0})); }
  SUBCASE("a row that both read") {
    c.update(row, row + sum(a, {0}));
    c.update(a, a * row);
  }
  SUBCASE("twice in one step") { c.update(a, a * a + a); }
  check_case(c);
}

TEST_CASE("in place: optimizers with state") {
  Case c;
  const Expr W = c.parameter("W", {12, 9}), b = c.parameter("b", {9}), x = c.data("x", {20, 12});
  const Expr cost = mean(sqnorm(tanh(matmul(x, W) + b) - 0.3));
  const std::vector<Expr> slopes = gradient(cost, {W, b});
  c.program.outputs = {cost};
  c.program.guards = {cost};
  const Expr step = c.state("step", {});
  SUBCASE("descent") {
    c.update(W, W - 0.1 * slopes[0]);
    c.update(b, b - 0.1 * slopes[1]);
  }
  SUBCASE("momentum") {
    for (const auto& [p, g] : {std::pair{W, slopes[0]}, {b, slopes[1]}}) {
      const Expr v = c.state(cat("v", p.id), p.shape()), new_v = 0.9 * v - 0.1 * g;
      c.update(v, new_v);
      c.update(p, p + (0.9 * new_v - 0.1 * g));
    }
  }
  SUBCASE("Adam") {
    const Expr t = step + 1.0;
    for (const auto& [p, g] : {std::pair{W, slopes[0]}, {b, slopes[1]}}) {
      const Expr m = c.state(cat("m", p.id), p.shape()), v = c.state(cat("v", p.id), p.shape());
      const Expr new_m = 0.9 * m + 0.1 * g, new_v = 0.99 * square(v) + 0.01 * square(g);
      c.update(m, new_m);
      c.update(v, new_v);
      c.update(p, p - 0.01 * ((new_m / -expm1(t * std::log(0.9))) /
                              (sqrt(new_v / -expm1(t * std::log(0.99))) + 1e-3)));
    }
    c.feed["step"] = Tensor<double>();
    c.update(step, t);
  }
  check_case(c, 5);
  CHECK(written_over(c) >= 2);
}

TEST_CASE("in place: a guard that is not finite leaves every byte, and outputs are right") {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    CAPTURE(seed);
    Case c;
    UpdateWriter(c, seed);
    const Expr z = c.data("z", {});
    // Early or late, alone or behind what the updates compute.
    Expr guard = log(z);
    if (seed % 3 == 1)
      guard = guard + sum(matmul(exp(c.tape.input("x", {6, 5})),
                                 sin(c.tape.input("p3", {5, 6}, InputKind::kParameter))));
    c.program.guards.push_back(guard);
    if (seed % 2 == 0) std::swap(c.program.guards.front(), c.program.guards.back());
    const auto check = [&]<class T>(T) {
      ThreadPool pool(1);
      BoundPlan<T> plan(c.tape, c.program, c.feed, pool, {.poison = true});
      for (const double bad : {-1.0, 0.0, std::numeric_limits<double>::infinity()}) {
        plan.input("z")[0] = static_cast<T>(bad);
        Feed<T> before;
        for (const auto& [name, value] : c.feed) before[name] = {value.shape, plan.input(name)};
        REQUIRE_FALSE(plan.run());
        for (const auto& [name, value] : before) CHECK(same_bits(plan.input(name), value.data));
        const auto want = Interpreter<T>(c.tape, c.program.outputs).run(before);
        for (std::size_t i = 0; i < want.size(); ++i)
          for (std::size_t k = 0; k < want[i].data.size(); ++k)
            CHECK(std::abs(plan.output(i)[k] - want[i].data[k]) <=
                  1000 * std::numeric_limits<T>::epsilon() * (1 + std::abs(want[i].data[k])));
        plan.input("z")[0] = 1;
        REQUIRE(plan.run());
      }
    };
    check(0.0F);
    check(0.0);
  }
}
