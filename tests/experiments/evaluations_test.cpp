// What a spec asks for of a trained model: each kind against its definition, and in a whole run.
#include "experiments/evaluations/evaluations.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "autodiff/philox.hpp"
#include "experiments/evaluations/k_means.hpp"
#include "experiments/evaluations/linear_regression.hpp"
#include "experiments/evaluations/partition.hpp"
#include "experiments/evaluations/projection.hpp"
#include "experiments/evaluations/scatter.hpp"
#include "experiments/evaluations/spectrum.hpp"
#include "experiments/failure.hpp"
#include "experiments/file.hpp"
#include "experiments/random_stream.hpp"
#include "experiments/stages.hpp"
#include "tests/experiments/command_call.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

using Numbers = std::vector<std::int64_t>;

Tensor<float> normal_points(std::int64_t points, std::int64_t n, std::uint64_t seed) {
  Tensor<float> x({points, n});
  fill_normal(std::span<float>(x), seed, "points", 0);
  return x;
}

double inertia_of(const Tensor<float>& x, const Numbers& of) {
  const std::int64_t n = x.shape[1];
  double total = 0;
  for (std::int64_t k = 0; k <= *std::ranges::max_element(of); ++k) {
    std::vector<double> mean(static_cast<std::size_t>(n), 0);
    double count = 0;
    const auto each = [&](const auto& act) {
      for (std::size_t i = 0; i < of.size(); ++i)
        if (of[i] == k)
          for (std::int64_t j = 0; j < n; ++j)
            act(static_cast<std::size_t>(j),
                static_cast<double>(x[static_cast<std::int64_t>(i) * n + j]));
    };
    count = static_cast<double>(std::ranges::count(of, k));
    each([&](std::size_t j, double v) { mean[j] += v / count; });
    each([&](std::size_t j, double v) { total += (v - mean[j]) * (v - mean[j]); });
  }
  return total;
}

// Over all one-to-one matchings.
double best_accuracy(const Numbers& a, const Numbers& b, std::int64_t parts) {
  Numbers match(static_cast<std::size_t>(parts));
  std::iota(match.begin(), match.end(), 0);
  double best = 0;
  do {
    double same = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
      same += match[static_cast<std::size_t>(a[i])] == b[i] ? 1 : 0;
    best = std::max(best, same / static_cast<double>(a.size()));
  } while (std::ranges::next_permutation(match).found);
  return best;
}

constexpr const char* kSpec = R"json({
  "name": "evaluated", "data": {"set": "bars", "size": 4, "count": 90, "valid": 20, "test": 30},
  "model": {
    "parameters": {"W": [16, 3], "c": [16]},
    "define": {"h": "x @ W", "y": "h @ W.T + c"},
    "state": {"seen": {"shape": [10, 16], "init": "zeros", "next": "seen + x"}}
  },
  "cost": {"reconstruction": "mean(sqnorm(y - x))"},
  "evaluate": {
    "on": "sum(x, axis=1)",
    "error": {"kind": "mean", "of": "sqnorm(y - x)", "set": "train"},
    "clusters": {"kind": "k_means", "of": "h", "clusters": 2},
    "spectrum": {"kind": "singular_values", "of": "jacobian(h, x)", "examples": 4},
    "curve": {"kind": "contraction_curve", "of": "h", "points": 3},
    "map": {"kind": "embedding", "of": "h"},
    "row": {"kind": "regression", "of": "h", "target": "x[:, 0:4]"},
    "same": {"kind": "regression", "of": "h", "target": "sum(h, axis=1)", "decay": 0}
  },
  "train": {"batch": 10, "epochs": 1, "optimizer": {"kind": "sgd", "rate": 0.01}}
})json";

Called run_spec(const std::filesystem::path& spec, const std::filesystem::path& out,
                std::vector<std::string> overrides = {}) {
  RunCommand command;
  command.spec.path = spec.native();
  command.spec.overrides = std::move(overrides);
  command.out = out;
  return call([&](auto& o, auto& talk) { return run_command(command, o, talk); });
}

}  // namespace

