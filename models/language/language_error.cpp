#include "models/language/language_error.hpp"

#include <algorithm>
#include <utility>

#include "models/language/unicode.hpp"

namespace jacquard::models {
namespace {

// Characters shown before and after the begin of the marked piece.
constexpr std::size_t kShownBefore = 36;
constexpr std::size_t kShownAfter = 60;

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

// Where the character before byte `at` begins; a stray continuation byte is a character of its own.
std::size_t step_back(std::string_view text, std::size_t at) {
  const std::size_t reach = std::min<std::size_t>(at, 4);
  for (std::size_t back = 2; back <= reach; ++back)
    if (decode_utf8(text, at - back).length == back) return at - back;
  return at - 1;
}

std::string printable(std::string_view text, std::size_t at, const CodePoint& character) {
  if (is_printable(character)) return std::string(text.substr(at, character.length));
  return text[at] == '\t' ? " " : "?";
}

}  // namespace

TextSpan join(const TextSpan& first, const TextSpan& last) {
  const std::size_t begin = std::min(first.begin, last.begin);
  return {begin, std::max(first.end(), last.end()) - begin};
}

LanguageError::LanguageError(std::string_view text, TextSpan span, std::string message_text,
                             std::string hint_text)
    : SpecError(cat(message_text, hint_text.empty() ? "" : "; ", hint_text, '\n',
                    show_caret(text, span))),
      begin(span.begin),
      length(span.length),
      message(std::move(message_text)),
      hint(std::move(hint_text)) {}

std::string show_caret(std::string_view text, TextSpan span) {
  const std::size_t begin = std::min(span.begin, text.size());
  const std::size_t end = std::min(begin + span.length, text.size());

  std::size_t first = begin;
  std::size_t before = 0;  // characters between `first` and `begin`
  while (first > 0 && before < kShownBefore && !is_line_end(text[first - 1])) {
    first = step_back(text, first);
    ++before;
  }
  const bool cut_before = first > 0 && !is_line_end(text[first - 1]);

  std::string line = cut_before ? "..." : "";
  std::string mark((cut_before ? 3 : 0) + before, ' ');
  mark += '^';
  std::size_t at = first;
  std::size_t shown = 0;
  for (; at < text.size() && !is_line_end(text[at]) && shown < before + kShownAfter; ++shown) {
    const CodePoint character = decode_utf8(text, at);
    line += printable(text, at, character);
    if (at > begin && at < end) mark += '~';
    at += character.length;
  }
  if (at < text.size() && !is_line_end(text[at])) line += "...";
  return cat("  ", line, "\n  ", mark);
}

std::string quoted(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  std::string result = "'";
  std::size_t at = 0;
  while (at < text.size() && at < kLongest) {
    const CodePoint character = decode_utf8(text, at);
    result += printable(text, at, character);
    at += character.length;
  }
  return result + (at < text.size() ? "...'" : "'");
}

}  // namespace jacquard::models
