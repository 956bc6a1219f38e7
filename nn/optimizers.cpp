#include "nn/optimizers.hpp"

#include <cmath>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::nn {
namespace {

constexpr double kBelowOne = 1 - 0x1p-53;  // the largest number below 1

void check_scalar(const char* where, const char* what, Expr e) {
  if (e.shape().rank() != 0)
    throw ShapeError(cat(where, ": the ", what, " has shape ", e.shape(), "; it must be a scalar"));
}

void check_arguments(const char* where, const std::vector<Expr>& parameters,
                     const std::vector<Expr>& gradients, Expr rate) {
  if (parameters.size() != gradients.size())
    throw Error(cat(where, ": ", parameters.size(), " parameters and ", gradients.size(),
                    " gradients; each parameter needs its own"));
  check_scalar(where, "rate", rate);
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

void check_not_negative(const char* where, const char* name, double value) {
  if (!(value >= 0)) throw Error(cat(where, ": ", name, " = ", value, "; it must not be negative"));
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
  check_decay("sgd", "momentum", options.momentum);
  if (options.momentum != 0)
    return sgd_with_momentum(parameters, gradients, rate, constant(*rate.tape, options.momentum),
                             options.nesterov);
  check_arguments("sgd", parameters, gradients, rate);
  OptimizerStep step;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    step.updates.push_back({parameters[i], parameters[i] - rate * gradients[i]});
  return step;
}

OptimizerStep sgd_with_momentum(const std::vector<Expr>& parameters,
                                const std::vector<Expr>& gradients, Expr rate, Expr momentum,
                                bool nesterov) {
  check_arguments("sgd", parameters, gradients, rate);
  check_scalar("sgd", "momentum", momentum);
  OptimizerStep step;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Expr w = parameters[i], descent = rate * gradients[i];
    const Expr v = slot(step, "sgd", "velocity", w);
    const Expr new_v = momentum * v - descent;
    step.updates.push_back({v, new_v});
    step.updates.push_back({w, nesterov ? w + (momentum * new_v - descent) : w + new_v});
  }
  return step;
}

OptimizerStep adam(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                   Expr rate, Expr step_number, const AdamOptions& options) {
  check_arguments("adam", parameters, gradients, rate);
  check_decay("adam", "beta1", options.beta1);
  check_decay("adam", "beta2", options.beta2);
  check_scalar("adam", "step", step_number);
  check_not_negative("adam", "epsilon", options.epsilon);
  check_not_negative("adam", "decay", options.decay);
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
    const Expr moved = w - rate * ((new_m / correction1) / scale);
    step.updates.push_back({w, options.decay == 0 ? moved : moved - rate * (options.decay * w)});
  }
  return step;
}

OptimizerStep adagrad(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                      Expr rate, double epsilon) {
  check_arguments("adagrad", parameters, gradients, rate);
  check_not_negative("adagrad", "epsilon", epsilon);
  OptimizerStep step;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Expr w = parameters[i], g = gradients[i], sum = slot(step, "adagrad", "square", w);
    const Expr new_sum = sum + square(g);
    step.updates.push_back({sum, new_sum});
    step.updates.push_back({w, w - rate * (g / (sqrt(new_sum) + epsilon))});
  }
  return step;
}

OptimizerStep rmsprop(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                      Expr rate, double decay, double epsilon) {
  check_arguments("rmsprop", parameters, gradients, rate);
  check_decay("rmsprop", "decay", decay);
  check_not_negative("rmsprop", "epsilon", epsilon);
  OptimizerStep step;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Expr w = parameters[i], g = gradients[i], v = slot(step, "rmsprop", "square", w);
    const Expr new_v = decay * v + (1 - decay) * square(g);
    step.updates.push_back({v, new_v});
    step.updates.push_back({w, w - rate * (g / (sqrt(new_v) + epsilon))});
  }
  return step;
}

