// Compares what the contraction algebra makes of terms with the terms as they were written, in quad
// precision. Private to the gradient check.
#pragma once

#include <vector>

#include "autodiff/slopes.hpp"

namespace jacquard {

// What training would run at this point: the fast form where it keeps its digits, else the careful
// one.
std::vector<Expr> simplified_at(const std::vector<Expr>& values, const Feed<Quad>& feed,
                                const RunContext& context);

// Do values and gradients of terms agree with those of the terms as they were written, to 1e-20?
// The values are compared one by one. The gradients are compared in one random combination of the
// terms, since a sweep over the tape as written takes nearly all of the time of a check: an error
// in any of them is one of the combination as well, unless others cancel it, for which the chance
// is nil.
bool agrees_with_written(const TermSlopes& rewritten, const std::vector<Expr>& written,
                         const RunContext& context);

}  // namespace jacquard
