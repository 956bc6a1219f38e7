#include "experiments/metrics.hpp"

#include <limits>

namespace jacquard::experiments {

double metric(const Metrics& metrics, std::string_view name) {
  for (const auto& [each, value] : metrics)
    if (each == name) return value;
  return std::numeric_limits<double>::quiet_NaN();
}

}  // namespace jacquard::experiments
