#include "experiments/stages.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "experiments/recording.hpp"

namespace jacquard::experiments {
namespace {

// The shapes of the examples of cached definitions. They are recorded for a batch of a size that no
// other axis is likely to have by chance.
std::map<std::string, Shape> cached_shapes(const Spec& stage, const std::vector<std::string>& names,
                                           const std::string& pointer, Problems& problems) {
  constexpr std::int64_t kBatch = 3;
  const auto where = [&](std::size_t i) { return cat(pointer, "/cached/", i); };
  std::vector<std::pair<std::string, std::string>> texts;
  for (std::size_t i = 0; i < names.size(); ++i)
    if (std::ranges::any_of(stage.model.define, [&](const auto& d) { return d.first == names[i]; }))
      texts.emplace_back(where(i), names[i]);
    else
      problems.add(where(i), cat("there is no definition '", names[i], "'"),
                   "name one of the model's definitions");
  const std::vector<Shape> recorded =
      recorded_shapes(model_alone(stage), example_shapes(stage), kBatch, texts, problems);
  std::map<std::string, Shape> shapes;
  if (!problems.empty()) return shapes;  // what a definition says may be wrong
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Shape& shape = recorded[i];
    if (shape.rank() == 0 || shape[0] != kBatch) {
      problems.add(where(i), cat("'", names[i], "' has not one value for each example"),
                   "cache definitions whose first axis is the batch");
      continue;
    }
    const std::vector<std::int64_t> sizes = shape.sizes();
    shapes[names[i]] = Shape(std::vector<std::int64_t>(sizes.begin() + 1, sizes.end()));
  }
  return shapes;
}

}  // namespace

std::size_t stage_count(const Spec& spec) { return std::max<std::size_t>(1, spec.stages.size()); }

Spec stage_of(const Spec& spec, std::size_t index, Problems& problems) {
  if (spec.stages.empty()) return spec;
  const StageSpec& from = spec.stages.at(index);
  Spec stage = spec;
  stage.stages.clear();
  if (from.data) stage.data = from.data;
  stage.cost = from.cost;
  stage.monitors.insert(stage.monitors.end(), from.monitors.begin(), from.monitors.end());
  stage.train = from.train;
  stage.pointers.insert(from.pointers.begin(), from.pointers.end());
  if (from.cached.empty()) return stage;
  const auto shapes = cached_shapes(stage, from.cached, cat("/stages/", index), problems);
  for (const auto& cached : shapes) {
    std::erase_if(stage.model.define, [&](const auto& d) { return d.first == cached.first; });
    stage.inputs[cached.first] = {cached.second};
  }
  return stage;
}

Spec last_stage(const Spec& spec, Problems& problems) {
  Spec uncached = spec;
  for (StageSpec& stage : uncached.stages) stage.cached.clear();
  return stage_of(uncached, stage_count(uncached) - 1, problems);
}

std::string stage_prefix(const Spec& spec, std::size_t index) {
  return spec.stages.empty() ? "" : spec.stages.at(index).name + ": ";
}

}  // namespace jacquard::experiments
