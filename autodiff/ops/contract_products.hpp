// How plans run contractions: mapped onto dense matrix products.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "autodiff/op.hpp"

namespace jacquard {

// The optional attribute `symmetric` of a contraction: two axes of its result that may be exchanged
// without changing the value. nullopt where nothing is known. Throws InternalError unless they are
// two different axes of equal size of the result's shape.
std::optional<std::array<std::int64_t, 2>> symmetric_axes(const Attributes& attributes,
                                                          const Shape& result);

// A contraction of one or two operands, made ready. Two operands that share a summed index become
// one batched matrix product; operands whose axes do not lie right for it are copied first. Where
// the symmetric axes are exactly its rows and columns, only half of the product is computed.
// Contractions of three or more operands run as their plain kernel: plans take them apart before.
template <class T>
Prepared<T> prepare_contraction(const ShapeCall& call);

// The same for contract_add. One that is no product written where it belongs runs as its plain
// kernel; adds_in_place() tells, for a contraction of two operands.
template <class T>
Prepared<T> prepare_accumulation(const ShapeCall& call);
bool adds_in_place(const ShapeCall& contraction);

// x + scale product, or x - scale product, for a node `product` that is a contraction of two
// operands; without `scale`, it is 1.
Expr contract_add(Expr x, Expr product, Expr scale, bool negative);

}  // namespace jacquard
