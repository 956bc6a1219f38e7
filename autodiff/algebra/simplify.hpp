// The contraction algebra: finds products of Jacobians and the like in an expression and writes
// them as the cheapest equivalent contractions.
#pragma once

#include <vector>

#include "autodiff/algebra/sums.hpp"
#include "autodiff/tape.hpp"

namespace jacquard {

// A sum of squares that was rewritten so that terms of both signs stand for it: `terms` is what it
// would be without their cancelling, of the same shape. In a precision with unit roundoff u about
// u * terms / value of `value` are lost.
struct Condition {
  Expr terms;
  Expr value;
};

// A structured node that was needed as it is, and what it was written as.
struct Rewritten {
  Expr before, after;
  algebra::Sum sum;  // what it is, before an order was chosen
};

struct Simplified {
  std::vector<Expr> roots;
  std::vector<Condition> conditions;
  std::vector<Rewritten> rewritten;
  algebra::Labels labels;  // of the sums
};

enum class Care {
  kFast,     // the least work, with conditions under which digits may be lost
  kCareful,  // differences and squared matrices are formed first, so that there are none
};

// Expressions of the same values as `roots`, on the same tape, in which structured nodes (whatever
// is made of identity matrices and outer products by products, sums, squares and moves) are never
// formed as they were written. To be used before gradient(): the gradient of the result then is
// the reverse sweep of the contractions found, in the same class of cost.
Simplified simplify(const std::vector<Expr>& roots, Care care = Care::kFast);

// The roots alone.
std::vector<Expr> simplified(const std::vector<Expr>& roots);
Expr simplified(Expr root);

// How much larger than their sum terms may be: float keeps seven digits, four are promised, and
// several roundings come together.
constexpr double kMostCancelling = 500;

// A scalar that is finite while terms <= kMostCancelling * value everywhere; empty without
// conditions. To guard a program with.
Expr keeps_digits(const std::vector<Condition>& conditions);

}  // namespace jacquard
