#include "experiments/base_point.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "autodiff/philox.hpp"
#include "autodiff/print.hpp"
#include "experiments/data.hpp"
#include "experiments/failure.hpp"
#include "experiments/source_text.hpp"
#include "models/model.hpp"

namespace jacquard::experiments {
namespace {

constexpr double kNoise = 0.1;
constexpr double kClasses = 10;  // of labels of which nothing is known

// A check holds a few copies of every parameter in quad precision.
constexpr std::int64_t kBytesPerNumber = 4 * 16;

void check_memory(const Spec& spec) {
  std::int64_t numbers = 0;
  for (const models::Parameter& p : spec.model.parameters) numbers += p.shape.size();
  const auto bytes = static_cast<double>(numbers) * kBytesPerNumber;
  if (bytes > static_cast<double>(spec.memory_limit))
    throw SpecError(cat("check: ", numbers, " parameters need ", with_prefix(bytes, "B"),
                        " in quad precision; memory_limit_gb allows ",
                        with_prefix(static_cast<double>(spec.memory_limit), "B")));
}

void add_noise(Tensor<double>& value, const std::string& name, std::uint64_t seed) {
  double squares = 0;
  for (const double v : value.data) squares += v * v;
  const double size = static_cast<double>(std::max<std::int64_t>(1, value.size()));
  const double scale = squares > 0 ? kNoise * std::sqrt(squares / size) : kNoise;
  std::vector<double> noise(value.data.size());
  fill_normal(std::span<double>(noise), seed, "check/noise/" + name, 0);
  for (std::size_t i = 0; i < noise.size(); ++i) value.data[i] += scale * noise[i];
}

Shape batch_of(std::int64_t examples, const Shape& example) {
  std::vector<std::int64_t> sizes{examples};
  sizes.insert(sizes.end(), example.begin(), example.end());
  return Shape(std::move(sizes));
}

Tensor<double> random_input(const Spec& spec, const std::string& name, const Shape& shape,
                            std::uint64_t seed) {
  const auto declared = spec.inputs.find(name);
  const bool whole = name == "labels";
  double low = 0, high = whole ? kClasses - 1 : 1;
  if (declared != spec.inputs.end()) {
    low = declared->second.low;
    high = declared->second.high;
  }
  Tensor<double> value(shape);
  fill_uniform(std::span<double>(value.data), seed, "check/input/" + name, 0);
  for (double& v : value.data)
    v = whole ? std::floor(low + v * (high - low + 1)) : low + v * (high - low);
  return value;
}

bool is_missing(const std::string& set) {
  const std::vector<DataListing> sets = data_list();
  const auto found = std::ranges::find(sets, set, &DataListing::name);
  return found != sets.end() && found->state.starts_with("missing");
}

// The first examples of the training part, if the data set is there.
std::optional<DataSet> first_examples(const Spec& spec, std::int64_t examples, Talk& talk) {
  if (!spec.data) return std::nullopt;
  if (is_missing(spec.data->set)) {
    talk.say(cat("the data set ", spec.data->set, " is missing: the check uses random inputs ",
                 "instead (jacquard data get ", spec.data->set, " brings it)"));
    return std::nullopt;
  }
  DataSpec data = *spec.data;
  // Preparation is fitted on the whole training part.
  if (data.prepare.empty()) data.limit = std::min(data.limit.value_or(examples), examples);
  DataSet train = load_data(data, spec.seed).train;
  if (train.count() < examples)
    throw UsageError(cat("--examples ", examples, ": the training part has only ", train.count()));
  for (auto& entry : train.arrays) entry.second = entry.second.beginning(examples);
  return train;
}

}  // namespace

BasePoint base_point(const Spec& spec, const std::map<std::string, Shape>& example_shapes,
                     std::int64_t examples, std::uint64_t seed, Talk& talk) {
  check_memory(spec);
  BasePoint point{models::initial_values(spec.model, spec.seed), "random inputs"};
  for (auto& [name, value] : point.values) add_noise(value, name, seed);
  const std::optional<DataSet> data = first_examples(spec, examples, talk);
  if (data) point.inputs = data->name;
  for (const auto& [name, example] : example_shapes) {
    const Shape shape = batch_of(examples, example);
    if (data && data->arrays.contains(name))
      point.values[name] = cast<double>(data->arrays.at(name).values());
    else
      point.values[name] = random_input(spec, name, shape, seed);
  }
  point.values["epoch"] = Tensor<double>({}, 1.0);
  point.values["step"] = Tensor<double>({}, 0.0);
  return point;
}

}  // namespace jacquard::experiments
