#include "nn/initial_values.hpp"

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "autodiff/attribute.hpp"
#include "autodiff/error.hpp"
#include "autodiff/philox.hpp"

namespace jacquard::nn {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();

struct Fans {
  double in = 1, out = 1;
};

Fans fans(const Shape& shape) {
  const int rank = shape.rank();
  if (rank == 0) return {};
  double field = 1;
  for (int i = 0; i + 2 < rank; ++i) field *= static_cast<double>(shape[i]);
  const auto size = [&](int axis) { return field * static_cast<double>(shape[axis]); };
  return {size(rank == 1 ? 0 : rank - 2), size(rank - 1)};
}

// What a family of Glorot's kind divides by, so that its variance is gain / this.
using FanRule = double (*)(const Fans&);
struct Family {
  double gain;
  FanRule fan;
};

// Glorot and Bengio 2010, eq. 16; He et al. 2015, eq. 10; LeCun et al. 1998, eq. 16.
const std::map<std::string, Family, std::less<>>& families() {
  static const std::map<std::string, Family, std::less<>> table = {
      {"glorot", {1.0, [](const Fans& f) { return (f.in + f.out) / 2; }}},
      {"he", {2.0, [](const Fans& f) { return f.in; }}},
      {"lecun", {1.0, [](const Fans& f) { return f.in; }}},
  };
  return table;
}

void draw_uniform(Tensor<double>& values, double low, double high, std::uint64_t seed,
                  const std::string& stream) {
  fill_uniform(std::span<double>(values), seed, stream, 0);
  // Written so that no sum overflows for bounds of any size.
  for (double& value : values.data) value = low * (1 - value) + high * value;
}

void draw_normal(Tensor<double>& values, double mean, double deviation, std::uint64_t seed,
                 const std::string& stream) {
  fill_normal(std::span<double>(values), seed, stream, 0);
  for (double& value : values.data) value = mean + deviation * value;
}

}  // namespace

std::span<const Kind> initializer_kinds() {
  static const std::vector<Kind> kinds = {
      {"zeros", "0"},
      {"ones", "1"},
      {"constant", "one number", {{"value", {}, -kLargest, kLargest, "the number"}}},
      {"uniform",
       "uniform between low and high",
       {{"low", {}, -kLargest, kLargest, "lower bound"},
        {"high", {}, -kLargest, kLargest, "upper bound"}}},
      {"normal",
       "normal around mean",
       {{"std", {}, 0, kLargest, "standard deviation"},
        {"mean", 0.0, -kLargest, kLargest, "mean"}}},
      {"glorot_uniform", "uniform, variance 2 / (inputs + outputs)"},
      {"glorot_normal", "normal, variance 2 / (inputs + outputs)"},
      {"he_uniform", "uniform, variance 2 / inputs"},
      {"he_normal", "normal, variance 2 / inputs"},
      {"lecun_uniform", "uniform, variance 1 / inputs"},
      {"lecun_normal", "normal, variance 1 / inputs"},
  };
  return kinds;
}

Initializer resolved(const Initializer& initializer, const Shape& shape) {
  if (!initializer.kind.empty()) return initializer;
  return {shape.rank() >= 2 ? "glorot_uniform" : "zeros", initializer.options};
}

void check_initializer(std::string_view where, const Initializer& initializer) {
  if (initializer.kind.empty() && initializer.options.empty()) return;
  check_choice(where, initializer_kinds(), initializer);
  if (initializer.kind != "uniform") return;
  const double low = option(initializer_kinds(), initializer, "low");
  const double high = option(initializer_kinds(), initializer, "high");
  if (low > high)
    throw SpecError(
        cat(where, ": low = ", number_text(low), " is above high = ", number_text(high)));
}

Tensor<double> initial_value(const Initializer& initializer, const Shape& shape, std::uint64_t seed,
                             std::string_view parameter) {
  const std::string where = cat("initial value of '", parameter, "'");
  const Initializer chosen = resolved(initializer, shape);
  check_initializer(where, chosen);
  const auto number = [&](std::string_view name) {
    return option(initializer_kinds(), chosen, name);
  };
  const std::string stream = cat("initial/", parameter);
  Tensor<double> values(shape);
  const std::string& kind = chosen.kind;
  if (kind == "ones") values = Tensor<double>(shape, 1.0);
  if (kind == "constant") values = Tensor<double>(shape, number("value"));
  if (kind == "uniform") draw_uniform(values, number("low"), number("high"), seed, stream);
  if (kind == "normal") draw_normal(values, number("mean"), number("std"), seed, stream);
  const std::size_t split = kind.find('_');
  const auto family = families().find(std::string_view(kind).substr(0, split));
  if (family != families().end() && values.size() > 0) {
    const double variance = family->second.gain / family->second.fan(fans(shape));
    const double bound = std::sqrt(3 * variance);  // of the uniform distribution of this variance
    if (kind.substr(split) == "_uniform")
      draw_uniform(values, -bound, bound, seed, stream);
    else
      draw_normal(values, 0, std::sqrt(variance), seed, stream);
  }
  return values;
}

}  // namespace jacquard::nn
