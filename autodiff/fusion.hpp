// Which nodes a plan computes together: elementwise work over one shape becomes tile programs.
//
// Private to plans.
#pragma once

#include <vector>

#include "autodiff/passes.hpp"
#include "autodiff/tile_program.hpp"

namespace jacquard {

// What one instruction of a plan computes: a tile program, or one node by its op.
struct InstructionGroup {
  bool tiled = false;
  TileGroup group;  // one node only, in `nodes` and `written`, if not tiled
  // A product whose value only these tiles read: they follow it, rectangle by rectangle, and it is
  // in no group of its own (followed_products.hpp). -1: there is none.
  NodeId product = -1;

  // All that is computed, in order.
  std::vector<NodeId> computed() const {
    std::vector<NodeId> all = group.nodes;
    if (product >= 0) all.insert(all.begin(), product);
    return all;
  }
};

enum class Fusion { kNone, kFull };

// The groups in the order in which they run. `ready` marks nodes whose values are there before a
// run (inputs, constants); reshapes are views of what they reshape and in no group.
//
// A node joins a group of its shape that computes an operand which nobody else needs from memory,
// or the last group of all, if all other operands are there before that group runs or can be
// computed in it as well; among several, the one in which it needs least from memory. What is cheap
// is computed again in the group that reads it where this moves less memory than keeping it.
std::vector<InstructionGroup> instruction_groups(const Graph& graph, const std::vector<bool>& ready,
                                                 Fusion fusion);

// The node in whose memory a view lies.
NodeId viewed(const Tape& tape, NodeId id);

}  // namespace jacquard
