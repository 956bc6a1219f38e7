#include "nn/constraints.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::nn {
Expr with_bounded_norms(Expr w, const NormBounds& bounds) {
  if (!(bounds.low >= 0 && bounds.low <= bounds.high))
    throw Error(cat("norms: [", bounds.low, ", ", bounds.high, "] is no interval of norms"));
  const int rank = w.shape().rank();
  if (bounds.axis < 0 || bounds.axis >= rank)
    throw ShapeError(cat("norms: axis ", bounds.axis, " of a tensor of shape ", w.shape(),
                         "; it has the axes 0 to ", rank - 1));
  const Expr norms = sqrt(sum(square(w), {bounds.axis}, true));
  Expr wanted = bounds.low > 0 ? maximum(norms, constant(*w.tape, bounds.low)) : norms;
  if (bounds.high < std::numeric_limits<double>::infinity())
    wanted = minimum(wanted, constant(*w.tape, bounds.high));
  // Norms that are kept are multiplied by exactly 1.
  return w * where(norms, wanted / norms, constant(*w.tape, 1.0));
}

Expr& new_value(OptimizerStep& step, Expr parameter) {
  const auto at = std::ranges::find_if(
      step.updates, [&](const Update& u) { return u.target.id == parameter.id; });
  if (at == step.updates.end())
    throw InternalError(
        cat("optimizer: ", parameter.tape->describe(parameter.id), " is not updated by the step"));
  return at->value;
}

void add_average(OptimizerStep& step, const std::vector<Expr>& parameters, Expr counts) {
  if (parameters.empty()) return;
  Tape& tape = *counts.tape;
  const auto state = [&](const std::string& name, const Shape& shape) {
    step.state.push_back({name, shape, 0.0});
    return tape.input(name, shape, InputKind::kState);
  };
  const Expr count = state("average/count", {});
  const Expr new_count = where(counts, count + 1.0, constant(tape, 0.0));
  const Expr share = 1.0 / maximum(new_count, constant(tape, 1.0));
  step.updates.push_back({count, new_count});
  for (const Expr& w : parameters) {
    const Expr average = state("average/" + input_name(tape.node(w)), w.shape());
    const Expr value = new_value(step, w);
    // The first one is the value itself, whatever the average was.
    step.updates.push_back({average, where(greater(new_count, constant(tape, 1.0)),
                                           average + share * (value - average), value)});
  }
}

}  // namespace jacquard::nn
