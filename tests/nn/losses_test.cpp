#include "nn/losses.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"

using namespace jacquard;

namespace {

using Loss = Expr (*)(Expr, Expr);

struct Result {
  Tensor<double> loss, slope_y, slope_t;
};

Result run(Loss loss, const Tensor<double>& y, const Tensor<double>& t) {
  Tape tape;
  const Expr ey = tape.input("y", y.shape), et = tape.input("t", t.shape);
  const Expr value = loss(ey, et);
  const std::vector<Expr> slopes = gradient(sum(value), {ey, et}, Unused::kZero);
  const auto results =
      Interpreter<double>(tape, {value, slopes[0], slopes[1]}).run({{"y", y}, {"t", t}});
  return {results[0], results[1], results[2]};
}

std::string error_of(Loss loss, const Shape& y, const Shape& t) {
  Tape tape;
  try {
    loss(tape.input("y", y), tape.input("t", t));
    return "";
  } catch (const ShapeError& error) {
    return error.what();
  }
}

Tensor<double> matrix(std::int64_t rows, std::int64_t columns, std::vector<double> values) {
  return {Shape{rows, columns}, std::move(values)};
}

}  // namespace

TEST_CASE("squared error sums over every axis but the first") {
  const Tensor<double> y({2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  const Tensor<double> t({2, 3, 2}, {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5});
  Tensor<double> expected(Shape{2});
  for (std::int64_t i = 0; i < 12; ++i) expected[i / 6] += (y[i] - t[i]) * (y[i] - t[i]);
  const Result r = run(nn::squared_error, y, t);
  CHECK(r.loss == expected);
  for (std::int64_t i = 0; i < 12; ++i) {
    CHECK(r.slope_y[i] == 2 * (y[i] - t[i]));
    CHECK(r.slope_t[i] == -2 * (y[i] - t[i]));
  }
  const Tensor<double> one(Shape{3}, {1, 2, 3});
  CHECK(run(nn::squared_error, one, Tensor<double>(Shape{3})).loss ==
        Tensor<double>(Shape{3}, {1, 4, 9}));
  CHECK(run(nn::squared_error, Tensor<double>({0, 4}), Tensor<double>({0, 4})).loss.size() == 0);
}

TEST_CASE("cross-entropy has its closed form inside the interval, in value and both gradients") {
  const Tensor<double> y = matrix(2, 3, {0.1, 0.5, 0.9, 1e-12, 0.3, 0.999});
  const Tensor<double> t = matrix(2, 3, {0.2, 0.5, 1.0, 0.0, 1.0, 0.25});
  const Result r = run(nn::cross_entropy, y, t);
  for (std::int64_t b = 0; b < 2; ++b) {
    double expected = 0;
    for (std::int64_t i = 3 * b; i < 3 * b + 3; ++i) {
      expected -= t[i] * std::log(y[i]) + (1 - t[i]) * std::log1p(-y[i]);
      CHECK(r.slope_y[i] == doctest::Approx(-t[i] / y[i] + (1 - t[i]) / (1 - y[i])));
      CHECK(r.slope_t[i] == doctest::Approx(std::log1p(-y[i]) - std::log(y[i])));
    }
    CHECK(r.loss[b] == doctest::Approx(expected).epsilon(1e-14));
  }
}

TEST_CASE("cross-entropy is exactly 0 with finite gradients where y is exactly right") {
  const Tensor<double> y = matrix(1, 4, {0, 1, 0, 1});
  const Result r = run(nn::cross_entropy, y, y);
  CHECK(r.loss[0] == 0);
  for (std::int64_t i = 0; i < 4; ++i) {
    // d/dy of -log(1 - y) at 0 is 1, of -log(y) at 1 is -1: one-sided, finite.
    CHECK(r.slope_y[i] == (y[i] == 0 ? 1 : -1));
    CHECK(std::isfinite(r.slope_t[i]));
  }
}

TEST_CASE("cross-entropy is infinite where y is certain and wrong, and 0 * log(0) is 0") {
  CHECK(run(nn::cross_entropy, matrix(1, 1, {0}), matrix(1, 1, {1})).loss[0] == INFINITY);
  CHECK(run(nn::cross_entropy, matrix(1, 1, {1}), matrix(1, 1, {0})).loss[0] == INFINITY);
  const Result half = run(nn::cross_entropy, matrix(1, 2, {1, 0.5}), matrix(1, 2, {1, 0}));
  CHECK(half.loss[0] == doctest::Approx(std::log(2)).epsilon(1e-15));
  CHECK(std::isnan(run(nn::cross_entropy, matrix(1, 1, {NAN}), matrix(1, 1, {0})).loss[0]));
}

TEST_CASE("the second derivative of cross-entropy is finite where y is exactly right") {
  Tape tape;
  const Expr y = tape.input("y", {1, 2}), t = tape.input("t", {1, 2});
  const Expr slope = gradient(sum(nn::cross_entropy(y, t)), {y})[0];
  const Expr second = gradient(sum(square(slope)), {y})[0];
  const Tensor<double> corner = matrix(1, 2, {0, 1});
  for (const double v : evaluate<double>(second, {{"y", corner}, {"t", corner}}).data)
    CHECK(std::isfinite(v));
}

TEST_CASE("cross-entropy of logits agrees with the definition and is finite for all of them") {
  const Tensor<double> a = matrix(2, 4, {-3, -0.5, 0, 2, 30, -30, 5, -5});
  const Tensor<double> t = matrix(2, 4, {0, 1, 0.25, 1, 1, 0, 0.5, 1});
  const Result r = run(nn::cross_entropy_logits, a, t);
  for (std::int64_t b = 0; b < 2; ++b) {
    double expected = 0;
    for (std::int64_t i = 4 * b; i < 4 * b + 4; ++i) {
      const double p = 1 / (1 + std::exp(-a[i])), q = 1 / (1 + std::exp(a[i]));
      expected -= t[i] * std::log(p) + (1 - t[i]) * std::log(q);
      CHECK(r.slope_y[i] == doctest::Approx(p - t[i]).epsilon(1e-12));
      CHECK(r.slope_t[i] == -a[i]);
    }
    CHECK(r.loss[b] == doctest::Approx(expected).epsilon(1e-12));
  }
  const Result far = run(nn::cross_entropy_logits, matrix(2, 2, {1e4, -1e4, 1e4, -1e4}),
                         matrix(2, 2, {1, 0, 0, 1}));
  CHECK(far.loss[0] == 0);
  CHECK(far.loss[1] == 2e4);
  CHECK(far.slope_y == matrix(2, 2, {0, 0, 1, -1}));
  const Result huge = run(nn::cross_entropy_logits, matrix(1, 1, {1e308}), matrix(1, 1, {0.5}));
  CHECK(huge.loss[0] == 0.5e308);
}

TEST_CASE("softmax cross-entropy is the negative log probability of the label") {
  const Tensor<double> logits = matrix(3, 4, {1, 2, 3, 4, -1, 0, 0.5, 0, 1e4, 0, -1e4, 1e4});
  const Tensor<double> labels(Shape{3}, {3, 0, 1});
  const Result r = run(nn::softmax_cross_entropy, logits, labels);
  for (std::int64_t b = 0; b < 3; ++b) {
    double largest = -INFINITY, total = 0;
    for (std::int64_t i = 0; i < 4; ++i) largest = std::max(largest, logits[4 * b + i]);
    for (std::int64_t i = 0; i < 4; ++i) total += std::exp(logits[4 * b + i] - largest);
    const auto label = static_cast<std::int64_t>(labels[b]);
    CHECK(r.loss[b] ==
          doctest::Approx(std::log(total) + largest - logits[4 * b + label]).epsilon(1e-14));
    for (std::int64_t i = 0; i < 4; ++i)
      CHECK(r.slope_y[4 * b + i] ==
            doctest::Approx(std::exp(logits[4 * b + i] - largest) / total - (i == label ? 1 : 0)));
  }
}

TEST_CASE("a label that is no class gives a loss that is not a number, and no other one") {
  for (const double wrong : {4.0, -1.0, 1.5}) {
    const Result r = run(nn::softmax_cross_entropy, Tensor<double>({2, 4}),
                         Tensor<double>(Shape{2}, {wrong, 2}));
    CHECK(std::isnan(r.loss[0]));
    CHECK(r.loss[1] == doctest::Approx(std::log(4)));
  }
}

TEST_CASE("a target may broadcast to the prediction, never the other way round") {
  const Tensor<double> y = matrix(2, 3, {0.1, 0.2, 0.3, 0.4, 0.5, 0.6});
  const Tensor<double> rate({}, 0.5);
  const Result r = run(nn::squared_error, y, rate);
  CHECK(r.loss[1] == doctest::Approx(0.01 + 0.01));
  CHECK(r.slope_t.shape == Shape{});
  CHECK(error_of(nn::squared_error, {20, 10}, {20, 784}) ==
        "squared_error: the prediction has shape [20, 10], the target [20, 784]; they must be "
        "equal, or the target broadcast to the prediction");
  CHECK(error_of(nn::cross_entropy, {20, 1}, {20, 784}) ==
        "cross_entropy: the prediction has shape [20, 1], the target [20, 784]; they must be "
        "equal, or the target broadcast to the prediction");
  CHECK(error_of(nn::cross_entropy_logits, {20}, {20, 20}) ==
        "cross_entropy_logits: the prediction has shape [20], the target [20, 20]; they must be "
        "equal, or the target broadcast to the prediction");
  CHECK(error_of(nn::squared_error, {}, {}) ==
        "squared_error: a prediction without axes has no examples; use arithmetic for scalars");
  for (const auto& [logits, labels] : std::vector<std::pair<Shape, Shape>>{
           {{5, 3}, {5, 1}}, {{5, 3}, {4}}, {{5}, {5}}, {{5, 0}, {5}}, {{5, 3}, {}}})
    CHECK(error_of(nn::softmax_cross_entropy, logits, labels) ==
          cat("softmax_cross_entropy: logits ", logits, " and labels ", labels,
              "; they must be [batch, classes] and [batch]"));
}
