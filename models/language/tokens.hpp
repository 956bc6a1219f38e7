// The first half of reading a cost text: bytes -> tokens. White space (blank, tab, line ends) ends
// a token and is dropped. The text is pure ASCII; every other character is refused by name.
#pragma once

#include <string_view>
#include <vector>

#include "models/language/language_error.hpp"

namespace jacquard::models {

// Texts beyond this many bytes are refused, so that no walk over one can take long.
inline constexpr std::size_t kMaxTextLength = std::size_t{64} * 1024;

enum class TokenKind {
  kNumber,
  kBoolean,  // true, false
  kText,     // '...' or "...", no escapes
  kName,
  kSymbol,  // operators, brackets and separators; also the words and, or, not
  kEnd,     // stands once, behind the last token
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // as written, quotes included; a view of the text that was read
  TextSpan span;
  double number = 0;  // of kNumber (finite, not negative) and kBoolean (0 or 1)

  bool is(std::string_view symbol) const { return kind == TokenKind::kSymbol && text == symbol; }
};

// The tokens of the text, which must outlive them. Throws LanguageError for what is no token.
std::vector<Token> tokenize(std::string_view text);

// True for what can name a parameter, a definition, a function or an argument: a letter or '_',
// then letters, digits and '_', and not one of the words and, or, not, true, false.
bool is_name(std::string_view text);

}  // namespace jacquard::models
