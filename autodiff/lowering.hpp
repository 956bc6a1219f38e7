// Operations written as simpler ones, for tile programs.
//
// Private to plans.
#pragma once

#include "autodiff/passes.hpp"

namespace jacquard {

// Sums whose terms include products of matrices, perhaps scaled: the products are added to the
// others in place (contract_add), so that no product is stored and read again. An update W - rate *
// (P + Q) becomes two products that are added to W.
Graph accumulated(const Graph& graph);

// Two products that are added to the same tensor one after the other, both summed over the rows of
// their factors, become one product of factors that lie below each other: both gradients of tied
// weights. Only where the factors are small against what is added to.
Graph stacked(const Graph& graph);

// Sums of many terms add one term after the other, with the same bits, each beside its last term.
Graph in_single_additions(const Graph& graph);

// Contractions that are no products of matrices become products of elements and sums over axes.
// What is summed is as large as all indices together and must be fused with its sum.
Graph spread_contractions(const Graph& graph);

// Numbers that need nothing but inputs and constants come first on the tape, whose order plans
// follow. Those of an optimizer's step stand behind all gradients, and updates would wait for them
// while gradients fill the memory.
Graph numbers_first(const Graph& graph);

}  // namespace jacquard
