// Finds the operation to blame when a gradient check fails.
#pragma once

#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"

namespace jacquard {

// "op 'log' (%12 'h', shape [2, 3])".
std::string operation_text(const Tape& tape, NodeId id);

// The functions below give such a text, or "" when no operation is found.

// The first node, in order, whose value is not finite. T is float or Quad.
template <class T>
std::string first_not_finite(const Tape& tape, const std::vector<Expr>& roots, const Feed<T>& feed,
                             const RunContext& context);

// The first node between the parameter and `value` that has a kink or a jump at the base point
// when the parameter moves along `direction`.
std::string first_kinked(const Tape& tape, Expr value, const Feed<Quad>& feed,
                         const RunContext& context, const Interpreter<Quad>::Observer& hold,
                         const std::string& parameter, const Tensor<Quad>& direction);

// The first node between the parameter and `value` whose own derivative rule, at the values it
// really has and with random cotangents, is not its slope, or is not finite.
std::string wrong_rule(const Tape& tape, Expr value, Expr parameter, const Feed<Quad>& feed,
                       const RunContext& context);
std::string not_finite_rule(const Tape& tape, Expr value, Expr parameter, const Feed<Quad>& feed,
                            const RunContext& context);

}  // namespace jacquard
