#include "models/language/evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "autodiff/attribute.hpp"
#include "autodiff/interpreter.hpp"
#include "models/language/arguments.hpp"
#include "models/language/operators.hpp"

namespace jacquard::models {
namespace {

// A message of the engine says what is wrong, then what to do.
std::pair<std::string, std::string> split_message(const std::string& text) {
  const std::size_t at = text.find("; ");
  if (at == std::string::npos) return {text, ""};
  return {text.substr(0, at), text.substr(at + 2)};
}

class Evaluation {
 public:
  Evaluation(Surroundings& surroundings, const SyntaxTree& tree, const TextScope& scope)
      : surroundings_(surroundings), tree_(tree), scope_(scope), values_(tree.nodes.size()) {}

  Value run();

 private:
  void find_held_calls();
  Value value_of(const SyntaxNode& node, int id);
  Value name(const SyntaxNode& node) const;
  Value list(const SyntaxNode& node) const;
  Value index(const SyntaxNode& node) const;
  Value call(const SyntaxNode& node, bool held);
  Value call_language(const SyntaxNode& node, const Function& function, bool held);
  Value call_user(const SyntaxNode& node, const UserFunction& function);
  std::vector<Value> arguments_of(const std::vector<int>& children) const;
  std::string next_draw(const Function& function);

  // Runs `make` and gives what it throws a place: that of the child which a ValueError counts, or
  // the mark of the node.
  template <class Make>
  Value placed(const SyntaxNode& node, const std::vector<int>& children, Make make) const;
  TextSpan place_of(const SyntaxNode& node, const std::vector<int>& children, int argument) const;
  void check_finite(const SyntaxNode& node, int id, const Value& value) const;
  void count_step(const SyntaxNode& node);

  const Value& value(int id) const { return values_[static_cast<std::size_t>(id)]; }
  [[noreturn]] void fail(TextSpan span, std::string message, std::string hint = "") const {
    throw LanguageError(tree_.source, span, std::move(message), std::move(hint));
  }

