// The syntax of the cost language: text -> tree.
//
// Precedence, tightest first: .T and [ ]; ^ (to the right); unary -; * / @; + -;
// < <= > >= == != (no chains); not; and; or. So -a^2 is -(a^2), and 2^-1 is allowed.
#pragma once

#include <string_view>

#include "models/language/syntax_tree.hpp"

namespace jacquard::models {

// How many brackets, signs, 'not' and exponents may stand inside one another.
inline constexpr int kMaxNesting = 200;
// How many nodes may stand on one another, as in a + b + c + ...: a tree is never higher, so that a
// walk over one may recurse.
inline constexpr int kMaxTreeHeight = 1000;

// Reads one expression. Throws LanguageError for everything that is not one.
SyntaxTree parse_expression(std::string_view text);

}  // namespace jacquard::models
