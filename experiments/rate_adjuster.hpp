// A rate that the monitors drive: Pylearn2's MonitorBasedLRAdjuster, its rules exactly.
#pragma once

#include <span>
#include <string>

#include "experiments/metrics.hpp"
#include "nn/choice.hpp"

namespace jacquard::experiments {

// A rate of kind "adjusted".
struct RateAdjuster {
  std::string of = {};      // name of a metric, lower is better; empty: the cost of the last set
  nn::Choice options = {};  // of adjuster_kind()
};

// One kind, "adjusted": from, high_trigger, shrink, low_trigger, grow, least, most.
const nn::Kind& adjuster_kind();

// With v the metric after this epoch and u after the one before: where v > high_trigger * u the
// rate is multiplied by shrink, else where v > low_trigger * u by grow; then it is brought into
// [least, most]. Where v or u is not a number it stays, but for the bounds.
double adjusted_rate(const RateAdjuster& adjuster, double rate, double v, double u);

}  // namespace jacquard::experiments
