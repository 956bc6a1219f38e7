// Finds the operation to blame when a gradient check fails.
#pragma once

#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"

namespace jacquard {

// "op 'log' (%12 'h')", or "" when none is found.

// The first node, in order, whose value is not finite.
std::string first_not_finite(const Tape& tape, const std::vector<Expr>& roots,
                             const Feed<Quad>& feed, const RunContext& context);

// The first node between the parameter and `value` whose slopes on both sides of the base point
// differ when the parameter moves along `direction`.
std::string first_kinked(const Tape& tape, Expr value, const Feed<Quad>& feed,
                         const RunContext& context, const Interpreter<Quad>::Observer& hold,
                         const std::string& parameter, const Tensor<Quad>& direction, Quad step);

// The first node between the parameter and `value` whose own derivative rule, at the values it
// really has and with random cotangents, is not its slope.
std::string wrong_rule(const Tape& tape, Expr value, Expr parameter, const Feed<Quad>& feed,
                       const RunContext& context);

}  // namespace jacquard
