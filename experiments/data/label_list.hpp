// Reader of labels in JSON: one list of whole numbers from 0 to 255, as CIFAR-10's package has
// them.
#pragma once

#include <string_view>

#include "experiments/data/byte_array.hpp"

namespace jacquard::experiments {

// [count]. Throws SpecError for anything else, with line and column where the text is no JSON.
ByteArray parse_label_list(std::string_view file, std::string_view name);

}  // namespace jacquard::experiments
