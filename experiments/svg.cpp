#include "experiments/svg.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

std::string number(double value, std::chars_format format, int precision) {
  if (value == 0) value = 0;  // no -0
  char buffer[400];
  return std::string(buffer,
                     std::to_chars(buffer, buffer + sizeof buffer, value, format, precision).ptr);
}

// Markup escaped; control characters, which XML forbids, become spaces. Invalid UTF-8 becomes '?'.
std::string escaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    std::size_t length = byte < 0x80   ? 1
                         : byte < 0xc2 ? 0
                         : byte < 0xe0 ? 2
                         : byte < 0xf0 ? 3
                         : byte < 0xf5 ? 4
                                       : 0;
    if (length > text.size() - i) length = 0;
    for (std::size_t k = 1; k < length; ++k)
      if ((static_cast<unsigned char>(text[i + k]) & 0xc0) != 0x80) length = 0;
    if (length == 0) {
      result += '?';
      ++i;
      continue;
    }
    if (byte == '&')
      result += "&amp;";
    else if (byte == '<')
      result += "&lt;";
    else if (byte == '>')
      result += "&gt;";
    else if (byte == '"')
      result += "&quot;";
    else if (byte < 0x20 || byte == 0x7f)
      result += ' ';
    else
      result += text.substr(i, length);
    i += length;
  }
  return result;
}

}  // namespace

std::string svg_begin(double width, double height, std::string_view title) {
  const std::string w = svg_number(width), h = svg_number(height);
  return cat("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", w, "\" height=\"", h,
             "\" viewBox=\"0 0 ", w, " ", h,
             "\" role=\"img\" font-family=\"sans-serif\" font-size=\"12\" "
             "fill=\"#333333\">\n<title>",
             escaped(title), "</title>\n",
             "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n");
}

std::string svg_number(double value) { return number(value, std::chars_format::fixed, 2); }

std::string svg_text(double x, double y, std::string_view attributes, std::string_view text) {
  return cat("<text x=\"", svg_number(x), "\" y=\"", svg_number(y), "\" ", attributes, ">",
             escaped(text), "</text>\n");
}

std::string svg_line(double x1, double y1, double x2, double y2, std::string_view stroke) {
  return cat("<line x1=\"", svg_number(x1), "\" y1=\"", svg_number(y1), "\" x2=\"", svg_number(x2),
             "\" y2=\"", svg_number(y2), "\" stroke=\"", stroke, "\"/>\n");
}

std::string tick_text(const std::vector<double>& ticks, double tick) {
  double step = std::abs(tick);
  for (std::size_t i = 1; i < ticks.size(); ++i) step = std::min(step, ticks[i] - ticks[i - 1]);
  // The quotient of a large tick and a small step may be infinite. 6 digits keep 100000 from
  // becoming 1e+05.
  const double digits =
      tick == 0 || step <= 0 ? 1 : 2 + std::log10(std::max(1.0, std::abs(tick) / step));
  return number(tick, std::chars_format::general, static_cast<int>(std::clamp(digits, 6.0, 15.0)));
}

}  // namespace jacquard::experiments
