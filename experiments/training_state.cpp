#include "experiments/training_state.hpp"

#include <cmath>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

using nlohmann::json;

constexpr const char* kKey = "training";

// JSON has only finite numbers; a number's text reads back as the same number.
json number_json(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return value;
}
double number_of(const json& value) {
  if (!value.is_string()) return value.get<double>();
  const std::string text = value;
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  return text == "inf" ? std::numeric_limits<double>::infinity()
                       : -std::numeric_limits<double>::infinity();
}

json state_json(const TrainingState& s) {
  return {{"stage", s.stage},
          {"begun", s.begun},
          {"ended", s.ended},
          {"epoch", s.epoch},
          {"batch", s.batch},
          {"step", s.step},
          {"stage_step", s.stage_step},
          {"rate", number_json(s.rate)},
          {"watched", number_json(s.watched)},
          {"best", number_json(s.best)},
          {"best_epoch", s.best_epoch},
          {"stop", s.stop},
          {"careful_steps", s.careful_steps},
          {"told_of_care", s.told_of_care},
          {"metrics_lines", s.metrics_lines},
          {"log_lines", s.log_lines}};
}

}  // namespace

std::string checkpoint_bytes(const Values& values, const std::vector<SavedTensor>& more,
                             const TrainingState& state) {
  SafeTensors content;
  content.tensors = more;
  for (const auto& [name, value] : values.all()) content.tensors.push_back({name, value});
  content.metadata = {{"epoch", std::to_string(state.epoch)},
                      {"step", std::to_string(state.step)},
                      {kKey, state_json(state).dump()}};
  return safetensors_bytes(content);
}

TrainingState training_state(const SafeTensors& checkpoint) {
  const auto text = checkpoint.metadata.find(kKey);
  if (text == checkpoint.metadata.end())
    throw Error("the checkpoint does not say where its training stood");
  try {
    const json j = json::parse(text->second);
    TrainingState s;
    s.stage = j.at("stage");
    s.begun = j.at("begun");
    s.ended = j.at("ended");
    s.epoch = j.at("epoch");
    s.batch = j.at("batch");
    s.step = j.at("step");
    s.stage_step = j.at("stage_step");
    s.rate = number_of(j.at("rate"));
    s.watched = number_of(j.at("watched"));
    s.best = number_of(j.at("best"));
    s.best_epoch = j.at("best_epoch");
    s.stop = j.at("stop");
    s.careful_steps = j.at("careful_steps");
    s.told_of_care = j.at("told_of_care");
    s.metrics_lines = j.at("metrics_lines");
    s.log_lines = j.at("log_lines");
    return s;
  } catch (const json::exception& error) {
    throw Error(cat("the checkpoint's state of the training cannot be read: ", error.what()));
  }
}

}  // namespace jacquard::experiments
