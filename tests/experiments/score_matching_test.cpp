// Exact score matching (Hyvarinen 2005) finds the gradient of the log density: that of a Gaussian,
// and that of the spiral, whose density is an integral over the curve. Denoising finds that of the
// spiral with more noise (Vincent 2011; Alain and Bengio 2014).
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "experiments/data.hpp"
#include "experiments/safetensors.hpp"
#include "tests/experiments/command_call.hpp"

namespace jacquard::experiments {
namespace {

using Vector = std::array<double, 2>;

// The parameters that a run of the spec ends with.
SafeTensors trained(const TemporaryFolder& folder, const SpecChoice& spec) {
  RunCommand command;
  command.spec = spec;
  command.out = folder / "run";
  const Called called =
      call([&](auto& out, auto& talk) { return run_command(command, out, talk); });
  CAPTURE(called.said);
  REQUIRE(called.code == 0);
  return read_safetensors(folder / "run/checkpoints/last.safetensors");
}

// row @ weights + bias
std::vector<double> affine(const SafeTensors& parameters, const std::vector<double>& row,
                           const std::string& weights, const std::string& bias) {
  const Tensor<float> w = tensor<float>(parameters, weights);
  std::vector<double> result;
  for (const float b : tensor<float>(parameters, bias).data) result.push_back(b);
  for (std::size_t i = 0; i < row.size(); ++i)
    for (std::size_t j = 0; j < result.size(); ++j)
      result[j] += row[i] * w[static_cast<std::int64_t>(i * result.size() + j)];
  return result;
}

constexpr const char* kGaussian = R"json({
  "name": "gaussian-score", "seed": 5,
  "data": {"set": "gaussian", "size": 2, "count": 4000},
  "model": {
    "parameters": {"A": [2, 2], "a": [2]},
    "define": {"psi": "x @ A + a"}
  },
  "cost": {"score_matching": "mean(trace(jacobian(psi, x)) + 0.5*sqnorm(psi))"},
  "train": {"optimizer": {"kind": "sgd", "rate": 1}, "batch": 4000, "epochs": 80}
})json";

TEST_CASE("A linear score learnt by score matching is that of the sample's Gaussian") {
  const TemporaryFolder folder;
  const SafeTensors found = trained(folder, {folder.put("spec.json", kGaussian)});
  DataSpec data;
  data.set = "gaussian";
  data.size = 2;
  data.count = 4000;
  const Tensor<float> x = load_data(data, 5).train.arrays.at("x").values();
  Vector mean = {};
  for (std::int64_t i = 0; i < x.size(); ++i) mean[static_cast<std::size_t>(i % 2)] += x[i] / 4000;
  double xx = 0, xy = 0, yy = 0;
  for (std::int64_t i = 0; i < 4000; ++i) {
    const double u = x[2 * i] - mean[0], v = x[2 * i + 1] - mean[1];
    xx += u * u / 4000;
    xy += u * v / 4000;
    yy += v * v / 4000;
  }
  // The score -(x - mean) C^-1 of a normal density with the sample's mean and covariance C.
  const double determinant = xx * yy - xy * xy;
  const std::array<double, 4> expected = {-yy / determinant, xy / determinant, xy / determinant,
                                          -xx / determinant};
  const Tensor<float> A = tensor<float>(found, "A"), a = tensor<float>(found, "a");
  for (std::size_t i = 0; i < 4; ++i)
    CHECK(std::abs(A[static_cast<std::int64_t>(i)] - expected[i]) < 1e-5);
  for (std::size_t j = 0; j < 2; ++j) {
    const double offset = -(mean[0] * expected[j] + mean[1] * expected[2 + j]);
    CHECK(std::abs(a[static_cast<std::int64_t>(j)] - offset) < 1e-5);
  }
  // And that of the true one, with deviations 1 and 1/2, within five standard errors.
  const double five_errors = 5 * std::sqrt(2.0 / 4000);
  CHECK(std::abs(A[0] + 1) < five_errors);
  CHECK(std::abs(A[3] + 4) < 4 * five_errors);
}

Vector on_curve(double t) { return {0.04 * t * std::sin(t), 0.04 * t * std::cos(t)}; }

// The gradient of log p, where p(x) is the mean over t in [3, 15] of the normal density round the
// point of the curve: the mean of (point - x) / noise^2 with the weights of these densities; and p
// itself, but for a factor.
struct Score {
  Vector direction;
  double density;
};

