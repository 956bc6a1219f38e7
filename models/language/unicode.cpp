#include "models/language/unicode.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "autodiff/error.hpp"

namespace jacquard::models {
namespace {

struct Lookalike {
  char32_t value;
  std::string_view name;
  std::string_view hint;
};

// What people paste from papers, word processors and chats.
constexpr std::array kLookalikes = {
    Lookalike{0x00A0, "no-break space", "write an ordinary space"},
    Lookalike{0x00AC, "not sign", "write 'not'"},
    Lookalike{0x00B2, "superscript two", "write '^2'"},
    Lookalike{0x00B3, "superscript three", "write '^3'"},
    Lookalike{0x00B7, "middle dot", "write '*'"},
    Lookalike{0x00D7, "multiplication sign", "write '*'"},
    Lookalike{0x00F7, "division sign", "write '/'"},
    Lookalike{0x1D40, "modifier letter capital T", "write '.T' for the transpose"},
    Lookalike{0x200B, "zero width space", "delete this invisible character"},
    Lookalike{0x2010, "hyphen", "write '-'"},
    Lookalike{0x2011, "non-breaking hyphen", "write '-'"},
    Lookalike{0x2013, "en dash", "write '-'"},
    Lookalike{0x2014, "em dash", "write '-'"},
    Lookalike{0x2016, "double vertical line", "write sqnorm(t) or norm(t)"},
    Lookalike{0x2018, "left single quotation mark", "write a straight quote"},
    Lookalike{0x2019, "right single quotation mark", "write a straight quote"},
    Lookalike{0x201C, "left double quotation mark", "write a straight quote"},
    Lookalike{0x201D, "right double quotation mark", "write a straight quote"},
    Lookalike{0x2032, "prime", "write '.T' for the transpose"},
    Lookalike{0x2202, "partial differential", "write gradient(cost, p) or jacobian(h, x)"},
    Lookalike{0x2207, "nabla", "write gradient(cost, p) or jacobian(h, x)"},
    Lookalike{0x2211, "summation sign", "write sum(t)"},
    Lookalike{0x2212, "minus sign", "write '-'"},
    Lookalike{0x2217, "asterisk operator", "write '*'"},
    Lookalike{0x221A, "square root", "write sqrt(t)"},
    Lookalike{0x2227, "logical and", "write 'and'"},
    Lookalike{0x2228, "logical or", "write 'or'"},
    Lookalike{0x2260, "not equal to", "write '!='"},
    Lookalike{0x2264, "less-than or equal to", "write '<='"},
    Lookalike{0x2265, "greater-than or equal to", "write '>='"},
    Lookalike{0x2299, "circled dot operator", "write '*'"},
    Lookalike{0x22A4, "down tack", "write '.T' for the transpose"},
    Lookalike{0x22C5, "dot operator", "write '*'"},
    Lookalike{0x3000, "ideographic space", "write an ordinary space"},
    Lookalike{0xFEFF, "byte order mark", "delete this invisible character"},
};

const Lookalike* find_lookalike(char32_t value) {
  const auto* found = std::ranges::find(kLookalikes, value, &Lookalike::value);
  return found == kLookalikes.end() ? nullptr : found;
}

bool is_greek(char32_t value) { return value >= 0x0391 && value <= 0x03C9; }

std::string hexadecimal(const char* format, unsigned long value) {
  std::array<char, 24> buffer{};
  std::snprintf(buffer.data(), buffer.size(), format, value);
  return buffer.data();
}

}  // namespace

CodePoint decode_utf8(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return {lead, 1, true};
  const CodePoint invalid{lead, 1, false};
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || at + length > text.size()) return invalid;
  char32_t value = lead & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return invalid;
    value = (value << 6) | (byte(at + i) & 0x3FU);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
  if (overlong || surrogate || value > 0x10FFFF) return invalid;
  return {value, length, true};
}

bool is_printable(const CodePoint& character) {
  if (!character.valid) return false;
  const char32_t value = character.value;
  const bool control = value < 0x20 || (value >= 0x7F && value < 0xA0);
  // Marks that join, hide or turn the direction of the text would move the caret.
  const bool invisible = (value >= 0x0300 && value <= 0x036F) ||
                         (value >= 0x200B && value <= 0x200F) ||
                         (value >= 0x2028 && value <= 0x202E) ||
                         (value >= 0x2060 && value <= 0x206F) || value == 0xFEFF;
  return !control && !invisible;
}

std::string describe_character(std::string_view text, std::size_t at) {
  const CodePoint character = decode_utf8(text, at);
  if (!character.valid) return "byte " + hexadecimal("0x%02lx", character.value);
  if (character.value < 0x20 || character.value == 0x7F)
    return "control character " + hexadecimal("0x%02lx", character.value);
  std::string result = "character";
  if (is_printable(character)) result = cat(result, " '", text.substr(at, character.length), "'");
  if (character.value < 0x80) return result;
  result += " (U+" + hexadecimal("%04lX", character.value);
  if (const Lookalike* known = find_lookalike(character.value)) result += cat(", ", known->name);
  return result + ")";
}

std::string suggest_ascii(const CodePoint& character) {
  if (!character.valid) return "the text must be plain ASCII";
  if (const Lookalike* known = find_lookalike(character.value)) return std::string(known->hint);
  if (is_greek(character.value)) return "spell Greek letters out, as in lambda or rho";
  return "names are written with a-z, A-Z, 0-9 and _";
}

}  // namespace jacquard::models
