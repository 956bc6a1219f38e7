// Two cheap elementwise ops as one run: what the first gives is an operand of the second without a
// pass over memory between them. The bits are those of one op after the other.
#pragma once

#include <cstddef>

#include "autodiff/op.hpp"

namespace jacquard {

// The runs of `outer` whose operand number `side` is the result of `inner`. Their operands are
// those of `inner`, then the other one of `outer`. nullptr where there are none.
const Runs* pair_runs(const Op& inner, const Op& outer, std::size_t side);

}  // namespace jacquard
