// The updates of a program: which are allowed, and what must be copied because of them.
//
// Private to plans.
#pragma once

#include <vector>

#include "autodiff/passes.hpp"
#include "autodiff/plan.hpp"

namespace jacquard {

// Throws InternalError when a target is no parameter or state, has another shape than its value, or
// is updated twice.
void check_updates(const Tape& tape, const std::vector<Update>& updates);

// The last `targets` roots of the graph are the inputs that updates write. A root that is read in
// the memory of one of them would change with it: those of the first `count` roots are replaced by
// copies.
void copy_updated_roots(Graph& graph, std::size_t count, std::size_t targets);

}  // namespace jacquard
