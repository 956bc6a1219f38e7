// A validator of the part of JSON Schema draft-07 that the schema of specs uses. It refuses any
// other keyword, so that nothing is taken for checked that is not.
#pragma once

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "autodiff/error.hpp"

namespace jacquard::experiments {

class SchemaValidator {
 public:
  using Json = nlohmann::ordered_json;

  explicit SchemaValidator(Json schema) : root_(std::move(schema)) {}

  bool accepts(const Json& value) const { return valid(root_, value); }

 private:
  bool valid(const Json& schema, const Json& value) const {
    if (schema.is_boolean()) return schema.get<bool>();
    if (const auto at = schema.find("$ref"); at != schema.end())
      return valid(root_.at(Json::json_pointer(at->get<std::string>().substr(1))), value);
    for (const auto& [keyword, argument] : schema.items())
      if (!check(keyword, argument, schema, value)) return false;
    return true;
  }

  static bool is_type(const std::string& type, const Json& value) {
    if (type == "object") return value.is_object();
    if (type == "array") return value.is_array();
    if (type == "string") return value.is_string();
    if (type == "boolean") return value.is_boolean();
    if (type == "number") return value.is_number();
    if (type == "integer")  // since draft-06 1.0 is one
      return value.is_number_integer() ||
             (value.is_number_float() && value.get<double>() == std::floor(value.get<double>()));
    throw Error("validator: unknown type " + type);
  }

  // Exact for all integers of 64 bits, on x86-64.
  static long double number_of(const Json& value) {
    if (value.is_number_unsigned()) return static_cast<long double>(value.get<std::uint64_t>());
    if (value.is_number_integer()) return static_cast<long double>(value.get<std::int64_t>());
    return value.get<double>();
  }

  bool check(const std::string& keyword, const Json& argument, const Json& schema,
             const Json& value) const {
    static const std::set<std::string> annotations = {"$schema", "title", "description",
                                                      "definitions", "properties"};
    if (keyword == "type") return is_type(argument, value);
    if (keyword == "const") return value == argument;
    if (keyword == "enum") return std::ranges::find(argument, value) != argument.end();
    if (keyword == "oneOf")
      return std::ranges::count_if(argument,
                                   [&](const Json& each) { return valid(each, value); }) == 1;
    if (keyword.ends_with("nimum") || keyword.ends_with("ximum"))
      return !value.is_number() || in_bound(keyword, number_of(value), number_of(argument));
    if (keyword == "pattern")
      return !value.is_string() ||
             std::regex_search(value.get<std::string>(), std::regex(argument.get<std::string>()));
    if (keyword == "minItems") return !value.is_array() || value.size() >= argument;
    if (keyword == "maxItems") return !value.is_array() || value.size() <= argument;
    if (keyword == "items")
      return !value.is_array() || std::ranges::all_of(value, [&](const Json& element) {
        return valid(argument, element);
      });
    if (keyword == "minProperties") return !value.is_object() || value.size() >= argument;
    if (keyword == "required")
      return !value.is_object() || std::ranges::all_of(argument, [&](const Json& name) {
        return value.contains(name.get<std::string>());
      });
    if (keyword == "propertyNames") return names_valid(argument, value);
    if (keyword == "additionalProperties") return fields_valid(argument, schema, value);
    if (!annotations.contains(keyword)) throw Error("validator: unknown keyword " + keyword);
    return true;
  }

  static bool in_bound(const std::string& keyword, long double number, long double bound) {
    if (keyword == "minimum") return number >= bound;
    if (keyword == "maximum") return number <= bound;
    if (keyword == "exclusiveMinimum") return number > bound;
    if (keyword == "exclusiveMaximum") return number < bound;
    throw Error("validator: unknown keyword " + keyword);
  }

  bool names_valid(const Json& schema, const Json& value) const {
    if (!value.is_object()) return true;
    for (const auto& [name, field] : value.items())
      if (!valid(schema, name)) return false;
    return true;
  }

  // "properties" and "additionalProperties", which belong together.
  bool fields_valid(const Json& others, const Json& schema, const Json& value) const {
    if (!value.is_object()) return true;
    const Json none = Json::object();
    const Json& known = schema.contains("properties") ? schema.at("properties") : none;
    for (const auto& [name, field] : value.items())
      if (!valid(known.contains(name) ? known.at(name) : others, field)) return false;
    return true;
  }

  Json root_;
};

}  // namespace jacquard::experiments
