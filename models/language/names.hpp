// Which names an expression needs, and the order in which definitions can be recorded, whatever the
// order in which they were written.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "models/language/syntax_tree.hpp"

namespace jacquard::models {

using NameSet = std::set<std::string, std::less<>>;

// The names whose values the tree reads, each once, in the order in which they are first written;
// without those in `shadowed` (the arguments, when the tree is the body of a function), without
// the names of called functions and of keyword arguments.
std::vector<std::string> free_names(const SyntaxTree& tree, const NameSet& shadowed = {});

// The functions that the tree calls, each once, in the order in which they are first written.
// An argument never shadows a function.
std::vector<std::string> called_functions(const SyntaxTree& tree);

// A definition or function, and what it needs. Names that no definition bears (parameters, inputs,
// functions of the language) may be among them.
struct Definition {
  std::string name;
  std::vector<std::string> uses;
};

// Definitions that need each other: cycle[i] uses cycle[i + 1], and the last one uses the first.
struct CycleError : SpecError {
  explicit CycleError(std::vector<std::string> names);

  std::vector<std::string> cycle;  // begins with the least of the names
};

// The names of the definitions, each behind all that it uses; the same for every order of the
// definitions. Takes any number of them in any depth.
// Throws CycleError, and SpecError for a name that is defined twice.
std::vector<std::string> resolve_order(const std::vector<Definition>& definitions);

}  // namespace jacquard::models
