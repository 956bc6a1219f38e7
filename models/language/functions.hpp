// The functions of the cost language: one table, from which calls are checked and built and the
// documentation is printed. To add a function, add a row to the file of its group.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/tape.hpp"

namespace jacquard::models {

class Arguments;

enum class ArgumentKind {
  kTensor,    // a number stands for a scalar
  kVariable,  // a tensor of the tape, of which derivatives are taken
  kRate,      // a number, checked at once, or a tensor
  kNumber,
  kInteger,
  kBoolean,
  kText,
  kAxis,      // a whole number
  kAxes,      // all, a whole number or a list of them
  kSizes,     // a list of whole numbers
  kIndices,   // a tensor with one axis or a list of whole numbers
  kList,      // a list of tensors
  kRest,      // all the arguments that follow: tensors
  kJacobian,  // written as a call of jacobian(), which is not formed
  kStream,    // the name of a draw
};

struct FunctionParameter {
  std::string_view name;
  ArgumentKind kind = ArgumentKind::kTensor;
  // As it would be written; empty: the argument must be given. "..." stands for what the formula
  // explains.
  std::string_view fallback = {};
};

enum class FunctionGroup { kElementwise, kReductions, kShape, kDerivatives, kLosses, kDraws };

struct Function {
  std::string_view name;
  std::vector<FunctionParameter> parameters;
  std::string_view formula;  // what it gives, in one line
  Expr (*build)(const Arguments&);
  FunctionGroup group = FunctionGroup::kElementwise;

  std::string signature() const;  // sum(t, axis=all, keepdims=false)
};

// All of them, group by group.
std::span<const Function> functions();
// nullptr when the language has no such function.
const Function* find_function(std::string_view name);
std::vector<std::string> function_names();

std::string_view group_title(FunctionGroup group);
// The table for a terminal and for documents: groups in order, a line for each function.
std::string function_table_text();
std::string function_table_markdown();

}  // namespace jacquard::models
