// Showing a piece of the user's text: line and column of a byte, the line round it with a caret,
// and any text made safe for a terminal. Knows neither JSON nor errors.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jacquard::experiments {

// Both from 1; columns count characters (code points; a byte that is no UTF-8 counts as one), a tab
// is one, a byte order mark none.
struct Position {
  int line = 0, column = 0;
};
Position position_of(std::string_view text, std::size_t offset);

// A line of the text as it can be printed, and where its caret stands in columns of that line.
struct Excerpt {
  std::string line;
  int caret_begin = 0, caret_length = 0;
};

inline constexpr std::size_t kExcerptColumns = 100;

// The line that holds byte `begin`, with a caret under [begin, end) as far as it lies in that line,
// at least one column. Tabs become single spaces, control bytes escapes such as \x1b; of a line of
// more than kExcerptColumns columns a window round the caret is left, with "..." where it was cut.
Excerpt excerpt(std::string_view text, std::size_t begin, std::size_t end);

// The text with everything that could steer a terminal or mislead a reader written as an escape:
// control characters, bytes that are no UTF-8, marks of writing direction.
std::string printable(std::string_view text);

// printable(), cut to at most `columns` columns, the last three of which are then "...".
std::string shortened(std::string_view text, std::size_t columns = 60);

// shortened() in quotes '...', as error messages show the user's text. (Not named quoted: argument-
// dependent lookup would find std::quoted for a std::string.)
std::string in_quotes(std::string_view text);

bool is_utf8(std::string_view text);

}  // namespace jacquard::experiments
