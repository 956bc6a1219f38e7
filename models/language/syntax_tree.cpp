#include "models/language/syntax_tree.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace jacquard::models {
namespace {

struct BinaryOperator {
  std::string_view text;
  Binding binding;
};
constexpr std::array kBinaryOperators = {
    BinaryOperator{"or", Binding::kOr},         BinaryOperator{"and", Binding::kAnd},
    BinaryOperator{"<", Binding::kComparison},  BinaryOperator{"<=", Binding::kComparison},
    BinaryOperator{">", Binding::kComparison},  BinaryOperator{">=", Binding::kComparison},
    BinaryOperator{"==", Binding::kComparison}, BinaryOperator{"!=", Binding::kComparison},
    BinaryOperator{"+", Binding::kSum},         BinaryOperator{"-", Binding::kSum},
    BinaryOperator{"*", Binding::kProduct},     BinaryOperator{"/", Binding::kProduct},
    BinaryOperator{"@", Binding::kProduct},     BinaryOperator{"^", Binding::kPower},
};

}  // namespace

std::optional<Binding> binary_binding(std::string_view text) {
  const auto* found = std::ranges::find(kBinaryOperators, text, &BinaryOperator::text);
  if (found == kBinaryOperators.end()) return std::nullopt;
  return found->binding;
}

std::string_view SyntaxTree::written(int node) const {
  const TextSpan span = (*this)[node].span;
  return std::string_view(source).substr(span.begin, span.length);
}

bool operator==(const SyntaxTree& a, const SyntaxTree& b) {
  if (a.nodes.empty() || b.nodes.empty()) return a.nodes.empty() && b.nodes.empty();
  std::vector<std::pair<int, int>> pending = {{a.root(), b.root()}};
  while (!pending.empty()) {
    const SyntaxNode& left = a[pending.back().first];
    const SyntaxNode& right = b[pending.back().second];
    pending.pop_back();
    if (left.kind != right.kind || left.text != right.text || left.number != right.number ||
        left.children.size() != right.children.size() ||
        !std::ranges::equal(left.keywords, right.keywords, {}, &Keyword::name, &Keyword::name))
      return false;
    for (std::size_t i = 0; i < left.children.size(); ++i)
      pending.emplace_back(left.children[i], right.children[i]);
  }
  return true;
}

Binding binding_of(const SyntaxNode& node) {
  if (node.kind == SyntaxKind::kBinary) {
    const std::optional<Binding> binding = binary_binding(node.text);
    if (!binding) throw InternalError(cat("syntax tree: unknown operator ", quoted(node.text)));
    return *binding;
  }
  if (node.kind != SyntaxKind::kUnary || node.text == ".T") return Binding::kPostfix;
  return node.text == "-" ? Binding::kMinus : Binding::kNot;
}

}  // namespace jacquard::models
