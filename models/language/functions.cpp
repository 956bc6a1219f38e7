#include "models/language/functions.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "autodiff/error.hpp"
#include "models/language/function_groups.hpp"

namespace jacquard::models {
namespace {

constexpr std::array kGroups = {FunctionGroup::kElementwise, FunctionGroup::kReductions,
                                FunctionGroup::kShape,       FunctionGroup::kDerivatives,
                                FunctionGroup::kLosses,      FunctionGroup::kDraws};

std::vector<Function> rows_of(FunctionGroup group) {
  switch (group) {
    case FunctionGroup::kElementwise:
      return elementwise_functions();
    case FunctionGroup::kReductions:
      return reduction_functions();
    case FunctionGroup::kShape:
      return shape_functions();
    case FunctionGroup::kDerivatives:
      return derivative_functions();
    case FunctionGroup::kLosses:
      return loss_functions();
    case FunctionGroup::kDraws:
      return draw_functions();
  }
  throw InternalError("functions: a group without rows");
}

const std::vector<Function>& table() {
  static const std::vector<Function> all = [] {
    std::vector<Function> rows;
    for (const FunctionGroup group : kGroups)
      for (Function& row : rows_of(group)) {
        row.group = group;
        rows.push_back(std::move(row));
      }
    return rows;
  }();
  return all;
}

template <class Row>
std::string by_group(std::string_view head, Row row) {
  std::string text;
  for (const FunctionGroup group : kGroups) {
    text += cat(text.empty() ? "" : "\n", row.title(group), head);
    for (const Function& function : functions())
      if (function.group == group) text += row.line(function);
  }
  return text;
}

struct TextRow {
  static constexpr std::size_t kWidth = 55;
  static std::string title(FunctionGroup group) { return cat(group_title(group), '\n'); }
  static std::string line(const Function& function) {
    std::string signature = function.signature();
    signature.resize(std::max(signature.size(), kWidth), ' ');
    return cat("  ", signature, "  ", function.formula, '\n');
  }
};

struct MarkdownRow {
  static std::string title(FunctionGroup group) { return cat("### ", group_title(group), "\n\n"); }
  static std::string line(const Function& function) {
    std::string formula;
    for (const char c : function.formula) formula += c == '|' ? std::string("\\|") : std::string{c};
    return cat("| `", function.signature(), "` | ", formula, " |\n");
  }
};

}  // namespace

std::string Function::signature() const {
  std::string text;
  for (const FunctionParameter& parameter : parameters) {
    text += cat(text.empty() ? "" : ", ", parameter.name);
    if (parameter.kind == ArgumentKind::kRest) text += ", ...";
    if (!parameter.fallback.empty()) text += cat('=', parameter.fallback);
  }
  return cat(name, '(', text, ')');
}

std::span<const Function> functions() { return table(); }

const Function* find_function(std::string_view name) {
  static const std::map<std::string_view, const Function*> by_name = [] {
    std::map<std::string_view, const Function*> index;
    for (const Function& function : table()) index.emplace(function.name, &function);
    return index;
  }();
  const auto found = by_name.find(name);
  return found == by_name.end() ? nullptr : found->second;
}

std::vector<std::string> function_names() {
  std::vector<std::string> names;
  for (const Function& function : table()) names.emplace_back(function.name);
  return names;
}

std::string_view group_title(FunctionGroup group) {
  switch (group) {
    case FunctionGroup::kElementwise:
      return "elementwise";
    case FunctionGroup::kReductions:
      return "reductions";
    case FunctionGroup::kShape:
      return "shape and products";
    case FunctionGroup::kDerivatives:
      return "derivatives";
    case FunctionGroup::kLosses:
      return "losses, per example [batch]";
    case FunctionGroup::kDraws:
      return "draws";
  }
  throw InternalError("functions: a group without a title");
}

std::string function_table_text() { return by_group("", TextRow{}); }

std::string function_table_markdown() {
  return by_group("| function | value |\n|---|---|\n", MarkdownRow{});
}

}  // namespace jacquard::models
