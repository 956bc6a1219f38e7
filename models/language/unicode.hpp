// Reads UTF-8 and names the characters that are typed or pasted by mistake into a cost text, which
// is pure ASCII: the minus sign of a typesetter, curly quotes, Greek letters.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace jacquard::models {

struct CodePoint {
  char32_t value = 0;
  std::size_t length = 1;  // in bytes
  bool valid = true;       // false: not UTF-8; one byte is taken
};

// The character that begins at byte `at`, which lies inside the text. Overlong forms, surrogates
// and values above U+10FFFF are not valid.
CodePoint decode_utf8(std::string_view text, std::size_t at);

// True for what shows as one visible character or a space in a terminal.
bool is_printable(const CodePoint& character);

// "character '−' (U+2212, minus sign)", "control character 0x07", "byte 0xff": the begin of a
// message about the character at byte `at`.
std::string describe_character(std::string_view text, std::size_t at);

// What to type in place of a character outside ASCII: "write '-'"; never empty.
std::string suggest_ascii(const CodePoint& character);

}  // namespace jacquard::models
