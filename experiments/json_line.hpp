// One line of metrics.jsonl: flat fields in the order in which they were added.
//
// JSON knows no infinity and no NaN: such a number is written as null and its name is listed in a
// last field "nonfinite", so that no reader takes it for a missing value.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jacquard::experiments {

// The shortest text that reads back as the same number; a whole number keeps its ".0", so that a
// column of numbers has one type. "null" for a number that is not finite.
std::string json_number(double value);
std::string json_number(float value);
// The text in quotes, escaped; bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

class JsonLine {
 public:
  // Each throws InternalError for a name that is already there or is "nonfinite".
  JsonLine& add(std::string_view name, double value);
  JsonLine& add(std::string_view name, float value);
  JsonLine& add(std::string_view name, bool value);
  JsonLine& add(std::string_view name, std::string_view value);
  JsonLine& add(std::string_view name, const char* value) {
    return add(name, std::string_view(value));
  }
  template <std::integral Integer>
  JsonLine& add(std::string_view name, Integer value) {
    return add_field(name, std::to_string(value));
  }

  // The object on one line, without the newline.
  std::string text() const;

 private:
  JsonLine& add_field(std::string_view name, std::string value);

  struct Field {
    std::string name, value;
  };
  std::vector<Field> fields_;
  std::vector<std::string> nonfinite_;
};

}  // namespace jacquard::experiments
