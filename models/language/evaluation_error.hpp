// A mistake in one of the texts of a model or a cost: which text, where in it, and through which
// calls of the user's functions it was reached.
#pragma once

#include <string>
#include <vector>

#include "models/language/language_error.hpp"

namespace jacquard::models {

// A piece of one of many texts.
struct TextPlace {
  std::string where;  // "define/h", "functions/kl(p, q)", "cost/contraction"
  std::string text;
  TextSpan span;
};

// what() is `where: message; hint`, the marked piece of the text and the calls.
struct EvaluationError : LanguageError {
  EvaluationError(TextPlace place, std::string message, std::string hint = "",
                  bool in_name = false);
  EvaluationError(std::string where, std::string text, const LanguageError& error,
                  bool in_name = false);

  const char* what() const noexcept override { return what_.c_str(); }
  void add_call(TextPlace call);
  // One line for each call: "called from cost/sparsity: kl(0.05, mean(h, axis=0))"; "" if none.
  std::string call_lines() const;

  std::string where;
  std::string text;              // of which LanguageError's begin and length are a piece
  bool in_name;                  // the text is the name under which `where` stands, not its value
  std::vector<TextPlace> calls;  // the innermost first

 private:
  void compose();
  std::string what_;
};

// All that is wrong with a model; what() is their texts, with empty lines between them.
struct ModelError : SpecError {
  explicit ModelError(std::vector<EvaluationError> all);
  std::vector<EvaluationError> errors;
};

}  // namespace jacquard::models
