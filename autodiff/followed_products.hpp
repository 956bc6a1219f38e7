// Products that tile programs follow: what is read by one program alone is computed a rectangle at
// a time, and the program runs over each while it is in the cache. The product itself never sees
// the memory; all bits are those of one after the other.
//
// Private to plans.
#pragma once

#include <vector>

#include "autodiff/fusion.hpp"

namespace jacquard {

// What a plan runs for a node by its op.
template <class T>
Prepared<T> prepared_node(const Tape& tape, NodeId id);

// Sets InstructionGroup::product where that can be, and takes out the product's own group.
template <class T>
void follow_products(const Graph& graph, std::vector<InstructionGroup>& groups);

}  // namespace jacquard
