// The contraction algebra: finds products of Jacobians and the like in an expression and writes
// them as the cheapest equivalent contractions.
#pragma once

#include "autodiff/tape.hpp"

namespace jacquard {

// Expressions of the same values as `roots`, on the same tape, in which structured nodes (whatever
// is made of identity matrices and outer products by products, sums, squares and moves) are never
// formed as they were written. To be used before gradient(): the gradient of the result then is
// the reverse sweep of the contractions found, in the same class of cost.
std::vector<Expr> simplified(const std::vector<Expr>& roots);
Expr simplified(Expr root);

}  // namespace jacquard
