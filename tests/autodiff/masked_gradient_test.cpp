// The adjoint of a where() branch that was not taken is exactly 0, also where that branch is not
// finite: no value of it may reach a gradient, by whatever way it was computed.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr double I = std::numeric_limits<double>::infinity();
using Numbers = std::vector<double>;

// The derivatives of order 1, 2 and 3 of the sum of f(x).
struct Slopes {
  Numbers first, second, third;
};
template <class F>
Slopes slopes_at(const Numbers& at, const F& f) {
  Tape tape;
  const Expr x = tape.input("x", {std::ssize(at)});
  const Feed<double> feed{{"x", Tensor<double>(x.shape(), at)}};
  std::vector<Numbers> orders;
  Expr cost = sum(f(x));
  for (int order = 1; order <= 3; ++order) {
    const Expr g = gradient(cost, {x}, Unused::kZero)[0];
    orders.push_back(evaluate<double>(g, feed).data);
    cost = sum(g);
  }
  return {orders[0], orders[1], orders[2]};
}

Expr number_like(Expr like, double value) { return constant(*like.tape, value); }

void check_near(const Numbers& got, const Numbers& expected) {
  REQUIRE_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK_MESSAGE(relative_error(got[i], expected[i]) < 1e-13, "element ", i, " is ", got[i],
                  ", not ", expected[i]);
}

// A random program whose where() shields elements for which a part of it is not finite. Built
// twice: as a user writes it, and with those elements replaced by 1 beforehand (the "double where"
// that other systems ask their users to write), which is the truth for its value and gradients.
class MaskedProgram {
 public:
  MaskedProgram(Tape& tape, std::uint64_t seed, bool structured)
      : tape_(tape), seed_(seed), structured_(structured) {}

  static constexpr std::int64_t kRows = 3, kColumns = 4;

  Expr build(bool shielded_before) {
    Random random(seed_);
    const Expr x = tape_.input("x", {kRows, kColumns});
    const Expr p = tape_.input("p", {kColumns});
    const Expr zero = constant(tape_, 0.0);
    // Rows or single elements of x that are fit for every function below.
    const bool rows = structured_ || random.coin();
    Expr fit = logical_and(greater(x, zero), less(x, constant(tape_, 5.0)));
    if (rows) fit = min(fit, {1}, true);
    const Expr safe = shielded_before ? where(fit, x, constant(tape_, 1.0)) : x;
    Expr value = risky(safe, p, random);
    const Expr instead = random.coin() ? zero : tanh(x) * p;
    value = random.coin() ? where(fit, value, instead) : where(logical_not(fit), instead, value);
    if (random.coin()) value = tanh(value) + value * p;
    if (random.below(3) == 0)
      value = where(less(value, constant(tape_, 0.3)), value, square(value));
    return sum(value * (1.0 + p));
  }

 private:
  Expr risky(Expr z, Expr p, Random& random) {
    const std::int64_t steps = 1 + random.below(4);
    for (std::int64_t i = 0; i < steps; ++i) z = step(z, p, random);
    return z;
  }

  Expr step(Expr z, Expr p, Random& random) {
    const Expr one = constant(tape_, 1.0);
    switch (random.below(structured_ ? 18 : 12)) {
      case 0:
        return log(square(z) + 0.0 * p);
      case 1:
        return sqrt(z * z);
      case 2:
        return 1.0 / z;
      case 3:
        return p / z + z;
      case 4:
        return power(square(z), -0.75);
      case 5:
        return power(abs(z), p);
      case 6:
        return z * exp(100.0 * square(z) - 100.0 * square(z));
      case 7:
        return log1p(square(z)) / z;
      case 8:
        return tanh(z) * log(abs(z));
      case 9:
        return maximum(z, one / z);
      case 10:
        return where(greater(z, one), sqrt(z - one), z * z);
      case 11:
        return sigmoid(z) / square(z);
      case 12:
        return z / sum(square(z), {1}, true);
      case 13:
        return z * norm_of_rows(z);
      case 14:
        return reshape(log(reshape(square(z), Shape{kRows, 2, 2})), Shape{kRows, kColumns});
      case 15:
        return transpose(sqrt(transpose(square(z))));
      case 16:
        return z + log(sum(abs(z), {1}, true));
      default:
        return concat({log(slice(square(z), 1, 0, 2)), sqrt(slice(square(z), 1, 2, kColumns))}, 1);
    }
  }