TEST_CASE("k-means: the best of all partitions, whatever the number of threads") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    const Tensor<float> x = normal_points(9, 2, seed);
    ThreadPool one(1), four(4);
    const Clusters found = k_means(x, 2, 30, seed, one);
    CHECK(found.inertia == doctest::Approx(inertia_of(x, found.of)).epsilon(1e-5));
    double best = found.inertia;
    for (unsigned mask = 1; mask < 256; ++mask) {  // the last point is in cluster 0
      Numbers of(9, 0);
      for (unsigned i = 0; i < 8; ++i) of[i] = mask >> i & 1;
      best = std::min(best, inertia_of(x, of));
    }
    CHECK(found.inertia == doctest::Approx(best).epsilon(1e-5));
    const Clusters again = k_means(x, 2, 30, seed, four);
    CHECK(again.of == found.of);
    CHECK(again.centres.data == found.centres.data);
  }
}

TEST_CASE("k-means: groups far apart are found, also far from 0") {
  Tensor<float> x = normal_points(300, 5, 3);
  Numbers of;
  for (std::int64_t i = 0; i < 300; ++i) {
    of.push_back(i % 3);
    for (std::int64_t j = 0; j < 5; ++j)
      x[i * 5 + j] += 1000.0F + 20.0F * static_cast<float>(i % 3 == j % 3);
  }
  ThreadPool pool(2);
  const Clusters found = k_means(x, 3, 5, 1, pool);
  CHECK(agreement(found.of, of).accuracy == 1);
  CHECK(found.inertia == doctest::Approx(inertia_of(x, of)).epsilon(1e-4));
}

TEST_CASE("k-means: one cluster, as many as points, points that are equal, too few points") {
  ThreadPool pool(1);
  const Tensor<float> x = normal_points(6, 3, 4);
  CHECK(k_means(x, 1, 1, 1, pool).inertia ==
        doctest::Approx(inertia_of(x, Numbers(6, 0))).epsilon(1e-5));
  CHECK(k_means(x, 6, 1, 1, pool).inertia == doctest::Approx(0).epsilon(1e-9));
  CHECK(k_means(Tensor<float>(Shape{5, 2}, 7.0F), 3, 2, 1, pool).inertia == 0);
  CHECK_THROWS_WITH_AS(k_means(x, 7, 1, 1, pool),
                       "k_means: 7 clusters of 6 examples; there must be at least as many examples",
                       SpecError);
}

TEST_CASE("agreement: the best of all matchings; information of closed forms") {
  RandomStream stream(1, "labels");
  for (int round = 0; round < 50; ++round) {
    CAPTURE(round);
    Numbers a, b;
    for (int i = 0; i < 40; ++i) {
      a.push_back(static_cast<std::int64_t>(stream.below(5)));
      b.push_back(
          static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(round % 4 + 1))));
    }
    CHECK(agreement(a, b).accuracy == doctest::Approx(best_accuracy(a, b, 5)));
    CHECK(agreement(a, b).mutual_information ==
          doctest::Approx(agreement(b, a).mutual_information));
  }
  const Numbers a = {0, 0, 1, 1, 2, 2}, renamed = {2, 2, 0, 0, 1, 1}, across = {0, 1, 0, 1, 0, 1};
  CHECK(agreement(a, renamed).accuracy == doctest::Approx(1));
  CHECK(agreement(a, renamed).mutual_information == doctest::Approx(1));
  CHECK(agreement(a, across).mutual_information == doctest::Approx(0));
  CHECK(agreement(Numbers{0, 0}, Numbers{0, 0}).mutual_information == 1);
  // I = log 2, H = log 2 and log 4.
  CHECK(agreement(Numbers{0, 0, 1, 1}, Numbers{0, 1, 2, 3}).mutual_information ==
        doctest::Approx(2.0 / 3));
}

