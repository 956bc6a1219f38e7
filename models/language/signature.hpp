// The head of a function that a spec defines: "kl(p, q)".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "models/language/language_error.hpp"

namespace jacquard::models {

struct Signature {
  std::string name;
  std::vector<std::string> arguments;  // different from each other; may be empty

  bool operator==(const Signature&) const = default;
};

// Reads a name and, in parentheses, names between commas. Throws LanguageError for anything else,
// also for an argument that is there twice.
Signature parse_signature(std::string_view text);

}  // namespace jacquard::models
