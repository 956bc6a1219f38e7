#include "nn/penalties.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"

using namespace jacquard;

namespace {

Tensor<double> wave(const Shape& shape, double phase) {
  Tensor<double> t(shape);
  for (std::int64_t i = 0; i < t.size(); ++i) t[i] = std::sin(phase + 1.7 * static_cast<double>(i));
  return t;
}

}  // namespace

TEST_CASE("the contractive penalty of a sigmoid layer has its closed form") {
  constexpr std::int64_t kBatch = 3, kIn = 5, kOut = 4;
  Tape tape;
  const Expr x = tape.input("x", {kBatch, kIn}), W = tape.input("W", {kIn, kOut});
  const Expr b = tape.input("b", {kOut});
  const Expr penalty = nn::contractive(sigmoid(matmul(x, W) + b), x);
  const Tensor<double> vx = wave({kBatch, kIn}, 0), vw = wave({kIn, kOut}, 1), vb = wave({kOut}, 2);
  double expected = 0;
  for (std::int64_t n = 0; n < kBatch; ++n)
    for (std::int64_t j = 0; j < kOut; ++j) {
      double a = vb[j], norm = 0;
      for (std::int64_t i = 0; i < kIn; ++i) {
        a += vx[n * kIn + i] * vw[i * kOut + j];
        norm += vw[i * kOut + j] * vw[i * kOut + j];
      }
      const double h = 1 / (1 + std::exp(-a));
      expected += h * (1 - h) * h * (1 - h) * norm / kBatch;
    }
  CHECK(evaluate<double>(penalty, {{"x", vx}, {"W", vw}, {"b", vb}})[0] ==
        doctest::Approx(expected).epsilon(1e-13));
}

TEST_CASE("weight decay is the sum of all squares") {
  Tape tape;
  const Expr W = tape.input("W", {2, 3, 2});
  const Tensor<double> w = wave({2, 3, 2}, 0.5);
  double expected = 0;
  for (const double v : w.data) expected += v * v;
  const Expr decay = nn::weight_decay(W);
  CHECK(decay.shape() == Shape{});
  CHECK(evaluate<double>(decay, {{"W", w}})[0] == doctest::Approx(expected).epsilon(1e-14));
}

TEST_CASE("sparsity is the divergence of the mean activations from the rate") {
  Tape tape;
  const Expr h = tape.input("h", {4, 3});
  Tensor<double> activations = wave({4, 3}, 0.1);
  for (double& v : activations.data) v = 0.5 + 0.4 * v;
  const double rate = 0.05;
  double expected = 0;
  for (std::int64_t j = 0; j < 3; ++j) {
    double q = 0;
    for (std::int64_t n = 0; n < 4; ++n) q += activations[n * 3 + j] / 4;
    expected += rate * std::log(rate / q) + (1 - rate) * std::log((1 - rate) / (1 - q));
  }
  CHECK(evaluate<double>(nn::sparsity(h, rate), {{"h", activations}})[0] ==
        doctest::Approx(expected).epsilon(1e-13));
  CHECK(evaluate<double>(nn::sparsity(h, 0.25), {{"h", Tensor<double>({4, 3}, 0.25)}})[0] ==
        doctest::Approx(0).epsilon(1e-15));
}

TEST_CASE("sparsity refuses rates outside of (0, 1) and codes without a batch") {
  Tape tape;
  const Expr h = tape.input("h", {4, 3}), v = tape.input("v", {3});
  const auto message = [](auto&& call) -> std::string {
    try {
      call();
      return "";
    } catch (const Error& error) {
      return error.what();
    }
  };
  CHECK(message([&] { nn::sparsity(h, 1); }) == "sparsity: rate = 1; it must lie between 0 and 1");
  CHECK(message([&] { nn::sparsity(v, 0.5); }) ==
        "sparsity: [3] is no batch of codes [batch, units]");
}
