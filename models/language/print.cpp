#include "models/language/print.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "autodiff/error.hpp"

namespace jacquard::models {
namespace {

std::string print_number(double number) {
  if (!std::isfinite(number) || std::signbit(number))
    throw InternalError(cat("print_expression: number ", number,
                            " cannot be written; a unary minus makes negative numbers"));
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  std::string result(buffer.data(), end);
  // 1e+05 and 1e-05 are written as 1e5 and 1e-5.
  if (const std::size_t exponent = result.find('e'); exponent != std::string::npos) {
    const std::size_t digits = result.find_first_of("123456789", exponent);
    const bool negative = result[exponent + 1] == '-';
    result.replace(exponent + 1, digits - exponent - 1, negative ? "-" : "");
  }
  return result;
}

std::string print_text(const std::string& text) {
  const char quote = text.find('\'') == std::string::npos ? '\'' : '"';
  if (text.find(quote) != std::string::npos)
    throw InternalError(cat("print_expression: text ", text, " holds both kinds of quotes"));
  return quote + text + quote;
}

// Prints the nodes in the order in which they stand: leaves first, each taking its children's
// texts.
class Printer {
 public:
  explicit Printer(const SyntaxTree& tree) : tree_(tree), texts_(tree.nodes.size()) {}

  std::string run() {
    for (; at_ < texts_.size(); ++at_) texts_[at_] = print(tree_.nodes[at_]);
    return texts_.empty() ? "" : std::move(texts_.back());
  }

 private:
  std::string print(const SyntaxNode& node);
  std::string print_unary(const SyntaxNode& node);
  std::string print_binary(const SyntaxNode& node);
  std::string print_list(const SyntaxNode& node, std::size_t first);
  std::string take(int child);
  // The child in parentheses unless it binds at least as tightly as `loosest`.
  std::string operand(int child, Binding loosest);

  const SyntaxTree& tree_;
  std::vector<std::string> texts_;
  std::size_t at_ = 0;
};

std::string Printer::take(int child) {
  if (child < 0 || static_cast<std::size_t>(child) >= at_)
    throw InternalError(cat("print_expression: node ", at_, " has child ", child,
                            "; children stand before their parents"));
  return std::move(texts_[static_cast<std::size_t>(child)]);
}

std::string Printer::operand(int child, Binding loosest) {
  std::string text = take(child);
  return binding_of(tree_[child]) < loosest ? cat('(', text, ')') : text;
}

std::string Printer::print(const SyntaxNode& node) {
  switch (node.kind) {
    case SyntaxKind::kNumber:
      return print_number(node.number);
    case SyntaxKind::kBoolean:
      return node.number != 0 ? "true" : "false";
    case SyntaxKind::kText:
      return print_text(node.text);
    case SyntaxKind::kName:
      return node.text;
    case SyntaxKind::kCall:
      return cat(node.text, '(', print_list(node, 0), ')');
    case SyntaxKind::kList:
      return cat('[', print_list(node, 0), ']');
    case SyntaxKind::kUnary:
      return print_unary(node);
    case SyntaxKind::kBinary:
      return print_binary(node);
    case SyntaxKind::kIndex: {
      const std::string subject = operand(node.children.at(0), Binding::kPostfix);
      return cat(subject, '[', print_list(node, 1), ']');
    }
    case SyntaxKind::kSlice: {
      const std::string begin = take(node.children.at(0));
      return cat(begin, ':', take(node.children.at(1)));
    }
    case SyntaxKind::kOmitted:
      return "";
  }
  throw InternalError(cat("print_expression: node ", at_, " has an unknown kind"));
}

std::string Printer::print_unary(const SyntaxNode& node) {
  const int child = node.children.at(0);
  if (node.text == "-") return "-" + operand(child, Binding::kMinus);
  if (node.text == "not") return "not " + operand(child, Binding::kNot);
  // 5.T would read as a number that is not one.
  if (tree_[child].kind == SyntaxKind::kNumber) return cat('(', take(child), ").T");
  return operand(child, Binding::kPostfix) + ".T";
}

std::string Printer::print_binary(const SyntaxNode& node) {
  const Binding own = binding_of(node);
  const auto tighter = static_cast<Binding>(static_cast<int>(own) + 1);
  if (own == Binding::kPower) {
    const std::string left = operand(node.children.at(0), tighter);
    // To the right of '^' a minus needs no parentheses: 2^-1.
    return cat(left, '^', operand(node.children.at(1), Binding::kMinus));
  }
  const std::string left =
      operand(node.children.at(0), own == Binding::kComparison ? tighter : own);
  return cat(left, ' ', node.text, ' ', operand(node.children.at(1), tighter));
}

std::string Printer::print_list(const SyntaxNode& node, std::size_t first) {
  std::string result;
  const std::size_t named = node.children.size() - node.keywords.size();
  for (std::size_t i = first; i < node.children.size(); ++i) {
    if (i > first) result += ", ";
    if (i >= named) result += node.keywords[i - named].name + "=";
    result += take(node.children[i]);
  }
  return result;
}

}  // namespace

std::string print_expression(const SyntaxTree& tree) { return Printer(tree).run(); }

}  // namespace jacquard::models
