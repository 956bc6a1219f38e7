#include "experiments/data/generated.hpp"

#include <cmath>
#include <numbers>

#include "autodiff/error.hpp"
#include "autodiff/philox.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::int64_t kMaxSide = 4096;
constexpr std::int64_t kMaxNumbers = std::int64_t{1} << 31;  // 8 GiB of floats

using Shapes = std::map<std::string, Shape>;

Shapes bars_shapes(const DataSpec& spec) { return {{"x", {spec.size * spec.size}}}; }
Shapes gaussian_shapes(const DataSpec& spec) { return {{"x", {spec.size}}}; }
Shapes spiral_shapes(const DataSpec&) { return {{"x", {2}}, {"position", {}}}; }
Shapes swiss_roll_shapes(const DataSpec&) { return {{"x", {3}}, {"position", {2}}}; }

std::vector<std::int64_t> no_image(const DataSpec&) { return {}; }
std::vector<std::int64_t> bars_image(const DataSpec& spec) { return {spec.size, spec.size}; }

DataSet bars(const DataSpec& spec, std::uint64_t seed) {
  const std::int64_t side = spec.size;
  const float probability = 1 / static_cast<float>(side);
  Tensor<float> x({spec.count, side * side});
  std::vector<float> draws(static_cast<std::size_t>(2 * side));  // one for each bar of an example
  for (std::int64_t example = 0; example < spec.count; ++example) {
    fill_uniform<float>(draws, seed, "data/bars", 0,
                        static_cast<std::uint64_t>(example) * draws.size());
    const auto light = [&](std::int64_t row, std::int64_t column) {
      x[(example * side + row) * side + column] = 1;
    };
    for (std::int64_t line = 0; line < side; ++line)
      for (std::int64_t k = 0; k < side; ++k) {
        if (draws[static_cast<std::size_t>(line)] < probability) light(line, k);
        if (draws[static_cast<std::size_t>(side + line)] < probability) light(k, line);
      }
  }
  return {"bars", {{"x", std::move(x)}}, {side, side}};
}

DataSet gaussian(const DataSpec& spec, std::uint64_t seed) {
  Tensor<float> x({spec.count, spec.size});
  fill_normal<float>(x.data, seed, "data/gaussian", 0);
  for (std::int64_t i = 0; i < x.size(); ++i) x[i] /= static_cast<float>(1 + i % spec.size);
  return {"gaussian", {{"x", std::move(x)}}, {}};
}

DataSet spiral(const DataSpec& spec, std::uint64_t seed) {
  Tensor<float> x({spec.count, 2});
  fill_normal<float>(x.data, seed, "data/spiral", 0);
  Tensor<float> position({spec.count});
  std::vector<double> draws(static_cast<std::size_t>(spec.count));
  fill_uniform<double>(draws, seed, "data/spiral", 0);
  for (std::int64_t i = 0; i < spec.count; ++i) {
    const double t = 3 + 12 * draws[static_cast<std::size_t>(i)];
    position[i] = static_cast<float>(t);
    x[2 * i] = static_cast<float>(0.04 * t * std::sin(t) + spec.noise * x[2 * i]);
    x[2 * i + 1] = static_cast<float>(0.04 * t * std::cos(t) + spec.noise * x[2 * i + 1]);
  }
  return {"spiral", {{"x", std::move(x)}, {"position", std::move(position)}}, {}};
}

DataSet swiss_roll(const DataSpec& spec, std::uint64_t seed) {
  Tensor<float> x({spec.count, 3});
  fill_normal<float>(x.data, seed, "data/swiss_roll", 0);
  Tensor<float> position({spec.count, 2});
  std::vector<double> draws(static_cast<std::size_t>(2 * spec.count));
  fill_uniform<double>(draws, seed, "data/swiss_roll", 0);
  for (std::int64_t i = 0; i < spec.count; ++i) {
    const double t = std::numbers::pi * (1.5 + 3 * draws[static_cast<std::size_t>(2 * i)]);
    const double u = draws[static_cast<std::size_t>(2 * i + 1)];
    position[2 * i] = static_cast<float>(t);
    position[2 * i + 1] = static_cast<float>(u);
    const double point[] = {0.04 * t * std::cos(t), 0.84 * u, 0.04 * t * std::sin(t)};
    for (std::int64_t k = 0; k < 3; ++k)
      x[3 * i + k] = static_cast<float>(point[k] + spec.noise * x[3 * i + k]);
  }
  return {"swiss_roll", {{"x", std::move(x)}, {"position", std::move(position)}}, {}};
}

}  // namespace

const std::vector<GeneratedSet>& generated_sets() {
  static const std::vector<GeneratedSet> sets = {
      {"bars", "images of lit rows and columns", {"size"}, bars_shapes, bars_image, bars},
      {"gaussian",
       "normal features with standard deviations 1, 1/2, 1/3, ...",
       {"size"},
       gaussian_shapes,
       no_image,
       gaussian},
      {"spiral", "points near a spiral in the plane", {"noise"}, spiral_shapes, no_image, spiral},
      {"swiss_roll",
       "points near a rolled-up rectangle in space",
       {"noise"},
       swiss_roll_shapes,
       no_image,
       swiss_roll}};
  return sets;
}

const GeneratedSet* find_generated_set(std::string_view name) {
  for (const GeneratedSet& set : generated_sets())
    if (set.name == name) return &set;
  return nullptr;
}

void check_generated(const GeneratedSet& set, const DataSpec& spec) {
  if (spec.size < 1 || spec.size > kMaxSide)
    throw SpecError(
        cat("/data/size: ", spec.size, " is out of range; 1 to ", kMaxSide, " is allowed"));
  const std::int64_t features = set.shapes(spec).at("x").size(), most = kMaxNumbers / features;
  if (spec.count < 1 || spec.count > most)
    throw SpecError(cat("/data/count: ", spec.count, " examples of ", features,
                        " features are out of range; 1 to ", most, " are allowed"));
  if (!(spec.noise >= 0) || !std::isfinite(spec.noise))
    throw SpecError(cat("/data/noise: ", spec.noise, " is no standard deviation; 0 or more is"));
}

}  // namespace jacquard::experiments
