// Forms that keep their digits: log(1 + exp(x)) and the like, as people write them, become what
// neither overflows nor cancels.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "autodiff/ops.hpp"
#include "autodiff/passes.hpp"

namespace jacquard {

// A rule: two expressions of x with one value. Where `written` holds a sum, its axes are `axes`,
// and `stable` is given those that were found.
struct StableForm {
  std::string_view name;  // the maths
  Expr (*written)(Expr x, const Axes& axes);
  Expr (*stable)(Expr x, const Axes& axes);
  // Where `written` is far from its limits, for the test of all rules.
  double low = -3, high = 3;
  bool keeps_dims = false;  // the sum does
};

std::span<const StableForm> stable_forms();

// The roots with every written form replaced, on the same tape. Before gradient(), so that slopes
// keep their digits as well: those of log(1 + exp(x)) as written are infinity / infinity.
std::vector<Expr> in_stable_forms(const std::vector<Expr>& roots);

// The same as a pass.
Graph in_stable_forms(const Graph& graph);

}  // namespace jacquard
