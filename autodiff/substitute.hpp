// Copies of a graph with one node replaced, and copies over a stack of values.
#pragma once

#include "autodiff/tape.hpp"

namespace jacquard {

// `e` with every use of node `from` replaced by `to`, which has the same shape.
Expr substitute(Expr e, Expr from, Expr to);

// `e` computed for each of k values of node `from` at once: values [k, from's shape...] give
// [k, e's shape...]. Follows the batch rules of the ops; an op without one is done slice by slice.
Expr batch_over(Expr e, Expr from, Expr values);

}  // namespace jacquard
