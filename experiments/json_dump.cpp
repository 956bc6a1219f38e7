#include "experiments/json_dump.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "autodiff/error.hpp"
#include "experiments/source_text.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

void append_text(std::string& out, const std::string& text) {
  if (!is_utf8(text))
    throw SpecError(
        cat("writing JSON: text ", in_quotes(text), " is not UTF-8; JSON holds only that"));
  out += '"';
  for (const char c : text) {
    constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
    if (const std::size_t i = kEscaped.find(c); i != std::string_view::npos) {
      out += '\\';
      out += kLetters[i];
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      const auto code = static_cast<unsigned>(c);
      out += "\\u00";
      out += "0123456789abcdef"[code >> 4];
      out += "0123456789abcdef"[code & 0xF];
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_number(std::string& out, double value) {
  if (!std::isfinite(value))
    throw SpecError(cat("writing JSON: the number ", value, " is not finite; JSON holds no such"));
  const std::string text = number_text(value);
  out += text;
  // What was read as 1.0 must not come back as the integer 1.
  if (text.find_first_of(".e") == std::string::npos) out += ".0";
}

void append_plain(std::string& out, const Json& value) {
  if (value.is_string()) {
    append_text(out, value.get_ref<const std::string&>());
  } else if (value.is_number_float()) {
    append_number(out, value.get<double>());
  } else if (value.is_number_unsigned()) {
    out += std::to_string(value.get<std::uint64_t>());
  } else if (value.is_number_integer()) {
    out += std::to_string(value.get<std::int64_t>());
  } else if (value.is_boolean()) {
    out += value.get<bool>() ? "true" : "false";
  } else if (value.is_null()) {
    out += "null";
  } else {
    throw InternalError(cat("writing JSON: a value of type ", value.type_name()));
  }
}

bool is_on_one_line(const Json& value) {
  return value.empty() || (value.is_array() && std::ranges::none_of(value, [](const Json& element) {
                             return element.is_structured();
                           }));
}

void append_line(std::string& out, const Json& value) {
  if (!value.is_structured()) return append_plain(out, value);
  out += value.is_object() ? '{' : '[';
  bool first = true;
  for (const Json& element : value) {  // none in an object, see is_on_one_line
    if (!first) out += ", ";
    first = false;
    append_plain(out, element);
  }
  out += value.is_object() ? '}' : ']';
}

struct Open {
  const Json* container;
  Json::const_iterator next;
};

void append_break(std::string& out, std::size_t depth) {
  out += '\n';
  out.append(2 * depth, ' ');
}

}  // namespace

std::string number_text(double value) {
  std::array<char, 32> digits;
  const auto result = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  std::string text(digits.data(), result.ptr);
  // 1e-04 and 1e+20 become 1e-4 and 1e20.
  if (const std::size_t e = text.find('e'); e != std::string::npos) {
    const std::size_t digit = text.find_first_not_of("+-0", e + 1);
    text.replace(e + 1, digit - e - 1, text[e + 1] == '-' ? "-" : "");
  }
  return text;
}

std::string dump_strict(const nlohmann::ordered_json& value) {
  std::string out;
  std::vector<Open> open;
  const auto append = [&](const Json& item) {
    if (!item.is_structured() || is_on_one_line(item)) return append_line(out, item);
    out += item.is_object() ? '{' : '[';
    open.push_back({&item, item.cbegin()});
  };
  append(value);
  while (!open.empty()) {
    const std::size_t depth = open.size();
    auto& [container, next] = open.back();
    if (next == container->cend()) {
      append_break(out, depth - 1);
      out += container->is_object() ? '}' : ']';
      open.pop_back();
      continue;
    }
    if (next != container->cbegin()) out += ',';
    append_break(out, depth);
    if (container->is_object()) {
      append_text(out, next.key());
      out += ": ";
    }
    const Json& item = *next;
    ++next;
    append(item);  // may move the elements of `open`
  }
  return out;
}

nlohmann::ordered_json finite_or_null(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}

}  // namespace jacquard::experiments
