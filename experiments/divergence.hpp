// Says where a value that is not finite came from.
#pragma once

#include <string>

#include "autodiff/interpreter.hpp"

namespace jacquard::experiments {

// Runs the cost again node by node in float and describes the first value that is not finite: its
// operation, its shape, and the ranges of what it was computed from.
std::string first_not_finite(const Tape& tape, Expr cost, const Feed<float>& feed,
                             const RunContext& context);

}  // namespace jacquard::experiments
