// Tiles that follow products: the same bits as one after the other, for every way in which products
// are cut, and only where nobody else needs the product or writes over its factors.
#include "autodiff/followed_products.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/random.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

struct Case {
  Tape tape;
  Program program;
  Feed<double> feed;

  Expr input(const std::string& name, const Shape& shape, InputKind kind = InputKind::kParameter) {
    Random random(feed.size() + 1);
    feed[name] = cast<double>(random.tensor<float>(shape, {-1, 1}));
    return tape.input(name, shape, kind);
  }
};

template <class T>
struct Outcome {
  std::vector<std::vector<T>> outputs, inputs;
  bool operator==(const Outcome&) const = default;
};

template <class T>
Outcome<T> outcome(const Case& c, int threads, const std::vector<std::string>& without = {}) {
  ThreadPool pool(threads);
  BoundPlan<T> plan(c.tape, c.program, c.feed, pool, {.without_passes = without, .poison = true});
  for (std::uint64_t step = 0; step < 2; ++step) REQUIRE(plan.run({0, step}));
  Outcome<T> result{plan.outputs(), {}};
  for (const auto& entry : c.feed) result.inputs.push_back(plan.input(entry.first));
  return result;
}

int followed(const Case& c) {
  ThreadPool pool(1);
  const std::string text = Plan<float>(c.tape, c.program, pool).describe();
  int count = 0;
  for (std::size_t at = text.find("following"); at != text.npos;
       at = text.find("following", at + 1))
    ++count;
  return count;
}

void check(const Case& c, int expected) {
  CHECK(followed(c) == expected);
  const auto check_type = [&](auto type) {
    using T = decltype(type);
    const Outcome<T> one = outcome<T>(c, 1);
    CHECK(one == outcome<T>(c, 1, {"following"}));
    CHECK(one == outcome<T>(c, 1, {"following", "in_place"}));
    CHECK(one == outcome<T>(c, 2));
    CHECK(one == outcome<T>(c, 4));
    const bool all_finite = std::ranges::all_of(one.outputs, [](const std::vector<T>& output) {
      return std::ranges::all_of(output, [](T value) { return std::isfinite(value); });
    });
    CHECK(all_finite);
  };
  check_type(0.0f);
  check_type(0.0);
}

}  // namespace

TEST_CASE("a layer's activation follows its product, however that is cut") {
  struct Sizes {
    std::int64_t batch, inputs, outputs;
  };
  // Cut along columns; along rows; along both; rows so short that they share tiles; odd sizes.
  for (const Sizes s : {Sizes{100, 784, 1000},
                        {1000, 100, 784},
                        {700, 300, 900},
                        {4000, 64, 24},
                        {333, 129, 517}}) {
    CAPTURE(s.batch);
    Case c;
    const Expr x = c.input("x", {s.batch, s.inputs}, InputKind::kData);
    const Expr w = c.input("W", {s.inputs, s.outputs}), b = c.input("b", {s.outputs});
    const Expr h = sigmoid(matmul(x, w) * 0.1 + b);
    c.program.outputs = {h * h + h};
    check(c, 1);
  }
}

TEST_CASE("an update follows its gradient, which is never stored") {
  Case c;
  const Expr x = c.input("x", {100, 784}, InputKind::kData);
  const Expr d = c.input("d", {100, 500}, InputKind::kData);
  const Expr w = c.input("W", {784, 500}), m = c.input("m", {784, 500}, InputKind::kState);
  const Expr g = matmul(transpose(x), d);
  const Expr new_m = 0.9 * m + 0.1 * g;
  c.program.updates = {{m, new_m}, {w, w - 0.1 * (new_m / (sqrt(square(g)) + 0.01))}};
  c.program.outputs = {sum(x)};
  c.program.guards = {sum(x)};
  check(c, 1);
  ThreadPool pool(1);
  CHECK(Plan<float>(c.tape, c.program, pool).statistics().arena_bytes < 4096);
}

TEST_CASE("products of several examples are the rows of one") {
  Case c;
  const Expr x = c.input("x", {20, 30, 100}, InputKind::kData), w = c.input("W", {100, 200});
  c.program.outputs = {tanh(contract("abc,cd->abd", {x, w}))};
  check(c, 1);
}

TEST_CASE("what others read, or what is summed, is stored") {
  Case c;
  const Expr x = c.input("x", {200, 300}, InputKind::kData), w = c.input("W", {300, 400});
  const Expr p = matmul(x, w);
  SUBCASE("it is a result") { c.program.outputs = {tanh(p), p}; }
  SUBCASE("two programs read it") {
    c.program.outputs = {tanh(p), matmul(p, c.input("V", {400, 30}))};
  }
  SUBCASE("it is seen in another shape") {
    c.program.outputs = {tanh(reshape(p, Shape{400, 200}))};
  }
  SUBCASE("the program has sums") { c.program.outputs = {sum(tanh(p), {1})}; }
  SUBCASE("its inner index is cut") {
    const Expr a = c.input("a", {64, 100000}), b = c.input("b", {100000, 64});
    c.program.outputs = {tanh(matmul(a, b) * 1e-3)};
  }
  check(c, 0);
}

TEST_CASE("nothing is written over a factor while the product goes on") {
  Case c;
  const Expr w = c.input("W", {300, 300}), b = c.input("b", {300});
  c.program.updates = {{w, tanh(matmul(w, w) * 0.01 + b)}};
  SUBCASE("the update of the factor itself") {}
  SUBCASE("a value in the arena") {
    const Expr a = tanh(w);
    c.program.outputs = {matmul(a, a) * 0.01 + a};
  }
  c.program.outputs.push_back(sum(b));
  CHECK(followed(c) >= 1);
  check(c, followed(c));
}
