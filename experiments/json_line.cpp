#include "experiments/json_line.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::string_view kNonfinite = "nonfinite";

template <class T>
std::string shortest(T value) {
  if (!std::isfinite(value)) return "null";
  char buffer[64];
  std::string text(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

}  // namespace

std::string json_number(double value) { return shortest(value); }
std::string json_number(float value) { return shortest(value); }

std::string json_string(std::string_view text) {
  return nlohmann::json(std::string(text))
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

JsonLine& JsonLine::add(std::string_view name, double value) {
  add_field(name, json_number(value));
  if (!std::isfinite(value)) nonfinite_.emplace_back(name);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, float value) {
  add_field(name, json_number(value));
  if (!std::isfinite(value)) nonfinite_.emplace_back(name);
  return *this;
}

JsonLine& JsonLine::add(std::string_view name, bool value) {
  return add_field(name, value ? "true" : "false");
}

JsonLine& JsonLine::add(std::string_view name, std::string_view value) {
  return add_field(name, json_string(value));
}

JsonLine& JsonLine::add_field(std::string_view name, std::string value) {
  const bool taken = std::any_of(fields_.begin(), fields_.end(),
                                 [&](const Field& field) { return field.name == name; });
  if (taken || name == kNonfinite)
    throw InternalError(cat("json line: field '", name, "' is already there"));
  fields_.push_back({std::string(name), std::move(value)});
  return *this;
}

std::string JsonLine::text() const {
  std::string line = "{";
  for (const Field& field : fields_) {
    if (line.size() > 1) line += ", ";
    line += json_string(field.name) + ": " + field.value;
  }
  if (!nonfinite_.empty()) {
    line += ", " + json_string(kNonfinite) + ": [";
    for (std::size_t i = 0; i < nonfinite_.size(); ++i)
      line += (i == 0 ? "" : ", ") + json_string(nonfinite_[i]);
    line += "]";
  }
  return line + "}";
}

}  // namespace jacquard::experiments
