// The precisions that plans are run in, and their names in specs and on the command line.
#pragma once

#include <string>
#include <vector>

namespace jacquard::experiments {

enum class Precision { kFloat, kDouble };

inline const std::vector<std::string>& precision_names() {
  static const std::vector<std::string> names = {"f32", "f64"};
  return names;
}

inline Precision precision_of(const std::string& name) {
  return name == precision_names()[0] ? Precision::kFloat : Precision::kDouble;
}

inline const std::string& name_of(Precision precision) {
  return precision_names()[precision == Precision::kFloat ? 0 : 1];
}

}  // namespace jacquard::experiments
