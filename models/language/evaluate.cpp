#include "models/language/evaluate.hpp"

#include <algorithm>

#include "autodiff/closest.hpp"
#include "models/language/syntax.hpp"
#include "models/language/tokens.hpp"

namespace jacquard::models {
namespace {

// Functions have names of their own: they stand beside definitions as "kl()".
std::string function_mark(std::string_view name) { return cat(name, "()"); }

NameSet arguments_of(const UserFunction& function) {
  return {function.signature.arguments.begin(), function.signature.arguments.end()};
}

// All that a text needs, functions marked.
std::vector<std::string> uses_of(const SyntaxTree& tree, const NameSet& arguments) {
  std::vector<std::string> uses = free_names(tree, arguments);
  for (const std::string& name : called_functions(tree)) uses.push_back(function_mark(name));
  return uses;
}

const SyntaxNode* find_node(const SyntaxTree& tree, SyntaxKind kind, std::string_view text) {
  for (const SyntaxNode& node : tree.nodes)
    if (node.kind == kind && node.text == text) return &node;
  return nullptr;
}

// What stands before the parenthesis of a signature that cannot be read: its calls need no error
// of their own.
std::string name_in(const std::string& signature) {
  const std::string name = signature.substr(0, signature.find_first_of("( \t"));
  return is_name(name) ? name : "";
}

std::string listed(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 20;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < kShown; ++i)
    text += cat(i == 0 ? "" : ", ", names[i]);
  return names.size() > kShown ? text + ", ..." : text;
}

}  // namespace

Environment::Environment(Tape& tape, const std::map<std::string, Expr>& tensors,
                         const NamedTexts& define, const NamedTexts& functions)
    : surroundings_{tape, {}, {}} {
  for (const auto& [name, tensor] : tensors) surroundings_.values.emplace(name, Value{tensor});
  read_functions(functions);
  read_definitions(define);
  check_all_names();
  record_definitions();
}

void Environment::add_error(EvaluationError error) {
  if (full()) return;
  // A mistake in a function is one mistake, however often it is called.
  const bool known = std::ranges::any_of(errors_, [&](const EvaluationError& other) {
    return other.where == error.where && other.begin == error.begin &&
           other.length == error.length && other.message == error.message;
  });
  if (!known) errors_.push_back(std::move(error));
}

void Environment::read_functions(const NamedTexts& functions) {
  for (const auto& [key, text] : functions) {
    const std::string where = "functions/" + key;
    std::string name = name_in(key);
    bool in_name = true;
    try {
      Signature signature = parse_signature(key);
      name = signature.name;
      if (find_function(name) != nullptr)
        throw LanguageError(key, {key.find(name), name.size()},
                            cat(quoted(name), " is a function of the language"),
                            "choose another name");
      if (surroundings_.functions.contains(name))
        throw LanguageError(key, {key.find(name), name.size()},
                            cat("function ", quoted(name), " is there twice"),
                            "functions need different names");
      in_name = false;
      surroundings_.functions.emplace(
          name, UserFunction{where, std::move(signature), parse_expression(text)});
    } catch (const LanguageError& error) {
      if (!name.empty()) broken_.insert(function_mark(name));
      add_error({where, in_name ? key : text, error, in_name});
    }
  }
}

bool Environment::check_definition_name(const std::string& name) {
  const std::string where = "define/" + name;
  const auto refuse = [&](std::string message, std::string hint) {
    add_error({{where, name, {0, name.size()}}, std::move(message), std::move(hint), true});
    return false;
  };
  if (!is_name(name))
    return refuse(cat(quoted(name), " is no name"),
                  "names consist of letters, digits and '_' and begin with no digit");
  if (definitions_.contains(name) || broken_.contains(name))
    return refuse(cat(quoted(name), " is defined twice"), "definitions need different names");
  if (const auto taken = surroundings_.values.find(name); taken != surroundings_.values.end())
    return refuse(
        cat(quoted(name), " is already ", describe(taken->second), ", a parameter or an input"),
        "choose another name");
  return true;
}

