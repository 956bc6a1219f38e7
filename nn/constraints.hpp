// What is done to parameters after a step, whatever the optimizer: norms kept in bounds, decay, a
// running average. Expressions of the new values.
#pragma once

#include <cstdint>
#include <limits>

#include "nn/optimizers.hpp"

namespace jacquard::nn {

struct NormBounds {
  std::int64_t axis = 0;  // norms are taken along it: 0 for the columns of a matrix, 1 for its rows
  double low = 0, high = std::numeric_limits<double>::infinity();
};

// W with every norm along the axis scaled into [low, high] (Hinton et al. 2012, section 2.1); norms
// of 0 stay 0. Throws Error for bounds that are no interval, ShapeError for an axis that W lacks.
Expr with_bounded_norms(Expr w, const NormBounds& bounds);

// The value that the step gives to a parameter, to be changed. Throws InternalError when it gives
// none.
Expr& new_value(OptimizerStep& step, Expr parameter);

// Adds the running average of a parameter to the step, from the first step at which `counts` (a
// scalar, 0 or 1) is 1: state "average/count", "average/<parameter>" = the mean of the values after
// each step that counted, before that the value itself (Polyak and Juditsky 1992).
void add_average(OptimizerStep& step, const std::vector<Expr>& parameters, Expr counts);

}  // namespace jacquard::nn
