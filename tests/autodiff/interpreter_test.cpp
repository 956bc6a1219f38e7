#include "autodiff/interpreter.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/pool.hpp"
#include "autodiff/substitute.hpp"
#include "tests/support/numeric.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("the interpreter computes in the precision it is asked for") {
  Tape tape;
  const Expr third = constant(tape, 1.0) / 3.0;
  CHECK_EQ(evaluate<float>(third)[0], 1.0f / 3.0f);
  CHECK_EQ(evaluate<double>(third)[0], 1.0 / 3.0);
  const Quad quad = evaluate<Quad>(third)[0];
  CHECK(number::abs(quad * Quad(3) - Quad(1)) < Quad(1e-33));
  CHECK(quad != static_cast<Quad>(1.0 / 3.0));
  // 1e-10 added to 1: lost in float, kept beyond.
  const Expr small = (constant(tape, 1.0) + 1e-10) - 1.0;
  CHECK_EQ(evaluate<float>(small)[0], 0);
  CHECK(std::abs(evaluate<double>(small)[0] - 1e-10) < 1e-16);
  CHECK_LE(relative_error(evaluate<Quad>(small)[0], static_cast<Quad>(1e-10), 1e-30), 1e-23);
}

TEST_CASE("several roots are computed at once, in the order asked for, repeats included") {
  Tape tape;
  const Expr x = tape.input("x", {2}), y = exp(x), z = y * 2.0;
  const Feed<double> feed{{"x", Tensor<double>({2}, {0, 1})}};
  const Interpreter<double> interpreter(tape, {z, x, y, z});
  const auto values = interpreter.run(feed);
  CHECK_EQ(values.size(), 4);
  CHECK_EQ(values[0].data, std::vector<double>{2, 2 * std::exp(1.0)});
  CHECK_EQ(values[1].data, std::vector<double>{0, 1});
  CHECK_EQ(values[2].data, std::vector<double>{1, std::exp(1.0)});
  CHECK(values[3] == values[0]);
  CHECK_EQ(interpreter.order(), ancestors(tape, std::vector<Expr>{z}));
  CHECK(interpreter.run(feed)[0] == values[0]);
}

TEST_CASE("an input without a value, or with another shape, is named") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3}), unused = tape.input("unused", {});
  CHECK_EQ(error_of([&] { evaluate<double>(exp(x), {}); }),
           "run: input 'x' of shape [2, 3] is needed but has no value");
  CHECK_EQ(error_of([&] {
             evaluate<double>(exp(x), {{"x", Tensor<double>({3, 2})}});
           }),
           "run: input 'x' has shape [2, 3], the value given has [3, 2]");
  CHECK_EQ(error_of([&] { evaluate<double>(exp(x), {{"x", Tensor<double>({2, 3})}}); }), "");
  CHECK(unused.shape() == Shape{});
}

TEST_CASE("an observer sees every node once, in order, and may change what others read") {
  Tape tape;
  const Expr x = tape.input("x", {}), y = x * x, z = y + x;
  const Feed<double> feed{{"x", Tensor<double>({}, 3.0)}};
  std::vector<NodeId> seen;
  const Interpreter<double> interpreter(tape, {z});
  const auto value = interpreter.run(feed, {}, [&](NodeId id, Tensor<double>& t) {
    seen.push_back(id);
    if (id == y.id) t[0] += 100;
  });
  CHECK_EQ(seen, interpreter.order());
  CHECK_EQ(value[0][0], 112);
  CHECK_EQ(interpreter.run(feed)[0][0], 12);
}

TEST_CASE("a pool of threads changes no bit") {
  Tape tape;
  const Expr x = tape.input("x", {130, 300}), W = tape.input("W", {300, 90});
  const Expr h = tanh(matmul(x, W)), noisy = h + normal(tape, h.shape(), "noise");
  const std::vector<Expr> roots{noisy,
                                sum(noisy),
                                max(noisy, {0}),
                                transpose(h),
                                sum(exp(x), {0}),
                                softmax(h),
                                contract("bi,bj->ij", {x, h}),
                                top_k(h, 5)};
  const Feed<float> feed = random_feed<float>({x, W}, 41);
  const Interpreter<float> interpreter(tape, roots);
  const auto alone = interpreter.run(feed, {.seed = 7, .step = 3});
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    const auto together = interpreter.run(feed, {.seed = 7, .step = 3, .pool = &pool});
    for (std::size_t i = 0; i < roots.size(); ++i) CHECK(together[i] == alone[i]);
  }
}

TEST_CASE("draws depend on seed, stream, step and place alone") {
  Tape tape;
  const Expr a = uniform(tape, {1000}, "a"), b = uniform(tape, {1000}, "b");
  const auto at = [](Expr e, std::uint64_t seed, std::uint64_t step) {
    return evaluate<double>(e, {}, {.seed = seed, .step = step});
  };
  CHECK(at(a, 1, 0) == at(a, 1, 0));
  CHECK(at(a, 1, 0) != at(b, 1, 0));
  CHECK(at(a, 1, 0) != at(a, 2, 0));
  CHECK(at(a, 1, 0) != at(a, 1, 1));
  // A longer draw begins with the shorter one.
  const Tensor<double> longer = at(uniform(tape, {2000}, "a"), 1, 0);
  const Tensor<double> shorter = at(a, 1, 0);
  CHECK(std::equal(shorter.data.begin(), shorter.data.end(), longer.data.begin()));
  double mean_value = 0, variance = 0;
  const Tensor<double> normals = at(normal(tape, {20'000}, "n"), 1, 0);
  for (const double x : normals.data) mean_value += x / 20'000;
  for (const double x : normals.data) variance += x * x / 20'000;
  CHECK_LE(std::abs(mean_value), 4 / std::sqrt(20'000.0));
  CHECK_LE(std::abs(variance - 1), 4 * std::sqrt(2 / 20'000.0));
}

TEST_CASE("substitute replaces every use of a node, and shares what does not change") {
  Tape tape;
  const Expr x = tape.input("x", {3}), y = tape.input("y", {3});
  const Expr kept = exp(y), e = sin(x) * kept + square(x);
  CHECK(substitute(e, x, y) == sin(y) * kept + square(y));
  CHECK(substitute(e, e, y) == y);
  CHECK(substitute(e, cos(x), y) == e);
  CHECK(substitute(e, sin(x), kept) == kept * kept + square(x));
  CHECK_EQ(error_of([&] { substitute(e, x, tape.input("z", {4})); }), "substitute: [3] by [4]");
}

TEST_CASE("batch_over computes an expression for a stack of values of one node") {
  Tape tape;
  const Expr x = tape.input("x", {3}), w = tape.input("w", {3}), stack = tape.input("s", {4, 3});
  const Expr e = sum(tanh(x * w) + log_softmax(x));
  const Expr all = batch_over(e, x, stack);
  CHECK(all.shape() == Shape{4});
  const Feed<Quad> feed = random_feed<Quad>({e, all}, 42);
  const Tensor<Quad> got = evaluate<Quad>(all, feed);
  for (std::int64_t k = 0; k < 4; ++k) {
    Feed<Quad> one = feed;
    for (std::int64_t i = 0; i < 3; ++i) one["x"][i] = feed.at("s")[k * 3 + i];
    CHECK_LE(relative_error(evaluate<Quad>(e, one)[0], got[k]), 1e-31);
  }
  CHECK(batch_over(x, x, stack) == stack);
  CHECK(batch_over(exp(w), x, stack) == broadcast_to(exp(w), {4, 3}));
}
