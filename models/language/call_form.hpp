// Which argument of a call belongs to which parameter of the function, for functions of the
// language and of the user alike.
#pragma once

#include <string>
#include <vector>

#include "models/language/functions.hpp"
#include "models/language/signature.hpp"
#include "models/language/syntax_tree.hpp"

namespace jacquard::models {

struct CallForm {
  struct Parameter {
    std::string name;
    bool required = true;
  };
  std::string name;       // of the function
  std::string signature;  // as errors show it
  std::vector<Parameter> parameters;
  bool rest = false;  // the last parameter takes all arguments that follow
};

CallForm form_of(const Function& function);
CallForm form_of(const Signature& signature);

// For each parameter the child of the call that is its value, -1 for one that is left out; the
// arguments of a rest stand at the end. Throws LanguageError.
std::vector<int> bind_call(const SyntaxTree& tree, const SyntaxNode& call, const CallForm& form);

}  // namespace jacquard::models
