// Tapes as text for people and golden tests, and as Graphviz.
#pragma once

#include <string>

#include "autodiff/tape.hpp"

namespace jacquard {

// One node a line, in order: `%5 = contract(%0, %1; subscripts="ab,bc->ac") [20, 5]  # h`.
// Only what the roots need; empty roots: everything.
std::string to_text(const Tape& tape, std::span<const Expr> roots = {});

// The same as a digraph for `dot`.
std::string to_dot(const Tape& tape, std::span<const Expr> roots = {});

// One node as in to_text, without the line's end.
std::string node_text(const Tape& tape, NodeId id);

// 3200 -> "3.2 kB", with decimal prefixes; 1.5e9 -> "1.5 GFLOP".
std::string with_prefix(double amount, const char* unit);

}  // namespace jacquard
