// The program of one training step: cost, gradients, what the optimizer and the spec make of them.
#pragma once

#include <vector>

#include "autodiff/guarded_plan.hpp"
#include "experiments/recording.hpp"

namespace jacquard::experiments {

// The parameters that the spec trains: those that the cost depends on and that are not frozen.
std::vector<Expr> trained_parameters(const Spec& spec, const Recording& recording);

// Notes every name in the "train" section that is no parameter, or cannot be treated as it says.
void check_parameter_names(const Spec& spec, const Recording& recording, Problems& problems);

struct StepProgram {
  ConditionalProgram program;            // its only output is the cost, which also guards
  std::vector<nn::StateVariable> state;  // of the optimizer and of averages
};

// The spec must have "train" with an optimizer. Throws GradientError when the cost cannot be
// differentiated.
StepProgram step_program(const Spec& spec, const Recording& recording, Care care);

}  // namespace jacquard::experiments
