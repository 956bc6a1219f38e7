// When a training ends: rules over what the monitors measured, each with a memory that is saved
// with the training.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "experiments/metrics.hpp"
#include "nn/choice.hpp"

namespace jacquard::experiments {

// One rule, or several of which any or all must hold.
//
//   no_improvement  the best of the last `checks` is not better than the best before them by more
//                   than `by` of it
//   countdown       Pylearn2's MonitorBased: a check that is better than (1 - decrease) times the
//                   best of all so far sets the count to `checks`, any other lowers it by 1; the
//                   rule holds at 0. Small gains become the best without resetting the count.
//   target          the number has reached `value`
//
// Lower is better unless `higher`. What is not a number never is an improvement and no target.
struct StopRule {
  nn::Choice rule;  // its kind "any" or "all" for several
  std::string of;   // name of a metric
  bool higher = false;
  std::vector<StopRule> rules;  // of "any" and "all"
};

std::span<const nn::Kind> stop_rule_kinds();

// "valid/cost did not improve for 10 checks", for people.
std::string stop_text(const StopRule& rule);

// A rule with its memory.
class StopCheck {
 public:
  virtual ~StopCheck() = default;
  // Looks at the metrics of one more check, also of those after it held for the first time. Does
  // the rule hold?
  virtual bool check(const Metrics& metrics) = 0;
  // The memory; `restore` takes what `memory` gave, and throws Error for anything else.
  virtual nlohmann::json memory() const = 0;
  virtual void restore(const nlohmann::json& memory) = 0;
};

std::unique_ptr<StopCheck> make_stop_check(const StopRule& rule);

}  // namespace jacquard::experiments
