// The error of the cost language, and how a place in a text is shown to its writer.
//
// A place is a span of bytes in one text. Who knows in which file that text stands (the reader of
// specs) turns it into line and column there; message and hint are kept apart for it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "autodiff/error.hpp"

namespace jacquard::models {

// A piece of a text, in bytes.
struct TextSpan {
  std::size_t begin = 0;
  std::size_t length = 0;

  std::size_t end() const { return begin + length; }
};

// The smallest span that holds both.
TextSpan join(const TextSpan& first, const TextSpan& last);

// A mistake in a text of the cost language. what() is `message; hint` followed by show_caret().
struct LanguageError : SpecError {
  LanguageError(std::string_view text, TextSpan span, std::string message, std::string hint = "");

  std::size_t begin;    // where in the text, in bytes; the text's size for "at the end"
  std::size_t length;   // 0 at the end of the text
  std::string message;  // what is wrong, without a place
  std::string hint;     // what to do about it; may be empty
};

// The line of `text` in which the span begins and a second line that marks the span:
//     mean(sqnrm(h))
//          ^~~~~
// Both are indented by two columns; no newline at the end. Long lines are cut to a window round the
// mark ("..."), a span that runs over several lines is marked on its first; what cannot be printed
// is shown as '?'. Any bytes are allowed, and the cost does not depend on the size of the text.
std::string show_caret(std::string_view text, TextSpan span);

// The user's text in single quotes, cut to 40 bytes ("..."), with '?' for what cannot be printed.
std::string quoted(std::string_view text);

}  // namespace jacquard::models
