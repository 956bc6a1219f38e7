// A choice by name out of a table of kinds, each with its numbers: how initial values and
// optimizers are asked for, whether by a spec or by a C++ program. The tables are also what error
// messages, the schema of specs and the documentation list.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace jacquard::nn {

struct Choice {
  std::string kind;
  std::map<std::string, double> options = {};

  bool operator==(const Choice&) const = default;
};

struct Option {
  std::string_view name;
  std::optional<double> fallback;  // nothing: it must be given
  double low, high;                // allowed values, both included
  std::string_view meaning;
  bool flag = false;   // true or false, given as 1 or 0
  bool whole = false;  // a whole number
};

struct Kind {
  std::string_view name;
  std::string_view meaning;
  std::vector<Option> options = {};
};

// Throws SpecError beginning with `where` when there is no such kind, an option is unknown, missing
// or out of its range.
void check_choice(std::string_view where, std::span<const Kind> kinds, const Choice& choice);

// The number of one option, given or by default. The choice must have passed check_choice().
double option(std::span<const Kind> kinds, const Choice& choice, std::string_view name);

}  // namespace jacquard::nn
