// What a node costs: floating-point operations of its own definition.
#pragma once

#include "autodiff/tape.hpp"

namespace jacquard {

// A contraction counts 2 for each combination of its indices where something is summed and one
// less than its operands where nothing is; an elementwise op or a reduction 1 for each element
// read or written, whichever are more (an n-ary sum one less than its terms); moves and leaves 0.
// Products known to be symmetric count half.
double flops(const Tape& tape, NodeId id);

}  // namespace jacquard