OptimizerStep adadelta(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                       Expr rate, double decay, double epsilon) {
  check_arguments("adadelta", parameters, gradients, rate);
  check_decay("adadelta", "decay", decay);
  check_not_negative("adadelta", "epsilon", epsilon);
  OptimizerStep step;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const Expr w = parameters[i], g = gradients[i];
    const Expr v = slot(step, "adadelta", "square", w), s = slot(step, "adadelta", "step", w);
    const Expr new_v = decay * v + (1 - decay) * square(g);
    const Expr d = sqrt((s + epsilon) / (new_v + epsilon)) * g;
    step.updates.push_back({v, new_v});
    step.updates.push_back({s, decay * s + (1 - decay) * square(d)});
    step.updates.push_back({w, w - rate * d});
  }
  return step;
}

std::span<const Kind> optimizer_kinds() {
  static const SgdOptions sgd_defaults;
  static const AdamOptions adam_defaults;
  static const auto adam_options = [](double decay) {
    std::vector<Option> options = {
        {"beta1", adam_defaults.beta1, 0, kBelowOne, "decay of the mean of the gradient"},
        {"beta2", adam_defaults.beta2, 0, kBelowOne, "decay of the mean of its square"},
        {"epsilon", adam_defaults.epsilon, 0, 1, "added to the root of the mean square"}};
    if (decay != 0)
      options.push_back(
          {"decay", decay, 0, 1, "every parameter shrinks by rate * decay of itself"});
    return options;
  };
  static const std::vector<Kind> kinds = {
      {"sgd",
       "stochastic gradient descent",
       {{"momentum", sgd_defaults.momentum, 0, kBelowOne, "share of the last step that is kept"},
        {"nesterov", 0.0, 0, 1, "the gradient's own step is taken once more", true}}},
      {"adam", "Adam (Kingma and Ba 2015)", adam_options(0)},
      {"adamw", "Adam with decoupled weight decay (Loshchilov and Hutter 2019)",
       adam_options(0.01)},
      {"adagrad",
       "AdaGrad (Duchi, Hazan and Singer 2011)",
       {{"epsilon", 1e-10, 0, 1, "added to the root of the sum of squares"}}},
      {"rmsprop",
       "RMSProp (Tieleman and Hinton 2012)",
       {{"decay", 0.9, 0, kBelowOne, "of the mean square"},
        {"epsilon", 1e-8, 0, 1, "added to the root of the mean square"}}},
      {"adadelta",
       "AdaDelta (Zeiler 2012); its usual rate is 1",
       {{"decay", 0.95, 0, kBelowOne, "of the mean squares"},
        {"epsilon", 1e-6, 0, 1, "added to the mean squares"}}},
  };
  return kinds;
}

std::span<const std::string_view> schedulable_options() {
  static constexpr std::string_view kNames[] = {"momentum"};
  return kNames;
}

OptimizerStep optimizer_step(const Optimizer& optimizer, const std::vector<Expr>& parameters,
                             const std::vector<Expr>& gradients, Expr rate, Expr step,
                             const ScheduledOptions& scheduled) {
  check_choice("optimizer", optimizer_kinds(), optimizer);
  const auto number = [&](const char* name) { return option(optimizer_kinds(), optimizer, name); };
  if (optimizer.kind == "sgd") {
    const bool nesterov = number("nesterov") != 0;
    if (const auto momentum = scheduled.find("momentum"); momentum != scheduled.end())
      return sgd_with_momentum(parameters, gradients, rate, momentum->second, nesterov);
    return sgd(parameters, gradients, rate, {.momentum = number("momentum"), .nesterov = nesterov});
  }
  if (optimizer.kind == "adagrad") return adagrad(parameters, gradients, rate, number("epsilon"));
  if (optimizer.kind == "rmsprop")
    return rmsprop(parameters, gradients, rate, number("decay"), number("epsilon"));
  if (optimizer.kind == "adadelta")
    return adadelta(parameters, gradients, rate, number("decay"), number("epsilon"));
  return adam(parameters, gradients, rate, step,
              {.beta1 = number("beta1"),
               .beta2 = number("beta2"),
               .epsilon = number("epsilon"),
               .decay = optimizer.kind == "adamw" ? number("decay") : 0});
}

}  // namespace jacquard::nn
