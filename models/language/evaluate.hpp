// The names of a model and what texts that use them are worth: parameters, inputs, definitions and
// functions, all on one tape.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "models/language/evaluation.hpp"
#include "models/language/names.hpp"

namespace jacquard::models {

using NamedTexts = std::vector<std::pair<std::string, std::string>>;

class Environment {
 public:
  // Records the definitions (name, text) on the tape, in whatever order they were written, and
  // reads the functions (signature, text). Mistakes are collected in errors(); what depends on a
  // mistaken text is left out without a word. `tensors` are parameters and inputs by name.
  Environment(Tape& tape, const std::map<std::string, Expr>& tensors, const NamedTexts& define,
              const NamedTexts& functions);

  // The value of a text; `where` names it in errors ("cost/contraction") and in the streams of its
  // draws. Nothing when it has a mistake, which is then in errors(), or depends on one.
  std::optional<Value> evaluate(const std::string& text, const std::string& where);
  // The same as a tensor. Lists and texts are mistakes.
  std::optional<Expr> expression(const std::string& text, const std::string& where);

  // A parameter, an input or a definition without mistakes; nullptr if there is none.
  const Value* find(std::string_view name) const;
  // All names that texts may use, for "did you mean".
  std::vector<std::string> names() const;

  const std::vector<EvaluationError>& errors() const { return errors_; }
  std::vector<EvaluationError> take_errors() { return std::exchange(errors_, {}); }
  // Keeps equal mistakes once, and no more than kMaxErrors.
  void add_error(EvaluationError error);
  static constexpr std::size_t kMaxErrors = 200;

  Tape& tape() const { return surroundings_.tape; }

 private:
  struct DefinitionText {
    std::string where;
    SyntaxTree tree;
  };

  void read_functions(const NamedTexts& functions);
  void read_definitions(const NamedTexts& define);
  bool check_definition_name(const std::string& name);
  void check_all_names();
  void record_definitions();
  std::vector<std::string> order_without_cycles(std::vector<Definition>& graph);
  void report_cycle(const std::vector<std::string>& cycle);

  // Whether every name and function of the tree is known; adds an error for each that is not.
  bool check_names(const SyntaxTree& tree, const std::string& where, const NameSet& arguments);
  void add_unknown_name(const SyntaxTree& tree, const SyntaxNode& node, const std::string& where,
                        const NameSet& arguments);
  void add_unknown_function(const SyntaxTree& tree, const SyntaxNode& node,
                            const std::string& where);
  bool uses_broken(const std::vector<std::string>& uses) const;
  bool full() const { return errors_.size() >= kMaxErrors; }
  std::optional<Value> evaluate_checked(const SyntaxTree& tree, const std::string& where);

  Surroundings surroundings_;
  std::map<std::string, DefinitionText, std::less<>> definitions_;
  NameSet broken_;  // definitions and, with "()" behind them, functions
  std::vector<EvaluationError> errors_;
};

}  // namespace jacquard::models