TEST_CASE("spectrum: known singular values, their squares add up, both ways round") {
  ThreadPool pool(1);
  Tensor<float> diagonal({2, 2, 3});
  diagonal[0] = 3;   // [0, 0, 0]
  diagonal[4] = -4;  // [0, 1, 1]; the second example is 0
  const Spectrum found = spectrum_of(diagonal, pool);
  CHECK(found.values[0] == doctest::Approx(2));
  CHECK(found.values[1] == doctest::Approx(1.5));
  CHECK(found.effective_rank == doctest::Approx(25.0 * 25 / (81 + 256) / 2));
  for (const Shape& shape : {Shape{1, 4, 7}, Shape{1, 7, 4}, Shape{1, 1, 5}}) {
    Tensor<float> jacobian(shape);
    fill_normal(std::span<float>(jacobian), 5, "J", 0);
    double squares = 0, of_values = 0;
    for (const float v : jacobian.data) squares += std::pow(static_cast<double>(v), 2);
    const Spectrum s = spectrum_of(jacobian, pool);
    for (const double v : s.values.data) of_values += v * v;
    CHECK(of_values == doctest::Approx(squares));
    CHECK(std::ranges::is_sorted(s.values.data, std::greater{}));
  }
}

TEST_CASE("projection: a line keeps its distances and is all the variance") {
  Tensor<float> x({5, 3});
  for (std::int64_t i = 0; i < 5; ++i)
    for (std::int64_t j = 0; j < 3; ++j) x[i * 3 + j] = static_cast<float>((j + 1) * i * i);
  const Projection line = principal_plane(x);
  CHECK(line.explained == doctest::Approx(1));
  for (std::int64_t i = 0; i < 5; ++i) {
    CHECK(std::abs(line.places[2 * i] - line.places[0]) ==
          doctest::Approx(std::sqrt(14.0) * static_cast<double>(i * i)).epsilon(1e-5));
    CHECK(line.places[2 * i + 1] == doctest::Approx(0).epsilon(1e-4));
  }
  CHECK(principal_plane(Tensor<float>(Shape{4, 1}, 2.0F)).explained == 0);
}

namespace {

// The mean over points of |x W + c - y|^2, plus decay |W|^2 in mean variances of x.
double ridge_cost(const LinearMap& map, const Tensor<float>& x, const Tensor<float>& y,
                  double decay) {
  const std::int64_t points = x.shape[0], n = x.shape[1], k = y.shape[1];
  double cost = 0;
  for (std::int64_t i = 0; i < points; ++i)
    for (std::int64_t t = 0; t < k; ++t) {
      double off = map.offset[t] - static_cast<double>(y[i * k + t]);
      for (std::int64_t j = 0; j < n; ++j)
        off += static_cast<double>(x[i * n + j]) * map.weights[j * k + t];
      cost += off * off / static_cast<double>(points);
    }
  double variance = 0;
  for (std::int64_t j = 0; j < n; ++j) {
    double mean = 0, square = 0;
    for (std::int64_t i = 0; i < points; ++i)
      mean += static_cast<double>(x[i * n + j]) / static_cast<double>(points);
    for (std::int64_t i = 0; i < points; ++i)
      square += std::pow(static_cast<double>(x[i * n + j]) - mean, 2);
    variance += square / static_cast<double>(points * n);
  }
  for (const double w : map.weights.data) cost += decay * variance * w * w;
  return cost;
}

}  // namespace

TEST_CASE("regression: a linear target is found again, a constant feature does not matter") {
  Tensor<float> x = normal_points(50, 4, 3), y({50, 2});
  for (std::int64_t i = 0; i < 50; ++i) {
    x[4 * i + 3] = 7;
    y[2 * i] = 2 * x[4 * i] - x[4 * i + 1] + 5;
    y[2 * i + 1] = x[4 * i + 2] / 4;
  }
  const LinearMap map = fitted_linear_map(x, y, 0);
  const double want[] = {2, 0, -1, 0, 0, 0.25, 0, 0};
  for (std::int64_t i = 0; i < 8; ++i) CHECK(std::abs(map.weights[i] - want[i]) < 1e-6);
  const Fit fit = fit_of(map(x), y);
  CHECK(fit.r2 == doctest::Approx(1).epsilon(1e-9));
  CHECK(fit.mean_squared_error < 1e-10);
}

