// One stage of a training at work: its data, its step, its monitors, and what they lead to.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "experiments/data.hpp"
#include "experiments/metrics.hpp"
#include "experiments/monitors.hpp"
#include "experiments/stop_rules.hpp"
#include "experiments/training_step.hpp"

namespace jacquard::experiments {

// Notes what is wrong in the texts and names of the stages, each alone and together: a parameter
// that no stage trains.
void check_stages(const std::vector<Spec>& stages, Problems& problems);

// Notes a batch that is larger than the training part.
void check_stage_data(const Spec& stage, const Splits& data, Problems& problems);

struct StageContext {
  const Spec& whole;  // the spec with all its stages
  const Spec& stage;  // stage_of() it
  std::size_t index;
  const Splits& data;  // without what the stage caches
  Values& values;
  ThreadPool& pool;
  Problems& problems;
};

// What one look of the monitors gave and led to.
struct StageLook {
  Metrics metrics;
  std::string shown;  // for people
  bool is_best = false;
  std::string why_ended;  // empty while the stage goes on, or where its epochs are over
};

class StageTraining {
 public:
  // Computes what the stage caches, plans its step and its monitors.
  explicit StageTraining(const StageContext& context);
  StageTraining(const StageTraining&) = delete;
  StageTraining& operator=(const StageTraining&) = delete;

  // The state of a stage that has not begun.
  void set_first_state(TrainingState& state) const;
  // Takes the memories of rules from the state and what the step kept from the checkpoint, if there
  // is one.
  void restore(const TrainingState& state, const SafeTensors* checkpoint);

  TrainingStep& step() { return *step_; }
  const TrainSpec& train() const { return *c_.stage.train; }
  const std::map<std::string, Shape>& inputs() const { return inputs_; }
  const Splits& data() const { return cached_ ? *cached_ : c_.data; }
  std::int64_t examples() const { return data().train.count(); }
  std::vector<SavedTensor> saved() const { return step_->saved(); }

  // Measures every set after `state.epoch` epochs; then the rate, the best and the end of the stage
  // follow from it in the state.
  StageLook look(TrainingState& state);
  // The rate of the last step; nothing for minimizers.
  std::optional<double> rate(const TrainingState& state) const;

 private:
  void compute_cached();
  void make_monitors();
  Metrics measure(const TrainingState& state, std::string& shown);
  double watched(const Metrics& metrics, const std::string& of) const;

  StageContext c_;
  std::map<std::string, Shape> inputs_;
  std::optional<Splits> cached_;  // the data with what is cached
  std::unique_ptr<TrainingStep> step_;
  std::vector<std::pair<std::string, std::unique_ptr<Monitor>>> monitors_;
  std::string usual_metric_;                      // where none is named: the cost of the last set
  std::vector<StopRule> rules_;                   // each with the metric that it looks at
  std::vector<std::unique_ptr<StopCheck>> stop_;  // the same with their memories
};

}  // namespace jacquard::experiments