void Environment::read_definitions(const NamedTexts& define) {
  for (const auto& [name, text] : define) {
    if (!check_definition_name(name)) continue;
    const std::string where = "define/" + name;
    try {
      definitions_.emplace(name, DefinitionText{where, parse_expression(text)});
    } catch (const LanguageError& error) {
      broken_.insert(name);
      add_error({where, text, error});
    }
  }
}

void Environment::check_all_names() {
  for (const auto& [name, function] : surroundings_.functions)
    if (!check_names(function.body, function.where, arguments_of(function)))
      broken_.insert(function_mark(name));
  for (const auto& [name, definition] : definitions_)
    if (!check_names(definition.tree, definition.where, {})) broken_.insert(name);
}

bool Environment::check_names(const SyntaxTree& tree, const std::string& where,
                              const NameSet& arguments) {
  bool known = true;
  for (const std::string& name : free_names(tree, arguments)) {
    if (surroundings_.values.contains(name) || definitions_.contains(name) ||
        broken_.contains(name) || name == "all")
      continue;
    known = false;
    add_unknown_name(tree, *find_node(tree, SyntaxKind::kName, name), where, arguments);
  }
  for (const std::string& name : called_functions(tree)) {
    if (find_function(name) != nullptr || surroundings_.functions.contains(name) ||
        broken_.contains(function_mark(name)))
      continue;
    known = false;
    add_unknown_function(tree, *find_node(tree, SyntaxKind::kCall, name), where);
  }
  return known;
}

void Environment::add_unknown_name(const SyntaxTree& tree, const SyntaxNode& node,
                                   const std::string& where, const NameSet& arguments) {
  if (full()) return;
  std::vector<std::string> known = names();
  known.insert(known.begin(), arguments.begin(), arguments.end());
  const Function* function = find_function(node.text);
  const auto user = surroundings_.functions.find(node.text);
  std::string hint;
  if (function != nullptr) {
    hint = "it is a function: " + function->signature();
  } else if (user != surroundings_.functions.end()) {
    hint = "it is a function: " + form_of(user->second.signature).signature;
  } else if (const std::string near = closest(node.text, known); !near.empty()) {
    hint = cat("did you mean '", near, "'?");
  } else {
    hint = "known names: " + listed(known);
  }
  add_error({{where, tree.source, node.mark}, cat("unknown name ", quoted(node.text)), hint});
}

void Environment::add_unknown_function(const SyntaxTree& tree, const SyntaxNode& node,
                                       const std::string& where) {
  if (full()) return;
  std::vector<std::string> known = function_names();
  for (const auto& [name, function] : surroundings_.functions) known.push_back(name);
  std::string hint;
  if (surroundings_.values.contains(node.text) || definitions_.contains(node.text))
    hint = cat(quoted(node.text), " is a tensor; a product is written with '*'");
  else if (const std::string near = closest(node.text, known); !near.empty())
    hint = cat("did you mean '", near, "'?");
  else
    hint = "'jacquard show --functions' lists all functions";
  add_error({{where, tree.source, node.mark}, cat("unknown function ", quoted(node.text)), hint});
}

void Environment::record_definitions() {
  std::vector<Definition> graph;
  for (const auto& [name, definition] : definitions_)
    graph.push_back({name, uses_of(definition.tree, {})});
  for (const auto& [name, function] : surroundings_.functions)
    graph.push_back({function_mark(name), uses_of(function.body, arguments_of(function))});

  const std::vector<std::string> order = order_without_cycles(graph);
  std::map<std::string_view, const Definition*> by_name;
  for (const Definition& definition : graph) by_name.emplace(definition.name, &definition);
  for (const std::string& name : order) {
    if (broken_.contains(name)) continue;
    if (uses_broken(by_name.at(name)->uses)) {
      broken_.insert(name);
      continue;
    }
    const auto definition = definitions_.find(name);
    if (definition == definitions_.end()) continue;  // a function
    std::optional<Value> value =
        evaluate_checked(definition->second.tree, definition->second.where);
    if (!value) {
      broken_.insert(name);
      continue;
    }
    if (const Expr* tensor = value->as<Expr>()) tape().label(*tensor, name);
    surroundings_.values.emplace(name, std::move(*value));
  }
}

