// Reverse-mode derivatives: graph in, graph out, on the same tape, of any order.
#pragma once

#include <vector>

#include "autodiff/tape.hpp"

namespace jacquard {

// What to do with a variable that the cost does not depend on.
enum class Unused { kError, kZero };

// d cost / d v for each v of `variables`, each of v's shape. The cost must be a scalar. A variable
// may be any node of the tape, such as a definition: the graph is cut there, and what lies below
// it is a function of it only through it. Where a node is read many times, its adjoint is one
// n-ary sum; the adjoint of a where() branch that was not taken is exactly 0, also where that
// branch is not finite.
// Throws GradientError: the cost is no scalar, an op has no derivative, a variable is unused.
std::vector<Expr> gradient(Expr cost, const std::vector<Expr>& variables,
                           Unused unused = Unused::kError);

// sum over h of u * dh/dx, of x's shape; u has h's shape and is held fixed. Zeros when h does not
// depend on x.
Expr pull_back(Expr h, Expr x, Expr u);

// Adds up `adjoint` over the axes along which `shape` was broadcast.
Expr sum_to(Expr adjoint, const Shape& shape);

}  // namespace jacquard
