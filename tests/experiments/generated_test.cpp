#include "experiments/data/generated.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "autodiff/error.hpp"
#include "tests/experiments/small_set.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

std::string refusal(const DataSpec& spec) {
  return message_of<SpecError>([&] { load_data(spec, 1); });
}

TEST_CASE("bars are images of whole rows and columns, lit with probability 1 / size") {
  DataSpec spec = set_of("bars");
  spec.count = 4000;
  spec.size = 5;
  spec.test = 0.5;
  const Splits splits = load_data(spec, 1);
  CHECK(splits.train.count() == 2000);
  CHECK(splits.test.count() == 2000);
  CHECK(splits.train.image == std::vector<std::int64_t>{5, 5});
  const Tensor<float> x = splits.train.arrays.at("x").values();
  double lit = 0;
  for (std::int64_t example = 0; example < 2000; ++example) {
    const auto at = [&](std::int64_t i, std::int64_t j) { return x[example * 25 + i * 5 + j]; };
    for (std::int64_t i = 0; i < 5; ++i)
      for (std::int64_t j = 0; j < 5; ++j) {
        bool row = true, column = true;
        for (std::int64_t k = 0; k < 5; ++k)
          row = row && at(i, k) == 1, column = column && at(k, j) == 1;
        CHECK_MESSAGE(at(i, j) == (row || column ? 1.0F : 0.0F), "pixel outside a bar");
        lit += at(i, j);
      }
  }
  // A pixel is dark when neither its row nor its column is lit.
  CHECK(lit / (2000 * 25) == doctest::Approx(1 - 0.8 * 0.8).epsilon(0.05));
}

TEST_CASE("gaussian features have standard deviations 1, 1/2, 1/3 and no correlation") {
  DataSpec spec = set_of("gaussian");
  spec.count = 50000;
  spec.size = 3;
  const Tensor<float> x = load_data(spec, 1).train.arrays.at("x").values();
  for (std::int64_t j = 0; j < 3; ++j)
    for (std::int64_t k = 0; k <= j; ++k) {
      double mean = 0;
      for (std::int64_t i = 0; i < spec.count; ++i)
        mean += x[i * 3 + j] * x[i * 3 + k] * static_cast<double>((1 + j) * (1 + k)) / 50000;
      CHECK(std::abs(mean - (j == k ? 1 : 0)) < 5 * std::sqrt(2.0 / 50000));
    }
}

TEST_CASE("points of the spiral lie on it when there is no noise") {
  DataSpec spec = set_of("spiral");
  spec.noise = 0;
  spec.count = 1000;
  const DataSet set = load_data(spec, 1).train;
  const Tensor<float> x = set.arrays.at("x").values();
  const Tensor<float> position = set.arrays.at("position").values();
  CHECK(position.shape == Shape{1000});
  for (std::int64_t i = 0; i < 1000; ++i) {
    const double t = std::hypot(x[2 * i], x[2 * i + 1]) / 0.04;
    CHECK(position[i] == doctest::Approx(t).epsilon(1e-5));
    CHECK((t >= 2.9999 && t < 15.0001));
    CHECK(x[2 * i] == doctest::Approx(0.04 * t * std::sin(t)).epsilon(1e-4));
  }
}

TEST_CASE("noise moves the points of the spiral by normal steps of its size, wherever they are") {
  DataSpec spec = set_of("spiral");
  spec.count = 20000;
  spec.noise = 0;
  const Tensor<float> curve = load_data(spec, 1).train.arrays.at("x").values();
  spec.noise = 0.03;
  const Tensor<float> x = load_data(spec, 1).train.arrays.at("x").values();
  // Moments of both coordinates' steps, and with the place on the curve, all of which are 0 or 1.
  double mean = 0, square = 0, fourth = 0, both = 0, along = 0;
  for (std::int64_t i = 0; i < spec.count; ++i) {
    const double u = (x[2 * i] - curve[2 * i]) / spec.noise;
    const double v = (x[2 * i + 1] - curve[2 * i + 1]) / spec.noise;
    const double t = std::hypot(curve[2 * i], curve[2 * i + 1]) / 0.04;
    mean += (u + v) / 2;
    square += (u * u + v * v) / 2;
    fourth += (u * u * u * u + v * v * v * v) / 6;
    both += u * v;
    along += (u + v) * (t - 9);
  }
  const double count = 20000, five_errors = 5 / std::sqrt(count);
  CHECK(std::abs(mean / count) < five_errors / std::sqrt(2.0));
  CHECK(std::abs(square / count - 1) < five_errors);
  CHECK(std::abs(fourth / count - 1) < five_errors * std::sqrt(96.0 / 18));
  CHECK(std::abs(both / count) < five_errors);
  CHECK(std::abs(along / count) < five_errors * std::sqrt(2 * 12.0));
}

TEST_CASE("points of the swiss roll lie on it when there is no noise, evenly along its height") {
  DataSpec spec = set_of("swiss_roll");
  spec.noise = 0;
  spec.count = 2000;
  const DataSet set = load_data(spec, 1).train;
  const Tensor<float> x = set.arrays.at("x").values();
  const Tensor<float> position = set.arrays.at("position").values();
  CHECK(x.shape == Shape{2000, 3});
  CHECK(position.shape == Shape{2000, 2});
  double height = 0, turns = 0;
  for (std::int64_t i = 0; i < 2000; ++i) {
    const double t = std::hypot(x[3 * i], x[3 * i + 2]) / 0.04;
    CHECK((t > 1.4999 * M_PI && t < 4.5001 * M_PI));
    CHECK(x[3 * i] == doctest::Approx(0.04 * t * std::cos(t)).epsilon(1e-3));
    CHECK((x[3 * i + 1] > 0 && x[3 * i + 1] < 0.84));
    CHECK(position[2 * i] == doctest::Approx(t).epsilon(1e-5));
    CHECK(position[2 * i + 1] == doctest::Approx(x[3 * i + 1] / 0.84).epsilon(1e-5));
    height += x[3 * i + 1] / 2000.0;
    turns += t / 2000;
  }
  const double five_errors = 5 / std::sqrt(12 * 2000.0);
  CHECK(std::abs(height / 0.84 - 0.5) < five_errors);
  CHECK(std::abs(turns / (3 * M_PI) - 1) < five_errors);
}

TEST_CASE("generated sets depend on the seed alone and refuse impossible sizes") {
  for (const char* set : {"bars", "gaussian", "spiral", "swiss_roll"}) {
    DataSpec spec = set_of(set);
    spec.count = 50;
    CHECK(load_data(spec, 1).train.arrays == load_data(spec, 1).train.arrays);
    CHECK(load_data(spec, 1).train.arrays != load_data(spec, 2).train.arrays);
    CHECK(data_inputs(spec).at("x")[0] == load_data(spec, 1).train.arrays.at("x").shape()[1]);
  }
  DataSpec spec = set_of("bars");
  spec.count = 0;
  CHECK(refusal(spec) ==
        "/data/count: 0 examples of 64 features are out of range; 1 to 33554432 are allowed");
  spec.count = 99999999999;
  CHECK(refusal(spec).starts_with("/data/count: 99999999999 examples of 64 features"));
  spec.size = 5000;
  CHECK(refusal(spec) == "/data/size: 5000 is out of range; 1 to 4096 is allowed");
  spec = set_of("spiral");
  spec.noise = -1;
  CHECK(refusal(spec) == "/data/noise: -1 is no standard deviation; 0 or more is");
}

}  // namespace
}  // namespace jacquard::experiments
