// The tree of one expression of the cost language: what parse_expression() returns, what the
// printer and the evaluator walk. Nothing is known here of shapes or functions; a name is a name.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/language/language_error.hpp"

namespace jacquard::models {

enum class SyntaxKind {
  kNumber,   // number
  kBoolean,  // number: 0 or 1
  kText,     // text, without its quotes
  kName,     // text
  kCall,     // text: the function's name; children: arguments, those with keywords last
  kList,     // children: the items, perhaps none
  kUnary,    // text: "-", "not" or ".T"; one child
  kBinary,   // text: + - * / @ ^ < <= > >= == != and or; two children
  kIndex,    // children: the indexed expression, then one kSlice or expression per axis
  kSlice,    // begin:end; two children, each an expression or kOmitted; only in kIndex
  kOmitted,  // the bound that is missing from a slice
};

// The name in front of a keyword argument, as axis in sum(t, axis=1).
struct Keyword {
  std::string name;
  TextSpan span;
};

struct SyntaxNode {
  SyntaxKind kind = SyntaxKind::kOmitted;
  TextSpan span = {};  // all of it, parentheses round it included
  TextSpan mark = {};  // what an error of this node itself points at: the operator, the function's
                       // name, the brackets of an index; else all of it without parentheses
  std::string text = {};
  double number = 0;  // finite, not negative: -1 is a unary minus of 1
  std::vector<int> children = {};
  std::vector<Keyword> keywords = {};  // of a call: they name the last keywords.size() children
};

// One expression. Children stand before their parents, in the order in which they were written, so
// a loop over `nodes` is a walk from the leaves to the root; each node but the root has one parent.
struct SyntaxTree {
  std::string source;  // the text, which every span refers to
  std::vector<SyntaxNode> nodes;

  int root() const { return static_cast<int>(nodes.size()) - 1; }
  const SyntaxNode& operator[](int node) const { return nodes[static_cast<std::size_t>(node)]; }
  // The piece of the text from which the node was read.
  std::string_view written(int node) const;
};

// The same expression, wherever its parts were written.
bool operator==(const SyntaxTree& a, const SyntaxTree& b);

// How tightly an operator holds its operands.
enum class Binding { kOr, kAnd, kNot, kComparison, kSum, kProduct, kMinus, kPower, kPostfix };

// The binding of a binary operator; nothing for every other text.
std::optional<Binding> binary_binding(std::string_view text);

// The binding of a node's operator; leaves, calls, lists and indices are as tight as kPostfix.
Binding binding_of(const SyntaxNode& node);

}  // namespace jacquard::models
