// Updates that are written where what they update lies.
//
// Private to plans.
#pragma once

#include <vector>

#include "autodiff/fusion.hpp"

namespace jacquard {

struct UpdateOrder {
  // The groups in a new order, and which of them write over what updates change: these may run only
  // when it is known that the updates are to be made.
  std::vector<InstructionGroup> groups;
  std::vector<bool> updates;
  // From this group on the guards have their values.
  std::size_t guarded = 0;
  // By node: the input over which its value is written; -1 for all others.
  std::vector<NodeId> over;
};

// The roots of the graph are outputs, values of updates, guards, and the inputs that the updates
// change. An update is written in place where its value is computed from what it changes element by
// element, or by adding products to it, and nobody else reads it later on. That is done as soon as
// the guards are known and the old value is not needed any more. Without `in_place`, no update is.
UpdateOrder order_updates(const Graph& graph, std::vector<InstructionGroup> groups,
                          std::size_t outputs, std::size_t updates, bool in_place);

}  // namespace jacquard
