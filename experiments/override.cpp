#include "experiments/override.hpp"

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "autodiff/closest.hpp"
#include "experiments/json_text.hpp"
#include "experiments/problem.hpp"
#include "experiments/source_text.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

// What stops one override; problems of overrides have no place in the file.
struct Refusal {
  std::string pointer, message, hint;
};

struct Parts {
  std::vector<std::string> names;
  std::size_t value_begin = 0;
};

Parts split(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    throw Refusal{"", "there is no '='", "the form is path.to.field=value"};
  if (!is_utf8(text)) throw Refusal{"", "the text is not UTF-8", "JSON holds only that"};
  Parts parts;
  parts.value_begin = equals + 1;
  std::string_view path = text.substr(0, equals);
  while (true) {
    const std::size_t dot = path.find('.');
    parts.names.emplace_back(path.substr(0, dot));
    if (parts.names.back().empty())
      throw Refusal{"", "the path has an empty name", "the form is path.to.field=value"};
    if (parts.names.size() > kMaxJsonDepth)
      throw Refusal{"", cat("the path has more than ", kMaxJsonDepth, " names"), ""};
    if (dot == std::string_view::npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

std::vector<std::string> names_of(const Json& object) {
  std::vector<std::string> names;
  for (const auto& [name, value] : object.items()) names.push_back(name);
  return names;
}

Refusal no_such_field(const std::string& pointer, const Json& object, const std::string& name) {
  const std::vector<std::string> names = names_of(object);
  const std::string near = closest(name, names);
  Refusal refusal{pointer, cat("there is no field ", in_quotes(name), " to walk into"), ""};
  if (!near.empty()) {
    refusal.hint = cat("did you mean '", near, "'?");
  } else if (names.empty()) {
    refusal.hint = "the object is empty; set it as a whole";
  } else {
    refusal.hint = "the fields are ";
    for (const std::string& known : names)
      refusal.hint += (&known == &names[0] ? "" : ", ") + known;
  }
  return refusal;
}

// The pointer that the names walk to. Every value on the way must be there and hold the next.
std::string walk(LocatedJson& document, const std::vector<std::string>& names) {
  std::string pointer;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool last = i + 1 == names.size();
    const bool is_cost_term = last && i >= 2 && names[i - 2] == "cost";
    if (is_cost_term && document.find(pointer)->is_string()) document.wrap(pointer, "value");
    const Json& value = *document.find(pointer);
    const std::string next = child_pointer(pointer, names[i]);
    if (value.is_array()) {
      if (document.find(next) == nullptr)
        throw Refusal{pointer, cat("there is no element ", in_quotes(names[i])),
                      cat("the array has ", value.size(), ", counted from 0")};
    } else if (!value.is_object()) {
      throw Refusal{pointer,
                    cat(shortened(value.dump(), 40), " has no field ", in_quotes(names[i])),
                    "a path walks through objects and arrays"};
    } else if (!last && document.find(next) == nullptr) {
      throw no_such_field(pointer, value, names[i]);
    }
    pointer = next;
  }
  return pointer;
}

// JSON if it is any, else text.
Json parse_value(Source& source, std::size_t begin) {
  try {
    return parse_json_value(source, begin);
  } catch (const InvalidSpec&) {
    source.plain = true;
    Place whole;
    whole.begin = static_cast<std::uint32_t>(begin);
    whole.end = static_cast<std::uint32_t>(source.text.size());
    whole.next = 1;
    source.places = {whole};
    return source.text.substr(begin);
  }
}

std::optional<Refusal> apply(LocatedJson& document, const std::string& text) {
  try {
    if (text.size() > kMaxJsonBytes) throw Refusal{"", "the override is too long", ""};
    const Parts parts = split(text);
    Source source;
    source.name = "override " + text;
    source.text = text;
    source.is_override = true;
    Json value = parse_value(source, parts.value_begin);
    document.set(walk(document, parts.names), std::move(value), std::move(source));
    return std::nullopt;
  } catch (Refusal& refusal) {
    return std::move(refusal);
  }
}

}  // namespace

void apply_overrides(LocatedJson& document, const std::vector<std::string>& overrides) {
  std::vector<Problem> problems;
  for (const std::string& text : overrides) {
    std::optional<Refusal> refusal = apply(document, text);
    if (!refusal) continue;
    Problem problem;
    problem.origin = shortened("override " + text, 100);
    problem.pointer = std::move(refusal->pointer);
    problem.message = std::move(refusal->message);
    problem.hint = std::move(refusal->hint);
    problems.push_back(std::move(problem));
  }
  if (!problems.empty()) throw InvalidSpec(std::move(problems));
}

}  // namespace jacquard::experiments
