// The operators of the cost language on values. All throw ValueError, which counts the operands
// from 0, and what the engine throws.
#pragma once

#include <string_view>
#include <vector>

#include "models/language/value.hpp"

namespace jacquard::models {

// "-", "not", ".T".
Value unary_value(Tape& tape, std::string_view operation, const Value& operand);

// + - * / @ ^ < <= > >= == != and or. Two numbers give a number or a truth value.
Value binary_value(Tape& tape, std::string_view operation, const Value& a, const Value& b);

// One place of an index: a whole number, which drops the axis, or the slice begin:end. Negative
// ones count from the end.
struct IndexItem {
  bool slice = false;
  Value begin, end;  // of a slice, perhaps Absent; else the number is in `begin`
};

// x[items]: one item per axis, the first axes first; axes without an item stay whole. Operand 0 is
// x, operand i + 1 the item i. Unlike NumPy's, bounds outside of the axis are refused.
Value index_value(const Value& subject, const std::vector<IndexItem>& items);

}  // namespace jacquard::models
