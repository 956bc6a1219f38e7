// Where a training stands, beside its values: all that the next step depends on but for a
// minimizer's memory. What a checkpoint holds is the values and this, and the last one also that
// memory, so that going on from it is going on as if nothing had happened.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/safetensors.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

struct TrainingState {
  std::int64_t stage = 0;
  bool begun = false;            // the stage's parameters were measured before their first step
  bool ended = false;            // the stage has its last epoch behind it
  std::int64_t epoch = 0;        // epochs of the stage that are whole
  std::int64_t batch = 0;        // steps of the next one that are made
  std::uint64_t step = 0;        // steps made in all stages
  std::uint64_t stage_step = 0;  // steps made in this one

  double rate = 0;                                            // where the monitors drive it
  double watched = std::numeric_limits<double>::quiet_NaN();  // what it looked at last
  double best = std::numeric_limits<double>::quiet_NaN();     // of this stage; NaN: none yet
  std::int64_t best_epoch = 0;
  nlohmann::json stop = nlohmann::json::array();  // memories of the rules

  std::int64_t careful_steps = 0;  // made in the form that keeps the digits
  bool told_of_care = false;
  std::int64_t metrics_lines = 0, log_lines = 0;  // written so far
};

// A checkpoint: the values by name, what is to be kept beside them, and the state as text. No time,
// path, host or number of threads, so that equal trainings have equal bytes.
std::string checkpoint_bytes(const Values& values, const std::vector<SavedTensor>& more,
                             const TrainingState& state);

// What checkpoint_bytes wrote. Throws Error for a file without a state.
TrainingState training_state(const SafeTensors& checkpoint);

}  // namespace jacquard::experiments
