#include "nn/choice.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/attribute.hpp"
#include "autodiff/closest.hpp"
#include "autodiff/error.hpp"

namespace jacquard::nn {
namespace {

template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  for (const auto& entry : table) names.emplace_back(entry.name);
  return names;
}

std::string listed(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string did_you_mean(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = closest(word, known);
  return near.empty() ? "" : cat("did you mean '", near, "'? ");
}

const Kind* find_kind(std::span<const Kind> kinds, std::string_view name) {
  const auto found = std::ranges::find(kinds, name, &Kind::name);
  return found == kinds.end() ? nullptr : &*found;
}

void check_option(std::string_view where, const Option& option, double value) {
  if (option.flag && value != 0 && value != 1)
    throw SpecError(
        cat(where, ": ", option.name, " = ", number_text(value), "; it must be true or false"));
  if (option.whole && value != std::floor(value))
    throw SpecError(
        cat(where, ": ", option.name, " = ", number_text(value), "; it must be a whole number"));
  if (!(value >= option.low && value <= option.high))
    throw SpecError(cat(where, ": ", option.name, " = ", number_text(value),
                        " is out of range; it must lie between ", number_text(option.low), " and ",
                        number_text(option.high)));
}

}  // namespace

void check_choice(std::string_view where, std::span<const Kind> kinds, const Choice& choice) {
  const Kind* kind = find_kind(kinds, choice.kind);
  if (kind == nullptr) {
    const std::vector<std::string> known = names_of(kinds);
    throw SpecError(cat(where, ": unknown kind '", choice.kind, "'; ",
                        did_you_mean(choice.kind, known), "known kinds: ", listed(known)));
  }
  const std::vector<std::string> known = names_of(kind->options);
  for (const auto& [name, value] : choice.options) {
    const auto found = std::ranges::find(kind->options, name, &Option::name);
    if (found == kind->options.end())
      throw SpecError(cat(where, ": '", kind->name, "' has no option '", name, "'; ",
                          did_you_mean(name, known),
                          "known options: ", known.empty() ? "none" : listed(known)));
    check_option(where, *found, value);
  }
  for (const Option& option : kind->options)
    if (!option.fallback && !choice.options.contains(std::string(option.name)))
      throw SpecError(cat(where, ": '", kind->name, "' needs the option '", option.name, "' (",
                          option.meaning, ")"));
}

double option(std::span<const Kind> kinds, const Choice& choice, std::string_view name) {
  if (const auto given = choice.options.find(std::string(name)); given != choice.options.end())
    return given->second;
  if (const Kind* kind = find_kind(kinds, choice.kind); kind != nullptr) {
    const auto found = std::ranges::find(kind->options, name, &Option::name);
    if (found != kind->options.end() && found->fallback) return *found->fallback;
  }
  throw InternalError(cat("'", choice.kind, "' has no value for the option '", name, "'"));
}

}  // namespace jacquard::nn
