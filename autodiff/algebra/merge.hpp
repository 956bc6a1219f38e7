// Equal contractions are computed once, and symmetric results by halves.
#pragma once

#include "autodiff/passes.hpp"

namespace jacquard::algebra {

// Makes one node of contractions that are equal as networks (network.hpp): the adjoints of the two
// factors of X X', what the forward pass formed and the reverse sweep forms again in another order.
// Marks products that are equal to their own transposes, and counts equal terms of sums.
Graph merge_contractions(const Graph& graph);

}  // namespace jacquard::algebra
