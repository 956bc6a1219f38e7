// Optimizers as expressions: the new values of parameters and of the optimizer's own state are
// written on the tape, so that a training step is one plan.
#pragma once

#include <span>
#include <string>
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

struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999;  // in [0, 1)
  double epsilon = 1e-8;
};

// Kingma and Ba 2015, algorithm 1. `step` is a scalar: the number of steps made before this one.
OptimizerStep adam(const std::vector<Expr>& parameters, const std::vector<Expr>& gradients,
                   Expr rate, Expr step, const AdamOptions& options = {});

// By name, as specs ask for it: "sgd" and "adam" with the options above.
using Optimizer = Choice;
std::span<const Kind> optimizer_kinds();

// Throws SpecError when kind or options are not valid.
OptimizerStep optimizer_step(const Optimizer& optimizer, const std::vector<Expr>& parameters,
                             const std::vector<Expr>& gradients, Expr rate, Expr step);

}  // namespace jacquard::nn
