// The estimate of a squared Jacobian by random projections: its mean, its variance and its gradient
// (Hoffman et al. 2019).
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

// Equal rows of x draw directions of their own: each is one estimate of the same number.
constexpr std::int64_t kRows = 500, kIn = 7, kHidden = 6;

struct Net {
  Tape tape;
  Expr x = tape.input("x", {kRows, kIn});
  Expr W = tape.input("W", {kIn, kHidden}, InputKind::kParameter);
  Expr b = tape.input("b", {kHidden}, InputKind::kParameter);
  Expr u = tape.input("u", {1, kHidden});
  Expr V = tape.input("V", {kHidden, 4}, InputKind::kParameter);

  Feed<double> feed(std::uint64_t seed) const {
    Feed<double> values = random_feed({x, W, b, u, V}, seed);
    Tensor<double>& rows = values.at("x");
    for (std::int64_t i = kIn; i < rows.size(); ++i) rows[i] = rows[i % kIn];
    return values;
  }
  // Named functions of x: a deep net, one whose Jacobian has rank 1, one with a single output.
  std::vector<std::pair<std::string, Expr>> functions() const {
    const Expr h = tanh(matmul(x, W) + b);
    return {{"deep", sigmoid(matmul(h, V))},
            {"softmax", softmax(matmul(x, W) + b)},
            {"rank one", sin(sum(h, {1}, true)) * u}};
  }
};

struct Moments {
  double mean = 0, variance = 0;
  double count = 0;
};

Moments moments(const std::vector<double>& values) {
  Moments m;
  m.count = static_cast<double>(values.size());
  for (const double v : values) m.mean += v / m.count;
  for (const double v : values) m.variance += (v - m.mean) * (v - m.mean) / (m.count - 1);
  return m;
}

// All elements of a root over many steps, by a plan.
std::vector<double> draws(Net& net, Expr root, const Feed<double>& feed, std::uint64_t steps) {
  ThreadPool pool(1);
  BoundPlan<double> plan(net.tape, {{root}, {}, {}}, feed, pool);
  std::vector<double> all;
  for (std::uint64_t step = 0; step < steps; ++step) {
    plan.run({.seed = 3, .step = step});
    for (const double value : plan.output(0)) all.push_back(value);
  }
  return all;
}

// Of one probe, by the formula: A = J J'.
Moments stated(Expr h, Expr x, const Feed<double>& feed) {
  const Expr J = jacobian(h, x);
  const double m = static_cast<double>(h.shape()[1]);
  const double trace_A = evaluate(sqnorm(J), feed)[0];
  const double trace_A2 = evaluate(sqnorm(matmul(J, transpose(J))), feed)[0];
  return {trace_A, 2 * m / (m + 2) * trace_A2 - 2 / (m + 2) * trace_A * trace_A};
}

}  // namespace

TEST_CASE("sqnorm_estimate is unbiased, with the stated variance, which falls as 1 / probes") {
  Net net;
  const Feed<double> feed = net.feed(1);
  for (const auto& function : net.functions()) {
    CAPTURE(function.first);
    const Moments one = stated(function.second, net.x, feed);
    REQUIRE(one.variance > 0.01 * one.mean * one.mean);
    CHECK(one.variance < 2 * one.mean * one.mean);  // the worst is a Jacobian of rank 1
    for (const std::int64_t probes : {1, 2, 4, 16}) {
      CAPTURE(probes);
      const Expr estimate = sqnorm_estimate(function.second, net.x, probes, "probe");
      CHECK(estimate.shape() == Shape{kRows});
      const Moments got = moments(draws(net, estimate, feed, 60));
      const double variance = one.variance / static_cast<double>(probes);
      CHECK(std::abs(got.mean - one.mean) < 5 * std::sqrt(variance / got.count));
      CHECK(std::abs(got.variance / variance - 1) < 0.1);
    }
  }
}

