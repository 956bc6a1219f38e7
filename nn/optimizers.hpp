// Optimizers as expressions: the new values of parameters and of the optimizer's own state are
// written on the tape, so that a training step is one plan.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/plan.hpp"
#include "nn/choice.hpp"

namespace jacquard::nn {

// A number per element of a parameter, carried from step to step: an input of kind kState.
struct StateVariable {
  std::string name;  // "<optimizer>/<slot>/<parameter>"
  Shape shape;
  double initial = 0;  // every element
};

struct OptimizerStep {
  std::vector<StateVariable> state;
  std::vector<Update> updates;  // of parameters and state
};

struct SgdOptions {
  double momentum = 0;    // in [0, 1)
  bool nesterov = false;  // the gradient's own step is taken once more (Sutskever et al. 2013)
};

// W <- W - rate * g; with momentum v <- momentum * v - rate * g and W <- W + v. `parameters` are
// inputs of kind kParameter, `gradients` have their shapes; rate is a scalar.
OptimizerStep sgd(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                  Expr rate, const SgdOptions& options = {});
// The same with a momentum that changes: a scalar.
OptimizerStep sgd_with_momentum(const std::vector<Expr>& parameters,
                                const std::vector<Expr>& gradients, Expr rate, Expr momentum,
                                bool nesterov = false);

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999;  // in [0, 1)
  double epsilon = 1e-8;
  double decay = 0;  // W also shrinks by rate * decay * W (Loshchilov and Hutter 2019, algorithm 2)
};

// Kingma and Ba 2015, algorithm 1. `step` is a scalar: the number of steps made before this one.
OptimizerStep adam(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                   Expr rate, Expr step, const AdamOptions& options = {});

// G <- G + g^2, W <- W - rate * g / (sqrt(G) + epsilon) (Duchi, Hazan and Singer 2011).
OptimizerStep adagrad(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                      Expr rate, double epsilon = 1e-10);

// v <- decay * v + (1 - decay) * g^2, W <- W - rate * g / (sqrt(v) + epsilon) (Tieleman and Hinton
// 2012).
OptimizerStep rmsprop(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                      Expr rate, double decay = 0.9, double epsilon = 1e-8);

// Zeiler 2012, algorithm 1: v <- decay * v + (1 - decay) * g^2, d = sqrt(s + epsilon) /
// sqrt(v + epsilon) * g, s <- decay * s + (1 - decay) * d^2, W <- W - rate * d.
OptimizerStep adadelta(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                       Expr rate, double decay = 0.95, double epsilon = 1e-6);

// By name, as specs ask for it, with the options above.
using Optimizer = Choice;
std::span<const Kind> optimizer_kinds();

// Options of an optimizer that change from step to step, by name: scalars on the tape.
using ScheduledOptions = std::map<std::string, Expr>;
// The options that may.
std::span<const std::string_view> schedulable_options();

// Throws SpecError when kind or options are not valid.
OptimizerStep optimizer_step(const Optimizer& optimizer, const std::vector<Expr>& parameters,
                             const std::vector<Expr>& gradients, Expr rate, Expr step,
                             const ScheduledOptions& scheduled = {});

}  // namespace jacquard::nn
