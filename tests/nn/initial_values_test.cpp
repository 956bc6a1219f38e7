#include "nn/initial_values.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autodiff/error.hpp"

using namespace jacquard;
using nn::initial_value;
using nn::Initializer;

namespace {

struct Moments {
  double mean = 0, variance = 0, low = 0, high = 0;
};

Moments moments(const Tensor<double>& t) {
  Moments m;
  m.low = *std::ranges::min_element(t.data);
  m.high = *std::ranges::max_element(t.data);
  for (const double v : t.data) m.mean += v / static_cast<double>(t.size());
  for (const double v : t.data)
    m.variance += (v - m.mean) * (v - m.mean) / static_cast<double>(t.size());
  return m;
}

std::string error_of(const Initializer& initializer) {
  try {
    initial_value(initializer, {2, 2}, 1, "W");
    return "";
  } catch (const SpecError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("constants fill the tensor and take no draw") {
  CHECK(initial_value({"zeros"}, {2, 3}, 1, "W") == Tensor<double>({2, 3}, 0.0));
  CHECK(initial_value({"ones"}, {3}, 1, "W") == Tensor<double>(Shape{3}, 1.0));
  CHECK(initial_value({"constant", {{"value", -0.5}}}, {}, 1, "W") == Tensor<double>({}, -0.5));
  CHECK(initial_value({"ones"}, {0, 3}, 1, "W").size() == 0);
}

TEST_CASE("drawn initial values have the mean and the variance of their kind") {
  const Shape shape{300, 500};  // 150,000 numbers: the mean of squares is known to 0.4 %
  struct Case {
    Initializer initializer;
    double mean, variance;
    bool bounded;
  };
  const std::vector<Case> cases = {
      {{"uniform", {{"low", -1}, {"high", 3}}}, 1, 16.0 / 12, true},
      {{"normal", {{"std", 0.1}}}, 0, 0.01, false},
      {{"normal", {{"std", 2}, {"mean", 5}}}, 5, 4, false},
      {{"glorot_uniform"}, 0, 2.0 / 800, true},
      {{"glorot_normal"}, 0, 2.0 / 800, false},
      {{"he_uniform"}, 0, 2.0 / 300, true},
      {{"he_normal"}, 0, 2.0 / 300, false},
      {{"lecun_uniform"}, 0, 1.0 / 300, true},
      {{"lecun_normal"}, 0, 1.0 / 300, false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.initializer.kind);
    const Moments m = moments(initial_value(c.initializer, shape, 7, "W"));
    CHECK(std::abs(m.mean - c.mean) < 5 * std::sqrt(c.variance / 150000));
    CHECK(m.variance == doctest::Approx(c.variance).epsilon(0.02));
    const double bound = std::sqrt(3 * c.variance);
    if (c.bounded) {
      CHECK(m.low >= c.mean - bound);
      CHECK(m.high <= c.mean + bound);
      CHECK(m.high - m.low > 1.99 * bound);
    } else {
      CHECK(m.high > c.mean + 3.5 * std::sqrt(c.variance));
    }
  }
}

TEST_CASE("the default is glorot_uniform for two and more axes and zeros else") {
  CHECK(initial_value({}, {4, 5}, 3, "W") == initial_value({"glorot_uniform"}, {4, 5}, 3, "W"));
  CHECK(initial_value({}, {2, 4, 5}, 3, "W") ==
        initial_value({"glorot_uniform"}, {2, 4, 5}, 3, "W"));
  CHECK(initial_value({}, {5}, 3, "b") == Tensor<double>(Shape{5}, 0.0));
  CHECK(initial_value({}, {}, 3, "b") == Tensor<double>({}, 0.0));
}

TEST_CASE("leading axes multiply both fans") {
  // inputs 2 * 3, outputs 2 * 5: the bound is sqrt(6 / 16).
  const Moments m = moments(initial_value({"glorot_uniform"}, {2, 3, 5}, 1, "K"));
  CHECK(std::max(-m.low, m.high) <= std::sqrt(6.0 / 16));
  CHECK(std::max(-m.low, m.high) > 0.8 * std::sqrt(6.0 / 16));
  const Moments v = moments(initial_value({"he_uniform"}, {1000}, 1, "v"));
  CHECK(v.high <= std::sqrt(6.0 / 1000));
  CHECK(v.high > 0.98 * std::sqrt(6.0 / 1000));
}

TEST_CASE("a parameter's values depend on seed, name and kind, not on other parameters") {
  const Initializer normal{"normal", {{"std", 1}}};
  const Tensor<double> w = initial_value(normal, {4, 4}, 1, "W");
  CHECK(w == initial_value(normal, {4, 4}, 1, "W"));
  CHECK_FALSE(w == initial_value(normal, {4, 4}, 2, "W"));
  CHECK_FALSE(w == initial_value(normal, {4, 4}, 1, "V"));
  // A parameter that grows by rows keeps the values it had: one draw, row by row.
  const Tensor<double> taller = initial_value(normal, {8, 4}, 1, "W");
  CHECK(std::equal(w.data.begin(), w.data.end(), taller.data.begin()));
}

TEST_CASE("an initializer that is not valid is refused with what is allowed") {
  CHECK(error_of({"glorot_unifrom"}) ==
        "initial value of 'W': unknown kind 'glorot_unifrom'; did you mean 'glorot_uniform'? known "
        "kinds: zeros, ones, constant, uniform, normal, glorot_uniform, glorot_normal, he_uniform, "
        "he_normal, lecun_uniform, lecun_normal");
  CHECK(error_of({"uniform", {{"low", 0}}}) ==
        "initial value of 'W': 'uniform' needs the option 'high' (upper bound)");
  CHECK(error_of({"uniform", {{"low", 1}, {"high", 0}}}) ==
        "initial value of 'W': low = 1 is above high = 0");
  CHECK(error_of({"normal", {{"std", -1}}})
            .starts_with(
                "initial value of 'W': std = -1 is out of range; it must lie between 0 and "));
  CHECK(error_of({"normal", {{"sdt", 1}}}) ==
        "initial value of 'W': 'normal' has no option 'sdt'; did you mean 'std'? known options: "
        "std, mean");
  CHECK(error_of({"zeros", {{"value", 1}}}) ==
        "initial value of 'W': 'zeros' has no option 'value'; known options: none");
  CHECK(error_of({"constant", {{"value", std::nan("")}}}).find("out of range") !=
        std::string::npos);
  CHECK(error_of({"", {{"std", 1}}}).find("'glorot_uniform' has no option 'std'") !=
        std::string::npos);
}

TEST_CASE("every kind of the table gives finite values with its defaults") {
  for (const nn::Kind& kind : nn::initializer_kinds()) {
    CAPTURE(kind.name);
    Initializer initializer{std::string(kind.name)};
    for (const nn::Option& option : kind.options)
      if (!option.fallback) initializer.options[std::string(option.name)] = 0.5;
    for (const Shape& shape : {Shape{}, Shape{0}, Shape{3}, Shape{0, 3}, Shape{2, 3, 4}})
      for (const double v : initial_value(initializer, shape, 1, "W").data) CHECK(std::isfinite(v));
  }
}