TEST_CASE("regression: no other map costs less, with and without decay") {
  const Tensor<float> x = normal_points(40, 3, 4), y = normal_points(40, 2, 5);
  for (const double decay : {0.0, 0.1, 10.0}) {
    CAPTURE(decay);
    const LinearMap map = fitted_linear_map(x, y, decay);
    const double least = ridge_cost(map, x, y, decay);
    for (std::size_t i = 0; i < 6; ++i)
      for (const double step : {-1e-3, 1e-3}) {
        LinearMap other = map;
        other.weights.data[i] += step;
        CHECK(ridge_cost(other, x, y, decay) > least);
        other = map;
        other.offset.data[i % 2] += step;
        CHECK(ridge_cost(other, x, y, decay) > least);
      }
  }
}

TEST_CASE("regression: neither the scale of the codes nor that of a target's column matters") {
  const Tensor<float> x = normal_points(60, 3, 6), noise = normal_points(60, 2, 7);
  Tensor<float> small = x, y({60, 2}), scaled({60, 2});
  for (float& v : small.data) v *= 1.0f / 1024;
  for (std::int64_t i = 0; i < 60; ++i) {
    y[2 * i] = x[3 * i] + noise[2 * i];
    y[2 * i + 1] = x[3 * i + 1];
    scaled[2 * i] = 1000 * y[2 * i];
    scaled[2 * i + 1] = y[2 * i + 1];
  }
  for (const double decay : {1e-6, 0.1}) {
    const double r2 = fit_of(fitted_linear_map(x, y, decay)(x), y).r2;
    CHECK(r2 < 0.9);
    CHECK(fit_of(fitted_linear_map(small, y, decay)(small), y).r2 ==
          doctest::Approx(r2).epsilon(1e-6));
    CHECK(fit_of(fitted_linear_map(x, scaled, decay)(x), scaled).r2 ==
          doctest::Approx(r2).epsilon(1e-6));
  }
}

TEST_CASE("regression: what is explained is 1 - errors / variance, nothing where nothing varies") {
  const Tensor<float> y({4, 1}, {0, 1, 2, 3}), rough({4, 1}, {0, 2, 2, 2});
  CHECK(fit_of(y, y).r2 == 1);
  CHECK(fit_of(rough, y).r2 == doctest::Approx(1 - 2.0 / 5));
  CHECK(fit_of(rough, y).mean_squared_error == doctest::Approx(0.5));
  const Tensor<float> constant({4, 1}, {1, 1, 1, 1});
  CHECK(fit_of(rough, constant).r2 == 0);
  // Codes of one point, and codes that are all equal, tell nothing but the mean.
  const LinearMap map = fitted_linear_map(constant, y, 0);
  CHECK(map.weights[0] == 0);
  CHECK(map.offset[0] == doctest::Approx(1.5));
}

TEST_CASE("scatter: each label has its colour and its name, and none are needed") {
  const Tensor<float> points = normal_points(4, 2, 1);
  const std::string svg = scatter_svg({"codes", "a", "b", points, {0, 2, 2, 1}, "below"});
  CHECK(std::count(svg.begin(), svg.end(), 'M') == 4);
  for (const char* part : {">0</text>", ">1</text>", ">2</text>", "below", ">codes</text>"})
    CHECK(svg.find(part) != std::string::npos);
  const std::string plain = scatter_svg({"codes", "a", "b", points, {}, ""});
  CHECK(plain.find("font-weight") == std::string::npos);
}

