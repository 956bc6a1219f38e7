#include "experiments/data/preparation.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kSteps = "steps";
constexpr const char* kImage = "image";

std::string place_of(std::size_t step) { return cat("/data/prepare/", step); }
std::string prefix_of(std::size_t step) { return cat(step, "."); }

const StepKind& kind_of(const nn::Choice& choice, const std::string& where) {
  nn::check_choice(where, preparation_kinds(), choice);
  const auto& kinds = step_kinds();
  return *std::find_if(kinds.begin(), kinds.end(),
                       [&](const StepKind& kind) { return kind.kind.name == choice.kind; });
}

}  // namespace

const std::vector<StepKind>& step_kinds() {
  static const std::vector<StepKind> kinds = [] {
    std::vector<StepKind> all = affine_step_kinds();
    all.push_back(contrast_step_kind());
    all.push_back(patches_step_kind());
    return all;
  }();
  return kinds;
}

std::span<const nn::Kind> preparation_kinds() {
  static const std::vector<nn::Kind> kinds = [] {
    std::vector<nn::Kind> all;
    for (const StepKind& kind : step_kinds()) all.push_back(kind.kind);
    return all;
  }();
  return kinds;
}

double step_option(const nn::Choice& choice, std::string_view name) {
  return nn::option(preparation_kinds(), choice, name);
}

PreparedShape prepared_shape(const std::vector<nn::Choice>& steps, PreparedShape x) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string where = place_of(i);
    const StepKind& kind = kind_of(steps[i], where);
    if (i > 0 && steps[i].kind == "patches")
      throw SpecError(cat(
          where, ": patches are cut before anything else is done; let this step be ", "the first"));
    x = kind.shape(steps[i], where, std::move(x));
  }
  return x;
}

Preparation::Preparation(const std::vector<nn::Choice>& steps, std::uint64_t seed, Splits& data)
    : choices_(steps) {
  const auto x = data.train.arrays.find("x");
  if (x == data.train.arrays.end() || x->second.shape().rank() != 2)
    throw SpecError("/data/prepare: there is no array x of numbers per example to prepare");
  prepared_shape(steps, {x->second.row(), data.train.image});
  image_ = data.train.image;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string where = place_of(i);
    steps_.push_back(kind_of(steps[i], where).fit({steps[i], x->second, seed, where}));
    steps_.back()->apply(data.train, "train");
    steps_.back()->apply(data.valid, "valid");
    steps_.back()->apply(data.test, "test");
    if (steps[i].kind == "patches") image_ = data.train.image;
  }
}

Preparation::Preparation(const SafeTensors& saved) {
  try {
    for (const Json& step : Json::parse(saved.metadata.at(kSteps))) {
      nn::Choice choice{step.at("kind").get<std::string>()};
      for (const auto& [name, value] : step.items())
        if (name != "kind") choice.options[name] = value.get<double>();
      choices_.push_back(std::move(choice));
    }
    image_ = Json::parse(saved.metadata.at(kImage)).get<std::vector<std::int64_t>>();
  } catch (const std::exception& error) {
    throw Error(cat("preparation: the file does not describe its steps: ", error.what()));
  }
  for (std::size_t i = 0; i < choices_.size(); ++i)
    steps_.push_back(kind_of(choices_[i], place_of(i)).load(choices_[i], prefix_of(i), saved));
}

SafeTensors Preparation::saved() const {
  SafeTensors file;
  Json steps = Json::array();
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    Json step{{"kind", choices_[i].kind}};
    for (const auto& [name, value] : choices_[i].options) step[name] = value;
    steps.push_back(std::move(step));
    steps_[i]->save(prefix_of(i), file);
  }
  file.metadata[kSteps] = steps.dump();
  file.metadata[kImage] = Json(image_).dump();
  return file;
}

void Preparation::apply(DataSet& data, const std::string& part) const {
  for (const auto& step : steps_) step->apply(data, part);
}

Tensor<float> Preparation::inverse(Tensor<float> x,
                                   const std::vector<Tensor<float>>* removed) const {
  std::size_t taken = removed ? removed->size() : 0;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
    const bool gives_back = removed && (*step)->removes() > 0;
    x = (*step)->inverse(x, gives_back ? &(*removed)[--taken] : nullptr);
  }
  return x;
}

Tensor<float> Preparation::inverse_directions(Tensor<float> directions) const {
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
    directions = (*step)->inverse_directions(directions);
  return directions;
}

}  // namespace jacquard::experiments