Score true_score(const Vector& x, double noise) {
  constexpr int kSteps = 2000;
  double total = 0;
  Vector sum = {};
  for (int i = 0; i < kSteps; ++i) {
    const Vector c = on_curve(3 + 12 * (i + 0.5) / kSteps);
    const double u = (c[0] - x[0]) / noise, v = (c[1] - x[1]) / noise;
    const double weight = std::exp(-(u * u + v * v) / 2);
    total += weight;
    sum[0] += weight * u / noise;
    sum[1] += weight * v / noise;
  }
  return {{sum[0] / total, sum[1] / total}, total / kSteps};
}

// The field psi of the shipped specs.
Vector learnt_field(const SafeTensors& parameters, const Vector& x) {
  std::vector<double> h = affine(parameters, {x[0], x[1]}, "W1", "b1");
  for (double& value : h) value = std::tanh(value);
  h = affine(parameters, h, "W2", "b2");
  for (double& value : h) value = std::tanh(value);
  const std::vector<double> psi = affine(parameters, h, "W3", "b3");
  return {psi[0], psi[1]};
}

double cosine(const Vector& a, const Vector& b) {
  return (a[0] * b[0] + a[1] * b[1]) / (std::hypot(a[0], a[1]) * std::hypot(b[0], b[1]));
}

// How well the learnt score fits the true one within two standard deviations of the curve.
struct Fit {
  double cosine = 0;  // on average, where the true score is not nearly 0
  double error = 0;   // the norm of the difference over that of the true score, both mean squared
};

Fit fit_to_spiral(const SafeTensors& parameters) {
  constexpr double kNoise = 0.03;  // of the shipped spec, whose psi is the score times it
  double cosines = 0, count = 0, difference = 0, size = 0;
  for (double t = 3; t <= 15; t += 0.05)
    for (double offset = -2; offset <= 2; offset += 0.5) {
      // Across the curve: its radius grows slowly.
      Vector x = on_curve(t);
      const double away = 1 + offset * kNoise / (0.04 * t);
      x = {x[0] * away, x[1] * away};
      const Vector score = true_score(x, kNoise).direction;
      Vector psi = learnt_field(parameters, x);
      for (double& value : psi) value /= kNoise;
      const double s = std::hypot(score[0], score[1]);
      size += s * s;
      difference += std::pow(score[0] - psi[0], 2) + std::pow(score[1] - psi[1], 2);
      if (s < 0.5 / kNoise) continue;
      cosines += cosine(score, psi);
      ++count;
    }
  return {cosines / count, std::sqrt(difference / size)};
}

// The mean cosine between psi and the score of the spiral with `noise`, over a grid of points where
// the density is at least a twentieth of its largest value.
double mean_cosine(const SafeTensors& parameters, double noise) {
  std::vector<std::pair<double, double>> cosines;  // with the density
  double largest = 0;
  for (double u = -0.9; u <= 0.9; u += 0.03)
    for (double v = -0.9; v <= 0.9; v += 0.03) {
      const Score score = true_score({u, v}, noise);
      largest = std::max(largest, score.density);
      cosines.emplace_back(cosine(score.direction, learnt_field(parameters, {u, v})),
                           score.density);
    }
  double sum = 0, count = 0;
  for (const auto& [value, density] : cosines) {
    if (density < largest / 20) continue;
    sum += value;
    ++count;
  }
  return sum / count;
}

TEST_SUITE("slow") {
  TEST_CASE("The reconstruction of the noisy spiral moves along the score of its density") {
    // Noise of the data and of the corruption together.
    const double noise = std::hypot(0.02, 0.1);
    const std::string spec = JACQUARD_SOURCE_DIR "/experiments/specs/score_denoising_spiral.json";
    for (const char* seed : {"seed=1", "seed=2", "seed=3"}) {
      const TemporaryFolder folder;
      const double found = mean_cosine(trained(folder, {spec, {seed}}), noise);
      MESSAGE(std::string(seed), ": mean cosine ", found);
      CHECK(found > 0.95);
    }
  }

  TEST_CASE("The shipped spec learns the score of the spiral") {
    const TemporaryFolder folder;
    const Fit fit = fit_to_spiral(
        trained(folder, {JACQUARD_SOURCE_DIR "/experiments/specs/score_matching_spiral.json", {}}));
    CAPTURE(fit.error);
    CHECK(fit.cosine > 0.99);
    CHECK(fit.error < 0.25);
  }
}

}  // namespace
}  // namespace jacquard::experiments