TEST_CASE("sqnorm_estimate of a Jacobian of rank one has the largest variance") {
  Net net;
  const Feed<double> feed = net.feed(2);
  const Moments one = stated(net.functions()[2].second, net.x, feed);
  const double m = kHidden;
  CHECK(one.variance / (one.mean * one.mean) == doctest::Approx(2 * (m - 1) / (m + 2)));
}

TEST_CASE("sqnorm_estimate of one output is exact") {
  Net net;
  const Expr h = sum(sin(matmul(net.x, net.W)), {1}, true);
  const Feed<Quad> feed = testing::cast<Quad>(net.feed(3));
  const RunContext context{.seed = 4, .step = 5};
  CHECK_LE(tensor_error(evaluate<Quad>(sqnorm_estimate(h, net.x, 4, "probe"), feed, context),
                        evaluate<Quad>(sqnorm(jacobian(h, net.x)), feed)),
           1e-30);
}

TEST_CASE("the gradient of sqnorm_estimate is that of the penalty on average") {
  Net net;
  const Feed<double> feed = net.feed(4);
  for (const auto& function : net.functions()) {
    CAPTURE(function.first);
    const Expr h = function.second;
    const Tensor<double> exact =
        evaluate(gradient(mean(sqnorm(jacobian(h, net.x))), {net.W})[0], feed);
    const Expr estimate = mean(sqnorm_estimate(h, net.x, 2, "probe"));
    constexpr std::uint64_t kSteps = 60;
    const auto all = draws(net, gradient(estimate, {net.W})[0], feed, kSteps);
    for (std::int64_t i = 0; i < exact.size(); ++i) {
      std::vector<double> of_element;
      for (std::int64_t k = 0; k < static_cast<std::int64_t>(kSteps); ++k)
        of_element.push_back(all[static_cast<std::size_t>(k * exact.size() + i)]);
      const Moments got = moments(of_element);
      CHECK(std::abs(got.mean - exact[i]) < 5 * std::sqrt(got.variance / got.count) + 1e-12);
    }
  }
}

TEST_CASE("sqnorm_estimate is the same draw for a stream and a step, and another for others") {
  Net net;
  const Feed<double> feed = net.feed(5);
  const Expr h = net.functions()[0].second;
  const auto value = [&](const char* stream, std::uint64_t seed, std::uint64_t step) {
    return evaluate(sqnorm_estimate(h, net.x, 1, stream), feed, {.seed = seed, .step = step}).data;
  };
  CHECK(value("a", 1, 1) == value("a", 1, 1));
  CHECK(value("a", 1, 1) != value("b", 1, 1));
  CHECK(value("a", 1, 1) != value("a", 2, 1));
  CHECK(value("a", 1, 1) != value("a", 1, 2));
  CHECK(value("a", 1, 1)[0] != value("a", 1, 1)[1]);  // examples draw on their own
}

TEST_CASE("simplified: an estimate keeps its value and its gradients, draw by draw") {
  Net net;
  const Feed<Quad> feed = testing::cast<Quad>(net.feed(6));
  const RunContext context{.seed = 6, .step = 7};
  const std::vector<Expr> parameters{net.W, net.b, net.V};
  for (const auto& function : net.functions()) {
    CAPTURE(function.first);
    const Expr cost = mean(sqnorm_estimate(function.second, net.x, 2, "probe"));
    for (const Care care : {Care::kFast, Care::kCareful}) {
      const Expr rewritten = simplify({cost}, care).roots[0];
      std::vector<Expr> before{cost}, after{rewritten};
      for (const Expr& g : gradient(cost, parameters, Unused::kZero)) before.push_back(g);
      for (const Expr& g : gradient(rewritten, parameters, Unused::kZero)) after.push_back(g);
      const auto a = Interpreter<Quad>(net.tape, before).run(feed, context);
      const auto b = Interpreter<Quad>(net.tape, after).run(feed, context);
      for (std::size_t i = 0; i < a.size(); ++i) CHECK_LE(tensor_error(b[i], a[i]), 1e-25);
    }
  }
}
