// What a cost is made of and what each term costs: `jacquard show SPEC --cost`.
#pragma once

#include <cstdint>
#include <iosfwd>

#include "experiments/recording.hpp"

namespace jacquard::experiments {

// For each term: its text with the definitions put in; where it holds Jacobians, the formula that
// they became, the steps that are executed for it, and when digits would be lost; the FLOPs of its
// value and gradient, before and after. As text, or as JSON with the same facts.
void show_cost(const Spec& spec, const Recording& recording, std::int64_t batch, bool json,
               std::ostream& out);

}  // namespace jacquard::experiments
