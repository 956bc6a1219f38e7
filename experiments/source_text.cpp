#include "experiments/source_text.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

namespace jacquard::experiments {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kCut = "...";

struct Character {
  std::size_t bytes = 1;
  bool valid = false;  // false: one byte that is no UTF-8
  std::uint32_t code = 0;
};

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

Character character_at(std::string_view text, std::size_t at) {
  const std::uint8_t lead = byte_at(text, at);
  if (lead < 0x80) return {1, true, lead};
  const std::size_t bytes = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() - at < bytes) return {1, false, lead};
  std::uint32_t code = lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    const std::uint8_t next = byte_at(text, at + i);
    if ((next & 0xC0) != 0x80) return {1, false, lead};
    code = code << 6 | (next & 0x3F);
  }
  const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  if (overlong || (code >= 0xD800 && code <= 0xDFFF) || code > 0x10FFFF) return {1, false, lead};
  return {bytes, true, code};
}

bool steers(std::uint32_t code) {
  return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x200E || code == 0x200F ||
         (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069) || code == 0xFEFF;
}

std::string hexadecimal(std::uint32_t value, int digits) {
  std::string result;
  for (int i = digits - 1; i >= 0; --i) result += "0123456789abcdef"[(value >> (4 * i)) & 0xF];
  return result;
}

std::string shown(std::string_view text, std::size_t at, const Character& c) {
  if (!c.valid) return "\\x" + hexadecimal(c.code, 2);
  if (!steers(c.code)) return std::string(text.substr(at, c.bytes));
  if (c.code == '\n') return "\\n";
  if (c.code == '\t') return "\\t";
  return c.code < 0x80 ? "\\x" + hexadecimal(c.code, 2) : "\\u" + hexadecimal(c.code, 4);
}

// Appends what is shown of one character, a string per column.
void append_columns(std::vector<std::string>& columns, const std::string& shown_text) {
  if (static_cast<std::uint8_t>(shown_text[0]) >= 0x80) {
    columns.push_back(shown_text);
  } else {
    for (const char c : shown_text) columns.emplace_back(1, c);
  }
}

struct Line {
  std::size_t begin, end;
};

Line line_round(std::string_view text, std::size_t offset) {
  std::size_t begin = offset == 0 ? 0 : text.rfind('\n', offset - 1) + 1;  // npos + 1 is 0
  if (begin == 0 && text.starts_with(kByteOrderMark)) begin = kByteOrderMark.size();
  std::size_t end = std::min(text.find('\n', offset), text.size());
  if (end > begin && text[end - 1] == '\r') --end;
  return {begin, end};
}

// The nearest byte at or before `at` that begins a character.
std::size_t character_begin(std::string_view text, std::size_t at, std::size_t lowest) {
  for (int i = 0; i < 3 && at > lowest && (byte_at(text, at) & 0xC0) == 0x80; ++i) --at;
  return at;
}

}  // namespace

Position position_of(std::string_view text, std::size_t offset) {
  offset = std::min(offset, text.size());
  const Line line = line_round(text, offset);
  Position position{1, 1};
  position.line += static_cast<int>(
      std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(offset), '\n'));
  for (std::size_t at = line.begin; at < offset; at += character_at(text, at).bytes)
    ++position.column;
  return position;
}

Excerpt excerpt(std::string_view text, std::size_t begin, std::size_t end) {
  begin = std::min(begin, text.size());
  const Line line = line_round(text, begin);
  begin = std::clamp(begin, line.begin, line.end);
  end = std::clamp(end, begin, line.end);
  // Only what can reach the window is looked at: lines may have megabytes. A character has at most
  // 4 bytes and at least one column.
  const std::size_t reach = 4 * kExcerptColumns;
  std::size_t first = line.begin;
  if (begin - line.begin > reach) first = character_begin(text, begin - reach, line.begin);

  std::vector<std::string> columns;
  std::size_t caret_begin = std::string::npos, caret_end = std::string::npos;
  std::size_t at = first;
  while (at < line.end && at < begin + reach) {
    const Character c = character_at(text, at);
    if (caret_begin == std::string::npos && at + c.bytes > begin) caret_begin = columns.size();
    if (caret_end == std::string::npos && at >= end) caret_end = columns.size();
    append_columns(columns, c.code == '\t' ? " " : shown(text, at, c));
    at += c.bytes;
  }
  caret_begin = std::min(caret_begin, columns.size());
  caret_end = std::max(std::min(caret_end, columns.size()), caret_begin + 1);

  bool cut_left = first > line.begin, cut_right = at < line.end;
  std::size_t from = 0, to = columns.size();
  if (cut_left || cut_right || columns.size() > kExcerptColumns) {
    // A short piece that is marked stands in the middle; of a long one the beginning is shown.
    const std::size_t marked = std::min(caret_end - caret_begin, kExcerptColumns / 2);
    const std::size_t before = (kExcerptColumns - marked) / 2;
    from = caret_begin > before ? caret_begin - before : 0;
    to = std::min(from + kExcerptColumns, columns.size());
    if (to - from < kExcerptColumns && to > kExcerptColumns) from = to - kExcerptColumns;
    cut_left = cut_left || from > 0;
    cut_right = cut_right || to < columns.size();
  }
  // What the dots replace is at least as wide as they are, and the caret is kept clear of them.
  Excerpt result;
  for (std::size_t i = from; i < to; ++i) {
    const bool dot = (cut_left && i < from + kCut.size()) || (cut_right && i + kCut.size() >= to);
    result.line += dot ? "." : columns[i];
  }
  const std::size_t last = cut_right ? to - kCut.size() : std::max(to, caret_begin + 1);
  result.caret_begin = static_cast<int>(caret_begin - from);
  result.caret_length =
      static_cast<int>(std::max(std::min(caret_end, last), caret_begin + 1) - caret_begin);
  return result;
}

std::string printable(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    result += shown(text, at, c);
    at += c.bytes;
  }
  return result;
}

std::string shortened(std::string_view text, std::size_t columns) {
  const std::size_t limit = columns - std::min(columns, kCut.size());  // of columns, if it is cut
  std::string result;
  std::size_t used = 0, kept = 0;  // columns; bytes of those within the limit
  for (std::size_t at = 0; at < text.size() && used <= columns;) {
    const Character c = character_at(text, at);
    const std::string piece = shown(text, at, c);
    const bool one_column = static_cast<std::uint8_t>(piece[0]) >= 0x80;
    const std::size_t width = one_column ? 1 : piece.size();
    if (used < limit)
      kept = result.size() + (one_column ? piece.size() : std::min(width, limit - used));
    result += piece;
    used += width;
    at += c.bytes;
  }
  if (used <= columns) return result;
  result.resize(kept);
  return result.append(kCut);
}

std::string in_quotes(std::string_view text) { return "'" + shortened(text) + "'"; }

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const Character c = character_at(text, at);
    if (!c.valid) return false;
    at += c.bytes;
  }
  return true;
}

}  // namespace jacquard::experiments
