// How plans run contractions: mapped onto dense matrix products.
#pragma once

#include "autodiff/op.hpp"

namespace jacquard {

// A contraction of one or two operands, made ready. Two operands that share a summed index become
// one batched matrix product; operands whose axes do not lie right for it are copied first.
// Contractions of three or more operands run as their plain kernel: plans take them apart before.
template <class T>
Prepared<T> prepare_contraction(const ShapeCall& call);

}  // namespace jacquard