std::vector<std::string> Environment::order_without_cycles(std::vector<Definition>& graph) {
  constexpr int kMostReported = 20;  // each costs a walk over all definitions
  for (int cycles = 0; cycles < kMostReported; ++cycles) {
    try {
      return resolve_order(graph);
    } catch (const CycleError& error) {
      report_cycle(error.cycle);
      // Without these the others have an order; they count as broken, and so do their users.
      broken_.insert(error.cycle.begin(), error.cycle.end());
      std::erase_if(graph, [this](const Definition& d) { return broken_.contains(d.name); });
    }
  }
  for (const Definition& definition : graph) broken_.insert(definition.name);
  return {};
}

void Environment::report_cycle(const std::vector<std::string>& cycle) {
  const auto is_function = [](const std::string& name) { return name.back() == ')'; };
  const auto bare = [&](const std::string& name) {
    return is_function(name) ? name.substr(0, name.size() - 2) : name;
  };
  const std::string& first = cycle.front();
  const std::string& next = cycle[cycle.size() > 1 ? 1 : 0];
  const UserFunction* function =
      is_function(first) ? &surroundings_.functions.at(bare(first)) : nullptr;
  const std::string where = function ? function->where : definitions_.at(first).where;
  const SyntaxTree& tree = function ? function->body : definitions_.at(first).tree;
  const SyntaxNode* node =
      find_node(tree, is_function(next) ? SyntaxKind::kCall : SyntaxKind::kName, bare(next));
  const std::string text = CycleError(cycle).what();
  const std::size_t hint = text.rfind("; ");
  add_error({{where, tree.source, node->mark}, text.substr(0, hint), text.substr(hint + 2)});
}

bool Environment::uses_broken(const std::vector<std::string>& uses) const {
  return std::ranges::any_of(uses,
                             [this](const std::string& name) { return broken_.contains(name); });
}

std::optional<Value> Environment::evaluate_checked(const SyntaxTree& tree,
                                                   const std::string& where) {
  try {
    return evaluate_tree(surroundings_, tree, {where, where, nullptr, 0});
  } catch (const EvaluationError& error) {
    add_error(error);
    return std::nullopt;
  }
}

std::optional<Value> Environment::evaluate(const std::string& text, const std::string& where) {
  SyntaxTree tree;
  try {
    tree = parse_expression(text);
  } catch (const LanguageError& error) {
    add_error({where, text, error});
    return std::nullopt;
  }
  if (!check_names(tree, where, {}) || uses_broken(uses_of(tree, {}))) return std::nullopt;
  return evaluate_checked(tree, where);
}

std::optional<Expr> Environment::expression(const std::string& text, const std::string& where) {
  const std::optional<Value> value = evaluate(text, where);
  if (!value) return std::nullopt;
  const Expr tensor = as_tensor(tape(), *value);
  if (tensor) return tensor;
  add_error({{where, text, {0, text.size()}},
             cat("the value is ", describe(*value)),
             "it must be a tensor or a number"});
  return std::nullopt;
}

const Value* Environment::find(std::string_view name) const {
  const auto found = surroundings_.values.find(name);
  return found == surroundings_.values.end() ? nullptr : &found->second;
}

std::vector<std::string> Environment::names() const {
  NameSet all;
  for (const auto& [name, value] : surroundings_.values) all.insert(name);
  for (const auto& [name, definition] : definitions_) all.insert(name);
  return {all.begin(), all.end()};
}

}  // namespace jacquard::models
