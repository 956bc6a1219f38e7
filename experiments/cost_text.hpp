// The cost written out: the text of each term with the definitions put in, for people.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "models/declarations.hpp"

namespace jacquard::experiments {

using NamedText = std::pair<std::string, std::string>;

struct WrittenCost {
  std::vector<NamedText> terms;
  // What the texts call by name, in the order of dependency: definitions that draw random numbers
  // (written twice they would look like two draws), those that would make a text too long, and the
  // user's functions, under their signatures.
  std::vector<NamedText> where;
};

// Texts longer than this keep the names of their parts.
inline constexpr std::size_t kMaxWrittenNodes = 300;

// Terms are names and texts. Requires: all texts have been recorded without a mistake.
WrittenCost written_out(const models::Declarations& model, const std::vector<NamedText>& terms);

}  // namespace jacquard::experiments