  static Expr norm_of_rows(Expr z) { return sqrt(sum(square(z), {1}, true)); }

  Tape& tape_;
  std::uint64_t seed_;
  bool structured_;
};

// Complaints about one random program: a gradient that is not finite, or not that of the truth.
std::string masked_complaint(std::uint64_t seed, bool structured) {
  Tape tape;
  MaskedProgram program(tape, seed, structured);
  const Expr cost = program.build(false), truth = program.build(true);
  Random random(seed + 1);
  Feed<Quad> feed{{"p", random.tensor<Quad>({MaskedProgram::kColumns}, {0.3, 1.5})}};
  Tensor<Quad> x({MaskedProgram::kRows, MaskedProgram::kColumns});
  const double bad[] = {0, -0.0, -1, 1e30, -1e30, I, -I};
  for (std::int64_t row = 0; row < MaskedProgram::kRows; ++row)
    for (std::int64_t i = 0; i < MaskedProgram::kColumns; ++i)
      x[row * MaskedProgram::kColumns + i] = static_cast<Quad>(
          row == 0 ? random.between(0.3, 2)
                   : (random.coin() ? bad[random.below(7)] : random.between(0.3, 2)));
  feed["x"] = x;
  const std::vector<Expr> variables{tape.input("x", x.shape), tape.input("p", {4})};
  Expr got = cost, expected = truth;
  for (int order = 1; order <= (seed % 5 == 0 ? 3 : 2); ++order) {
    const auto g = gradient(got, variables, Unused::kZero),
               e = gradient(expected, variables, Unused::kZero);
    for (std::size_t i = 0; i < g.size(); ++i)
      if (const double error = tensor_error(evaluate<Quad>(g[i], feed), evaluate<Quad>(e[i], feed));
          !(error < 1e-20))
        return cat("program ", seed, ", order ", order, ", variable ", i, ": error ", error);
    got = sum(g[0] * variables[1]) + sum(g[1]);
    expected = sum(e[0] * variables[1]) + sum(e[1]);
  }
  return "";
}

}  // namespace

TEST_CASE("a branch that is not taken gives 0, however bad its value is") {
  const auto shield = [](auto f) {
    return
        [f](Expr x) { return where(greater(x, number_like(x, 0.0)), f(x), number_like(x, 0.0)); };
  };
  const Numbers at{-1, 0, -0.0, -I, 2};
  const double l = std::log(2.0), r = std::sqrt(2.0);
  Slopes s = slopes_at(at, shield([](Expr x) { return log(x); }));
  check_near(s.first, {0, 0, 0, 0, 0.5});
  check_near(s.second, {0, 0, 0, 0, -0.25});
  check_near(s.third, {0, 0, 0, 0, 0.25});
  s = slopes_at(at, shield([](Expr x) { return sqrt(x); }));
  check_near(s.first, {0, 0, 0, 0, 0.5 / r});
  check_near(s.second, {0, 0, 0, 0, -0.125 / r});
  check_near(s.third, {0, 0, 0, 0, 0.09375 / r});
  s = slopes_at(at, shield([](Expr x) { return 1.0 / x; }));
  check_near(s.first, {0, 0, 0, 0, -0.25});
  check_near(s.third, {0, 0, 0, 0, -0.375});
  s = slopes_at(at, shield([](Expr x) { return power(x, x); }));
  check_near(s.first, {0, 0, 0, 0, 4 * (1 + l)});
  s = slopes_at(at, shield([](Expr x) { return power(x, -2.5); }));
  check_near(s.first, {0, 0, 0, 0, -2.5 * std::pow(2, -3.5)});
  s = slopes_at(at, shield([](Expr x) { return log(sqrt(log(1.0 + x))); }));
  check_near(s.first, {0, 0, 0, 0, 0.5 / (3 * std::log(3.0))});
  s = slopes_at({-1000, 1}, [](Expr x) {
    return where(less(x, number_like(x, 0.0)), x, exp(-1000.0 * (x - 1.0)));
  });
  check_near(s.first, {1, -1000});
  s = slopes_at({0, 4}, [](Expr x) {  // the other branch, and a nested one
    return where(equal(x, number_like(x, 0.0)), x,
                 where(less(x, number_like(x, 0.0)), 1.0 / x, sqrt(x) / x));
  });
  check_near(s.first, {1, -0.0625});
}

