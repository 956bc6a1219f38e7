// The "train" section of a spec: how the cost is minimised, watched and ended.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "experiments/fields.hpp"
#include "experiments/precision.hpp"
#include "experiments/rate_adjuster.hpp"
#include "experiments/stop_rules.hpp"
#include "models/schedules.hpp"
#include "nn/constraints.hpp"

namespace jacquard::experiments {

// A number that may change while the training goes on.
struct ScheduledNumber {
  std::string text;                               // an expression of epoch and step
  std::optional<models::Schedule> schedule = {};  // what the text was made of
};

// Which epoch is the best one, and what becomes of it.
struct BestSpec {
  std::string of = {};   // name of a metric; empty: the cost of the last monitored set
  bool higher = false;   // higher is better
  bool restore = false;  // its parameters are those that the training ends with
};

struct TrainSpec {
  nn::Optimizer optimizer{"sgd", {}};        // of optimizer_kinds() or minimizer_kinds()
  Precision precision = Precision::kDouble;  // of the cost that a minimizer looks at
  ScheduledNumber rate{"0.1"};
  std::optional<RateAdjuster> adjuster;              // instead of `rate`
  std::map<std::string, ScheduledNumber> scheduled;  // options of the optimizer that change
  // By parameter:
  std::map<std::string, double> rates;          // factors of the rate
  std::map<std::string, double> decay;          // W shrinks by rate * decay * W in every step
  std::map<std::string, nn::NormBounds> norms;  // kept in bounds after every step
  std::vector<std::string> frozen;              // parameters that are not trained
  std::optional<std::int64_t> average_from;     // the epoch from which parameters are averaged
  std::int64_t batch = 100;                     // of optimizers; minimizers take the whole set
  std::int64_t epochs = 20;
  std::optional<double> seconds;  // no epoch begins after so long
  std::vector<StopRule> stop;     // any of them ends the training
  BestSpec best;
  std::vector<std::string> monitor_sets{"train", "valid"};
  std::int64_t monitor_batches = 0;  // the most batches of each set that monitors look at; 0: all
  std::int64_t save_freq = 1;        // checkpoints/last is written after so many epochs
};

// Reads the section. `pointers` learns where its expressions stand: "train/optimizer/rate".
TrainSpec read_train(Fields fields, std::map<std::string, std::string>& pointers);
nlohmann::ordered_json train_json(const TrainSpec& train);

// "train", "valid", "test"
const std::vector<std::string>& split_names();

}  // namespace jacquard::experiments
