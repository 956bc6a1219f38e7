// Activations: the one table of the functions that a spec may name for a layer.
#pragma once

#include <span>
#include <string_view>

#include "autodiff/tape.hpp"

namespace jacquard::nn {

struct Activation {
  std::string_view name;
  Expr (*function)(Expr);
};

// Every name but "identity" and "linear" (which do nothing) is also a function of the cost
// language, with the same value.
std::span<const Activation> activations();

// Throws SpecError beginning with `where` for a name that is not in the table.
const Activation& find_activation(std::string_view where, std::string_view name);
bool is_identity(const Activation& activation);

// The activation of that name applied to x, elementwise. Throws SpecError.
Expr activate(std::string_view name, Expr x);

}  // namespace jacquard::nn