TEST_CASE("evaluations: a run makes them, draws them and sums them up; eval makes them anew") {
  TemporaryFolder folder;
  const auto spec = folder.put("spec.json", kSpec);
  const Called called = run_spec(spec, folder.path() / "run");
  REQUIRE_MESSAGE(called.code == 0, called.said);
  const auto summary =
      nlohmann::json::parse(read_file<Error>(folder.path() / "run" / "summary.json"));
  const nlohmann::json& made = summary["evaluations"];
  // Every example of bars has some pixels on, all of them of one size.
  CHECK(made["on/mean"] > 0);
  CHECK(made["error/mean"].get<double>() ==
        doctest::Approx(summary["last"]["train/reconstruction"].get<double>()).epsilon(1e-5));
  CHECK(made["clusters/inertia"] > 0);
  CHECK(made["spectrum/effective_rank"] > 1);
  CHECK(made["spectrum/effective_rank"] <= 3.0001);
  // The code is linear: it contracts every distance alike.
  CHECK(made["curve/nearest"].get<double>() ==
        doctest::Approx(made["curve/farthest"].get<double>()).epsilon(1e-3));
  CHECK(made["map/explained"] > 0);
  // Three codes cannot tell four pixels, but what is linear in them.
  CHECK(made["row/r2"] < 0.99);
  CHECK(made["same/r2"] > 0.99999);
  CHECK(made["same/mean_squared_error"] < 1e-8);
  for (const char* name : {"spectrum", "curve", "map", "row"}) {
    CHECK(std::filesystem::exists(folder.path() / "run/artifacts" / cat(name, ".svg")));
    CHECK(called.out.find(cat(name, ".svg")) != std::string::npos);
  }
  CHECK(called.said.find("on: mean ") != std::string::npos);
  EvalCommand again;
  again.folder = folder.path() / "run";
  again.checkpoint = "last";
  again.set = "test";
  again.json = true;
  const Called looked = call([&](auto& o, auto& talk) { return eval_command(again, o, talk); });
  const auto seen = nlohmann::json::parse(looked.out);
  CHECK(seen["evaluations"]["on/mean"] == made["on/mean"]);
  CHECK(seen["evaluations"]["error/mean"] != made["error/mean"]);
  again.json = false;
  CHECK(call([&](auto& o, auto& talk) {
          return eval_command(again, o, talk);
        }).out.find("clusters/inertia") != std::string::npos);
}

TEST_CASE("evaluations: mistakes are told before anything is trained") {
  TemporaryFolder folder;
  const auto spec = folder.put("spec.json", kSpec);
  const auto mistake = [&](const std::string& override_text) -> std::string {
    try {
      run_spec(spec, folder.path() / "run", {override_text});
    } catch (const InvalidSpec& error) {
      CHECK_FALSE(std::filesystem::exists(folder.path() / "run"));
      return error.what();
    }
    return "no mistake";
  };
  const auto has = [](const std::string& text, const char* part) {
    CAPTURE(text);
    CHECK(text.find(part) != std::string::npos);
  };
  has(mistake("evaluate.on=h"), "'h' has shape [3, 3] for a batch of 3");
  has(mistake("evaluate.on=sum(z)"), "'z'");
  has(mistake("evaluate.map.of=sum(W)"), "embedding needs a vector for each example: [batch, n]");
  has(mistake("evaluate.map.kind=map"), "unknown kind 'map'");
  has(mistake("evaluate.map.kind=regression"), "target");
  has(mistake("evaluate.row.target=sum(W)"),
      "regression needs a number for each example: [batch], or a vector for each example");
  has(mistake("evaluate.row.target=jacobian(h, x)"), "at /evaluate/row/target");
  has(mistake("evaluate.row.target=x[:, 0:0]"), "has shape [3, 0] for a batch of 3");
  has(mistake("evaluate.map.of=x[:, 1:1]"), "has shape [3, 0] for a batch of 3");
  has(mistake("evaluate.clusters.target=x"), "target");
  has(mistake("evaluate.map.set=dev"), "unknown set 'dev'");
  has(mistake("evaluate.clusters.clusters=31"), "the test part of the data has 30 examples");
  has(mistake("evaluate={\"curves\": \"norm(x)\"}"), "every run has a picture 'curves' already");
  has(mistake("evaluate.curve.from=20"), "'from' is not below 'to'");
}
