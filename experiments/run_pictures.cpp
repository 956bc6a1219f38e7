#include "experiments/run_pictures.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "experiments/bound_plan.hpp"
#include "experiments/curves.hpp"
#include "experiments/data/preparation.hpp"
#include "experiments/picture.hpp"
#include "experiments/recording.hpp"
#include "experiments/vector_field.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::int64_t kMostExamples = 20;
// Noise of the pictures: a step that neither training nor monitors use.
constexpr std::uint64_t kPictureStep = std::uint64_t{1} << 63;

Tensor<float> transposed(const Tensor<float>& matrix) {
  const std::int64_t rows = matrix.shape[0], columns = matrix.shape[1];
  Tensor<float> result({columns, rows});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) result[j * rows + i] = matrix[i * columns + j];
  return result;
}

}  // namespace

std::filesystem::path RunPictures::save(const std::string& file, const std::string& bytes) {
  const std::string relative = "artifacts/" + file;
  folder.write(relative, bytes);
  return folder.path() / relative;
}

Shape RunPictures::image() const {
  return Shape(data.preparation ? data.preparation->image() : data.train.image);
}

Tensor<float> RunPictures::unprepared(const Tensor<float>& x,
                                      const std::vector<Tensor<float>>& removed) const {
  Tensor<float> shown = data.preparation ? data.preparation->inverse(x, &removed) : x;
  if (spec.data && !spec.data->scale)  // bytes as they are: 255 is white
    for (float& value : shown.data) value /= 255;
  return shown;
}

std::vector<std::filesystem::path> RunPictures::draw() {
  std::vector<std::filesystem::path> drawn;
  const auto x = inputs.find("x");
  if (x == inputs.end() || x->second.rank() != 1) return drawn;
  draw_filters(drawn);
  if (x->second[0] == 2)
    draw_field(drawn);
  else
    draw_reconstructions(drawn);
  return drawn;
}

void RunPictures::draw_filters(std::vector<std::filesystem::path>& drawn) {
  const std::int64_t features = inputs.at("x")[0];
  const std::vector<std::string>& chosen = spec.pictures.filters;
  for (const models::Parameter& p : spec.model.parameters) {
    if (p.shape.rank() != 2) continue;
    if (!chosen.empty() && std::ranges::find(chosen, p.name) == chosen.end()) continue;
    const bool columns = p.shape[0] == features;
    if (!columns && p.shape[1] != features) continue;
    Tensor<float> filters = columns ? transposed(values[p.name]) : values[p.name];
    if (data.preparation) filters = data.preparation->inverse_directions(filters);
    const Picture picture = filter_grid(filters, image(), 100, Units::kRows);
    const std::string file = drawn.empty() ? "filters.png" : "filters_" + p.name + ".png";
    drawn.push_back(save(file, to_png(picture)));
  }
}

const DataSet& RunPictures::shown() const {
  return data.valid.count() > 0 ? data.valid : data.train;
}

std::optional<RunPictures::Reconstructed> RunPictures::reconstruct(const DataSet& set,
                                                                   std::int64_t count) {
  if (count == 0) return std::nullopt;
  Problems problems(document);
  const Recording recording = record(spec, inputs, count, problems);
  if (!recording.reconstruction) return std::nullopt;
  Program program{{recording.reconstruction}, {}, {}};
  if (recording.corrupted) program.outputs.push_back(recording.corrupted);
  BoundPlan bound(recording, program, spec, spec.train ? spec.train->epochs : 0, values, pool);
  for (const auto& input : inputs)
    if (bound.plan.has_input(input.first) && !set.arrays.contains(input.first)) return std::nullopt;
  bound.read_from(set, count);
  bound.gather(0);
  bound.plan.run(spec.seed, kPictureStep);
  const Shape shape{count, inputs.at("x")[0]};
  const auto tensor = [&](std::span<const float> v) {
    return Tensor<float>(shape, std::vector<float>(v.begin(), v.end()));
  };
  Reconstructed result;
  result.originals = set.arrays.at("x").beginning(count).values();
  result.reconstructions = tensor(bound.plan.output(0));
  if (recording.corrupted) result.corrupted = tensor(bound.plan.output(1));
  return result;
}

void RunPictures::draw_reconstructions(std::vector<std::filesystem::path>& drawn) {
  const std::int64_t count = std::min(kMostExamples, shown().count());
  const std::optional<Reconstructed> made = reconstruct(shown(), count);
  if (!made) return;
  const std::vector<Tensor<float>>& removed = shown().removed;
  std::optional<Tensor<float>> corrupted;
  if (made->corrupted) corrupted = unprepared(*made->corrupted, removed);
  const Picture picture = reconstruction_grid(
      unprepared(made->originals, removed), corrupted ? &*corrupted : nullptr,
      unprepared(made->reconstructions, removed), image(), static_cast<int>(count));
  drawn.push_back(save("reconstructions.png", to_png(picture)));
}

void RunPictures::draw_field(std::vector<std::filesystem::path>& drawn) {
  if (shown().count() == 0) return;
  const Tensor<float> points = shown().arrays.at("x").values();
  const DataSet grid{shown().name, {{"x", field_grid(points)}}, {}};
  const std::optional<Reconstructed> made = reconstruct(grid, grid.count());
  if (!made) return;
  VectorField field{spec.name, points, made->corrupted.value_or(made->originals),
                    made->reconstructions};
  for (std::int64_t i = 0; i < field.arrows.size(); ++i) field.arrows[i] -= field.places[i];
  drawn.push_back(save("field.svg", vector_field_svg(field)));
}

void RunPictures::draw_curves(const std::vector<Metrics>& epochs) {
  Chart chart;
  chart.title = spec.name;
  chart.x_label = "epoch";
  chart.y_label = "cost";
  for (const char* set : {"train", "valid", "test"}) {
    Series series{cat(set, " cost"), {}, {}};
    for (std::size_t e = 0; e < epochs.size(); ++e)
      for (const auto& [name, value] : epochs[e])
        if (name == cat(set, "/cost")) {
          series.x.push_back(static_cast<double>(e));
          series.y.push_back(value);
        }
    if (!series.x.empty()) chart.series.push_back(std::move(series));
  }
  if (!chart.series.empty()) save("curves.svg", curves_svg(chart));
}

}  // namespace jacquard::experiments