  Surroundings& surroundings_;
  const SyntaxTree& tree_;
  const TextScope& scope_;
  std::vector<Value> values_;
  std::vector<bool> held_;  // calls of jacobian() that must not be formed
  int draws_ = 0;
  std::map<std::string, int> calls_;
};

Value Evaluation::run() {
  try {
    find_held_calls();
    for (int id = 0; id <= tree_.root(); ++id) {
      const SyntaxNode& node = tree_[id];
      count_step(node);
      Value result = value_of(node, id);
      check_finite(node, id, result);
      values_[static_cast<std::size_t>(id)] = std::move(result);
    }
    return std::move(values_.back());
  } catch (const EvaluationError&) {
    throw;
  } catch (const LanguageError& error) {
    throw EvaluationError(scope_.where, tree_.source, error);
  }
}

void Evaluation::find_held_calls() {
  held_.assign(tree_.nodes.size(), false);
  for (const SyntaxNode& node : tree_.nodes) {
    if (node.kind != SyntaxKind::kCall) continue;
    const Function* function = find_function(node.text);
    if (function == nullptr || function->parameters.empty() ||
        function->parameters[0].kind != ArgumentKind::kJacobian)
      continue;
    const int child = bind_call(tree_, node, form_of(*function))[0];
    held_[static_cast<std::size_t>(child)] =
        tree_[child].kind == SyntaxKind::kCall && tree_[child].text == "jacobian";
  }
}

void Evaluation::count_step(const SyntaxNode& node) {
  if (++surroundings_.steps > kMaxSteps)
    fail(node.mark, cat("functions expand to more than ", kMaxSteps, " operations"),
         "a definition is recorded once, however often it is used");
}

// Such a number is a mistake, and would spoil a run without saying where it came from.
void Evaluation::check_finite(const SyntaxNode& node, int id, const Value& result) const {
  const double* number = result.as<double>();
  if (number != nullptr && !std::isfinite(*number))
    fail(node.span,
         cat("the value of ", quoted(tree_.written(id)), " is ",
             std::isnan(*number) ? "not a number" : number_text(*number)),
         "numbers must be finite");
}

Value Evaluation::value_of(const SyntaxNode& node, int id) {
  switch (node.kind) {
    case SyntaxKind::kNumber:
      return {node.number};
    case SyntaxKind::kBoolean:
      return {node.number != 0};
    case SyntaxKind::kText:
      return {node.text};
    case SyntaxKind::kName:
      return name(node);
    case SyntaxKind::kCall:
      return call(node, held_[static_cast<std::size_t>(id)]);
    case SyntaxKind::kList:
      return list(node);
    case SyntaxKind::kUnary:
      return placed(node, node.children, [&] {
        return unary_value(surroundings_.tape, node.text, value(node.children[0]));
      });
    case SyntaxKind::kBinary:
      return placed(node, node.children, [&] {
        return binary_value(surroundings_.tape, node.text, value(node.children[0]),
                            value(node.children[1]));
      });
    case SyntaxKind::kIndex:
      return index(node);
    case SyntaxKind::kSlice:
    case SyntaxKind::kOmitted:
      return {Absent{}};
  }
  throw InternalError("evaluation: a node of unknown kind");
}

Value Evaluation::name(const SyntaxNode& node) const {
  if (scope_.arguments != nullptr)
    if (const auto found = scope_.arguments->find(node.text); found != scope_.arguments->end())
      return found->second;
  if (const auto found = surroundings_.values.find(node.text); found != surroundings_.values.end())
    return found->second;
  if (node.text == "all") return {AllAxes{}};
  throw InternalError(cat("evaluation: name '", node.text, "' was not checked"));
}

Value Evaluation::list(const SyntaxNode& node) const {
  List items;
  for (const int child : node.children) items.push_back(value(child));
  return {std::move(items)};
}

Value Evaluation::index(const SyntaxNode& node) const {
  std::vector<IndexItem> items;
  for (std::size_t i = 1; i < node.children.size(); ++i) {
    const SyntaxNode& item = tree_[node.children[i]];
    if (item.kind == SyntaxKind::kSlice)
      items.push_back({true, value(item.children[0]), value(item.children[1])});
    else
      items.push_back({false, value(node.children[i]), {}});
  }
  return placed(node, node.children, [&] { return index_value(value(node.children[0]), items); });
}

Value Evaluation::call(const SyntaxNode& node, bool held) {
  if (const Function* function = find_function(node.text))
    return call_language(node, *function, held);
  const auto found = surroundings_.functions.find(node.text);
  if (found == surroundings_.functions.end())
    throw InternalError(cat("evaluation: function '", node.text, "' was not checked"));
  return call_user(node, found->second);
}

std::vector<Value> Evaluation::arguments_of(const std::vector<int>& children) const {
  std::vector<Value> result;
  for (const int child : children) result.push_back(child < 0 ? Value{} : value(child));
  return result;
}

std::string Evaluation::next_draw(const Function& function) {
  const bool draws = std::ranges::find(function.parameters, ArgumentKind::kStream,
                                       &FunctionParameter::kind) != function.parameters.end();
  return draws ? cat(scope_.stream, '#', draws_++) : std::string();
}

Value Evaluation::call_language(const SyntaxNode& node, const Function& function, bool held) {
  const std::vector<int> children = bind_call(tree_, node, form_of(function));
  std::vector<Value> values = arguments_of(children);
  const bool numbers = std::ranges::all_of(
      values, [](const Value& v) { return v.absent() || as_number(v).has_value(); });
  std::string place = next_draw(function);
  return placed(node, children, [&]() -> Value {
    if (function.group == FunctionGroup::kElementwise && numbers) {
      // The value that the engine gives, on a tape that is thrown away.
      Tape scratch;
      const Expr result = function.build(Arguments(scratch, function, std::move(values), ""));
      return {jacquard::evaluate<double>(result)[0]};
    }
    const Arguments arguments(surroundings_.tape, function, std::move(values), std::move(place));
    if (held) return {JacobianCall{arguments.tensor(0), arguments.variable(1)}};
    return {function.build(arguments)};
  });
}

Value Evaluation::call_user(const SyntaxNode& node, const UserFunction& function) {
  const std::vector<int> children = bind_call(tree_, node, form_of(function.signature));
  if (scope_.depth >= kMaxCallDepth)
    fail(node.mark, cat("functions call each other more than ", kMaxCallDepth, " deep"));
  ValueMap arguments;
  for (std::size_t i = 0; i < children.size(); ++i)
    arguments.emplace(function.signature.arguments[i], value(children[i]));
  // Two calls are two draws, and a call added elsewhere changes neither.
  const std::string stream = cat(scope_.stream, '/', node.text, ':', calls_[node.text]++);
  try {
    return evaluate_tree(surroundings_, function.body,
                         {function.where, stream, &arguments, scope_.depth + 1});
  } catch (EvaluationError& error) {
    error.add_call({scope_.where, tree_.source, node.span});
    throw;
  }
}

TextSpan Evaluation::place_of(const SyntaxNode& node, const std::vector<int>& children,
                              int argument) const {
  if (argument < 0 || static_cast<std::size_t>(argument) >= children.size()) return node.mark;
  const int child = children[static_cast<std::size_t>(argument)];
  return child < 0 ? node.mark : tree_[child].span;
}

template <class Make>
Value Evaluation::placed(const SyntaxNode& node, const std::vector<int>& children,
                         Make make) const {
  try {
    return make();
  } catch (const ValueError& error) {
    fail(place_of(node, children, error.argument), error.message, error.hint);
  } catch (const LanguageError&) {
    throw;
  } catch (const InternalError&) {
    throw;
  } catch (const Error& error) {
    const auto [message, hint] = split_message(error.what());
    fail(node.mark, message, hint);
  }
}

}  // namespace

Value evaluate_tree(Surroundings& surroundings, const SyntaxTree& tree, const TextScope& scope) {
  return Evaluation(surroundings, tree, scope).run();
}

}  // namespace jacquard::models
