// Says what a step computed, and where a value that is not finite came from.
#pragma once

#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "experiments/recording.hpp"

namespace jacquard::experiments {

// Runs the roots again node by node in float and describes the first value that is not finite: its
// operation, its shape, and the ranges of what it was computed from; empty where all are finite.
std::string first_not_finite(const Tape& tape, const std::vector<Expr>& roots,
                             const Feed<float>& feed, const RunContext& context);

// The step as written, computed again: cost and terms, the ranges of the trained parameters and of
// their gradients, and the first value that is not finite, forward or backward. Gradients are
// recorded on the tape.
std::string step_report(const Spec& spec, const Recording& recording, const Feed<float>& feed,
                        const RunContext& context);

}  // namespace jacquard::experiments
