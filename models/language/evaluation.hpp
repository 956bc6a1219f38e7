// One walk over the tree of one text: from the leaves to the root, without recursion but for calls
// of the user's functions, whose number and depth are capped.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "models/language/call_form.hpp"
#include "models/language/evaluation_error.hpp"
#include "models/language/syntax_tree.hpp"
#include "models/language/value.hpp"

namespace jacquard::models {

// How deep functions of the user may call each other, and how many pieces of text all of them may
// expand to.
inline constexpr int kMaxCallDepth = 100;
inline constexpr std::int64_t kMaxSteps = 2'000'000;

struct UserFunction {
  std::string where;  // "functions/kl(p, q)"
  Signature signature;
  SyntaxTree body;
};

using ValueMap = std::map<std::string, Value, std::less<>>;
using FunctionMap = std::map<std::string, UserFunction, std::less<>>;

// What all texts of a model see.
struct Surroundings {
  Tape& tape;
  ValueMap values;        // parameters, inputs, definitions
  FunctionMap functions;  // of the user
  std::int64_t steps = 0;
};

// Where a text stands and what it sees beside its surroundings.
struct TextScope {
  std::string where;   // "define/h": how errors name the text
  std::string stream;  // what the names of its draws begin with
  const ValueMap* arguments = nullptr;
  int depth = 0;
};

// The value of a text. All names and functions in it must be known. Throws EvaluationError.
Value evaluate_tree(Surroundings& surroundings, const SyntaxTree& tree, const TextScope& scope);

}  // namespace jacquard::models
