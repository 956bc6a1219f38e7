#include "experiments/rate_adjuster.hpp"

#include <algorithm>

namespace jacquard::experiments {

const nn::Kind& adjuster_kind() {
  static const nn::Kind kind = {
      "adjusted",
      "shrinks where a metric got worse, grows where it got hardly better",
      {{"from", {}, 1e-12, 1e6, "the first rate"},
       {"high_trigger", 1.0, 0, 1e6, "shrinks above this share of the metric before"},
       {"shrink", 0.99, 1e-6, 1, "factor of the rate"},
       {"low_trigger", 0.99, 0, 1e6, "grows above this share of the metric before"},
       {"grow", 1.01, 1, 1e6, "factor of the rate"},
       {"least", 1e-7, 0, 1e6, "the least rate"},
       {"most", 1.0, 0, 1e6, "the largest rate"}}};
  return kind;
}

double adjusted_rate(const RateAdjuster& adjuster, double rate, double v, double u) {
  const auto option = [&](const char* name) {
    return nn::option({&adjuster_kind(), 1}, adjuster.options, name);
  };
  if (v > option("high_trigger") * u)
    rate *= option("shrink");
  else if (v > option("low_trigger") * u)
    rate *= option("grow");
  return std::clamp(rate, option("least"), std::max(option("least"), option("most")));
}

}  // namespace jacquard::experiments
