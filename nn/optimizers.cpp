#include "nn/optimizers.hpp"

#include <cmath>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::nn {
namespace {

constexpr double kBelowOne = 1 - 0x1p-53;  // the largest number below 1

void check_arguments(const char* where, const std::vector<Expr>& parameters,
                     const std::vector<Expr>& gradients, Expr rate) {
  if (parameters.size() != gradients.size())
    throw Error(cat(where, ": ", parameters.size(), " parameters and ", gradients.size(),
                    " gradients; each parameter needs its own"));
  if (rate.shape().rank() != 0)
    throw ShapeError(cat(where, ": the rate has shape ", rate.shape(), "; it must be a scalar"));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Node& node = parameters[i].tape->node(parameters[i]);
    if (!is_input(node) || input_kind(node) != InputKind::kParameter)
      throw Error(cat(where, ": ", parameters[i].tape->describe(parameters[i].id),
                      " is no parameter; only inputs of kind kParameter are trained"));
    if (!(gradients[i].shape() == parameters[i].shape()))
      throw ShapeError(cat(where, ": parameter '", input_name(node), "' has shape ",
                           parameters[i].shape(), ", its gradient ", gradients[i].shape()));
  }
}

void check_decay(const char* where, const char* name, double value) {
  if (!(value >= 0 && value < 1))
    throw Error(cat(where, ": ", name, " = ", value, "; it must lie in [0, 1)"));
}

// Declares a slot of `parameter`: an input, and an entry of step.state.
Expr slot(OptimizerStep& step, const char* optimizer, const char* name, Expr parameter) {
  const std::string& of = input_name(parameter.tape->node(parameter));
  const std::string full_name = cat(optimizer, '/', name, '/', of);
  step.state.push_back({full_name, parameter.shape(), 0.0});
  return parameter.tape->input(full_name, parameter.shape(), InputKind::kState);
}

// 1 - beta^t without cancellation for small t.
Expr bias_correction(double beta, Expr t) {
  return beta == 0 ? constant(*t.tape, 1.0) : -expm1(t * std::log(beta));
}

}  // namespace

OptimizerStep sgd(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                  Expr rate, const SgdOptions& options) {
  check_arguments("sgd", parameters, gradients, rate);
  check_decay("sgd", "momentum", options.momentum);
  OptimizerStep step;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Expr w = parameters[i], descent = rate * gradients[i];
    if (options.momentum == 0) {
      step.updates.push_back({w, w - descent});
      continue;
    }
    const Expr v = slot(step, "sgd", "velocity", w);
    const Expr new_v = options.momentum * v - descent;
    step.updates.push_back({v, new_v});
    step.updates.push_back(
        {w, options.nesterov ? w + (options.momentum * new_v - descent) : w + new_v});
  }
  return step;
}

OptimizerStep adam(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                   Expr rate, Expr step_number, const AdamOptions& options) {
  check_arguments("adam", parameters, gradients, rate);
  check_decay("adam", "beta1", options.beta1);
  check_decay("adam", "beta2", options.beta2);
  if (step_number.shape().rank() != 0)
    throw ShapeError(
        cat("adam: the step has shape ", step_number.shape(), "; it must be a scalar"));
  if (!(options.epsilon >= 0))
    throw Error(cat("adam: epsilon = ", options.epsilon, "; it must not be negative"));
  const Expr t = step_number + 1.0;
  const Expr correction1 = bias_correction(options.beta1, t);
  const Expr correction2 = bias_correction(options.beta2, t);
  OptimizerStep step;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Expr w = parameters[i], g = gradients[i];
    const Expr m = slot(step, "adam", "mean", w), v = slot(step, "adam", "square", w);
    const Expr new_m = options.beta1 * m + (1 - options.beta1) * g;
    const Expr new_v = options.beta2 * v + (1 - options.beta2) * square(g);
    const Expr scale = sqrt(new_v / correction2) + options.epsilon;
    step.updates.push_back({m, new_m});
    step.updates.push_back({v, new_v});
    step.updates.push_back({w, w - rate * ((new_m / correction1) / scale)});
  }
  return step;
}

std::span<const Kind> optimizer_kinds() {
  static const SgdOptions sgd_defaults;
  static const AdamOptions adam_defaults;
  static const std::vector<Kind> kinds = {
      {"sgd",
       "stochastic gradient descent",
       {{"momentum", sgd_defaults.momentum, 0, kBelowOne, "share of the last step that is kept"},
        {"nesterov", 0.0, 0, 1, "the gradient's own step is taken once more", true}}},
      {"adam",
       "Adam (Kingma and Ba 2015)",
       {{"beta1", adam_defaults.beta1, 0, kBelowOne, "decay of the mean of the gradient"},
        {"beta2", adam_defaults.beta2, 0, kBelowOne, "decay of the mean of its square"},
        {"epsilon", adam_defaults.epsilon, 0, 1, "added to the root of the mean square"}}},
  };
  return kinds;
}

OptimizerStep optimizer_step(const Optimizer& optimizer, const std::vector<Expr>& parameters,
                             const std::vector<Expr>& gradients, Expr rate, Expr step) {
  check_choice("optimizer", optimizer_kinds(), optimizer);
  const auto number = [&](const char* name) { return option(optimizer_kinds(), optimizer, name); };
  if (optimizer.kind == "sgd")
    return sgd(parameters, gradients, rate,
               {.momentum = number("momentum"), .nesterov = number("nesterov") != 0});
  return adam(parameters, gradients, rate, step,
              {.beta1 = number("beta1"), .beta2 = number("beta2"), .epsilon = number("epsilon")});
}

}  // namespace jacquard::nn