TEST_CASE("a shield holds for what both branches share") {
  const Slopes s = slopes_at({0, 4}, [](Expr x) {
    const Expr root = sqrt(x);
    return where(greater(x, number_like(x, 0.0)), root * root + 1.0 / root, 3.0 * x) + x;
  });
  check_near(s.first, {4, 2 - 0.0625});
}

TEST_CASE("a branch that is taken is not shielded: its bad value shows") {
  const Slopes s =
      slopes_at({0, 4}, [](Expr x) { return where(less(x, number_like(x, 1.0)), sqrt(x), x); });
  CHECK_EQ(s.first[0], I);
  CHECK_EQ(s.first[1], 1);
}

TEST_CASE("a shield over rows holds behind sums, norms, reshapes and broadcasts") {
  Tape tape;
  const Expr x = tape.input("x", {2, 2}), p = tape.input("p", {2});
  const Expr zero = constant(tape, 0.0);
  const Feed<double> feed{{"x", Tensor<double>({2, 2}, {0, 0, 3, 4})},
                          {"p", Tensor<double>({2}, {0, 4})}};
  const Expr row = greater(sum(x, {1}), zero), rows = insert_axis(row, 1);
  const auto slope = [&](Expr cost, Expr v) {
    return evaluate<double>(gradient(sum(cost), {v})[0], feed).data;
  };
  check_near(slope(where(row, sum(log(x), {1}), zero), x), {0, 0, 1 / 3.0, 0.25});
  check_near(slope(where(row, sqrt(sum(square(x), {1})), zero), x), {0, 0, 0.6, 0.8});
  check_near(slope(where(rows, reshape(log(reshape(x, Shape{4})), Shape{2, 2}), zero), x),
             {0, 0, 1 / 3.0, 0.25});
  const Expr column = greater(p, zero);
  check_near(slope(where(column, x * sqrt(p), zero), p), {0, 1});
  check_near(slope(where(column, x / p, zero), p), {0, -0.25});
}

TEST_CASE("per-example derivatives keep the shield") {
  Tape tape;
  const Expr x = tape.input("x", {2, 2});
  const Expr h = where(greater(x, constant(tape, 0.0)), sqrt(x) * log(x), x);
  const Feed<double> feed{{"x", Tensor<double>({2, 2}, {0, 4, -1, 1})}};
  check_near(evaluate<double>(sqnorm(jacobian(h, x)), feed).data,
             {1 + std::pow(std::log(4.0) / 4 + 0.5, 2), 2});
  const Expr penalty = sum(sqnorm(jacobian(h, x)));
  const Tensor<double> g = evaluate<double>(gradient(penalty, {x})[0], feed);
  for (const double v : g.data) CHECK(std::isfinite(v));
  CHECK_EQ(g[0], 0);
  CHECK_EQ(g[2], 0);
}

TEST_CASE("masks cost nothing where they shield nothing: one where() for each relu of a net") {
  Tape tape;
  Expr h = tape.input("x", {4, 5});
  std::vector<Expr> parameters;
  constexpr int kLayers = 6;
  for (int i = 0; i < kLayers; ++i) {
    parameters.push_back(tape.input(cat("W", i), {5, 5}));
    parameters.push_back(tape.input(cat("b", i), {5}));
    h = relu(matmul(h, parameters[parameters.size() - 2]) + parameters.back());
  }
  const std::vector<Expr> gradients = gradient(sum(square(h)), parameters);
  int masks = 0, logic = 0;
  for (const NodeId id : ancestors(tape, gradients)) {
    masks += tape.node(id).op->name == "where" ? 1 : 0;
    for (const char* name : {"and", "or", "not", "not_equal"})
      logic += tape.node(id).op->name == name ? 1 : 0;
  }
  CHECK_EQ(masks, kLayers);
  CHECK_EQ(logic, 0);
}

TEST_CASE("500 random elementwise programs with shields have the gradients of shielded inputs") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) CHECK_EQ(masked_complaint(seed, false), "");
}

TEST_CASE("500 random programs with sums and movements have the gradients of shielded inputs") {
  for (std::uint64_t seed = 1; seed <= 500; ++seed) CHECK_EQ(masked_complaint(seed, true), "");
}
