#include "nn/activations.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"

using namespace jacquard;

namespace {

double phi(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

const std::map<std::string, double (*)(double)> kTruth = {
    {"identity", [](double x) { return x; }},
    {"linear", [](double x) { return x; }},
    {"sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
    {"tanh", [](double x) { return std::tanh(x); }},
    {"softplus", [](double x) { return x > 30 ? x : std::log1p(std::exp(x)); }},
    {"relu", [](double x) { return x > 0 ? x : 0; }},
    {"leaky_relu", [](double x) { return x > 0 ? x : 0.01 * x; }},
    {"elu", [](double x) { return x > 0 ? x : std::expm1(x); }},
    {"selu",
     [](double x) {
       return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * std::expm1(x));
     }},
    {"gelu", [](double x) { return x * phi(x); }},
    {"sin", [](double x) { return std::sin(x); }},
};

std::string error_of(auto&& call) {
  try {
    call();
    return "";
  } catch (const SpecError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("every activation of the table has the value of its formula") {
  const std::vector<double> points = {-800, -3.5, -1, -0.25, 0, 1e-9, 0.5, 2, 40, 800};
  std::set<std::string> seen;
  for (const nn::Activation& activation : nn::activations()) {
    const std::string name(activation.name);
    CAPTURE(name);
    REQUIRE(kTruth.contains(name));
    seen.insert(name);
    Tape tape;
    const Expr x = tape.input("x", {10});
    const Tensor<double> y = evaluate<double>(nn::activate(name, x), {{"x", {Shape{10}, points}}});
    for (std::size_t i = 0; i < points.size(); ++i) {
      CAPTURE(points[i]);
      CHECK(y.data[i] == doctest::Approx(kTruth.at(name)(points[i])).epsilon(1e-12));
    }
  }
  CHECK(seen.size() == kTruth.size());
}

TEST_CASE("identity and linear add no node to the tape") {
  Tape tape;
  const Expr x = tape.input("x", {3});
  CHECK(nn::activate("identity", x) == x);
  CHECK(nn::activate("linear", x) == x);
  CHECK(nn::is_identity(nn::find_activation("test", "linear")));
  CHECK_FALSE(nn::is_identity(nn::find_activation("test", "relu")));
}

TEST_CASE("an unknown activation is refused with the nearest one and all that there are") {
  CHECK(error_of([] { nn::find_activation("model/activation", "sigmiod"); }) ==
        "model/activation: unknown activation 'sigmiod'; did you mean 'sigmoid'? known "
        "activations: identity, linear, sigmoid, tanh, softplus, relu, leaky_relu, elu, selu, "
        "gelu, sin");
  CHECK(error_of([] { nn::find_activation("a", ""); }) ==
        "a: unknown activation ''; known activations: identity, linear, sigmoid, tanh, softplus, "
        "relu, leaky_relu, elu, selu, gelu, sin");
}
