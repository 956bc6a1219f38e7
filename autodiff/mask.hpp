// Masks: what gradient() knows of where an adjoint is exactly 0.
//
// A mask is an expression of any numbers; the adjoint is 0 where the mask is 0. An empty Expr is
// the mask that is 1 everywhere, of which nothing is known. A mask that is 1 in too many places is
// never wrong, only of less use; so these functions may give up where an exact answer would be
// long.
#pragma once

#include <vector>

#include "autodiff/tape.hpp"

namespace jacquard {

// The conditions that all hold where a mask is 1, in the order of their ids. Of a long conjunction
// only the outer part is taken apart. The mask must not be empty.
using Conditions = std::vector<NodeId>;
Conditions conditions(const Tape& tape, Expr mask);

// 1 where both are.
Expr both(Expr a, Expr b);

// 1 at least where one of several is, none of them empty. What all of them have in common stays a
// condition of its own, so that later masks find it again.
Expr either(const std::vector<Expr>& masks);

}  // namespace jacquard
