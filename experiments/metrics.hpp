// The named numbers that one look of the monitors gives: {"valid/cost", 92.1}.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace jacquard::experiments {

using Metrics = std::vector<std::pair<std::string, double>>;

// The number of that name; NaN where there is none.
double metric(const Metrics& metrics, std::string_view name);

}  // namespace jacquard::experiments
