// Tree -> text, the inverse of parse_expression().
#pragma once

#include <string>

#include "models/language/syntax_tree.hpp"

namespace jacquard::models {

// The canonical text of a tree: no parentheses but the needed ones, blanks round every binary
// operator but '^', numbers with the fewest digits that give them back, texts in single quotes
// where they hold none. parse_expression(print_expression(t)) == t for every tree that a text can
// give, as long as the result is not longer than kMaxTextLength. Throws InternalError for a number
// that is negative or not finite, for a text that holds both kinds of quotes, and for children that
// do not stand before their parent.
std::string print_expression(const SyntaxTree& tree);

}  // namespace jacquard::models
