#include "nn/activations.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "autodiff/closest.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::nn {
namespace {

Expr same(Expr x) { return x; }

constexpr std::array kActivations = {
    Activation{"identity", same},
    Activation{"linear", same},
    Activation{"sigmoid", sigmoid},
    Activation{"tanh", tanh},
    Activation{"softplus", softplus},
    Activation{"relu", relu},
    Activation{"leaky_relu", [](Expr x) { return leaky_relu(x); }},
    Activation{"elu", [](Expr x) { return elu(x); }},
    Activation{"selu", selu},
    Activation{"gelu", gelu},
    Activation{"sin", sin},
};

}  // namespace

std::span<const Activation> activations() { return kActivations; }

const Activation& find_activation(std::string_view where, std::string_view name) {
  const auto* found = std::ranges::find(kActivations, name, &Activation::name);
  if (found != kActivations.end()) return *found;
  std::vector<std::string> known;
  std::string listed;
  for (const Activation& activation : kActivations) {
    known.emplace_back(activation.name);
    listed += cat(listed.empty() ? "" : ", ", activation.name);
  }
  const std::string near = closest(name, known);
  throw SpecError(cat(where, ": unknown activation '", name, "'; ",
                      near.empty() ? "" : cat("did you mean '", near, "'? "),
                      "known activations: ", listed));
}

bool is_identity(const Activation& activation) { return activation.function == same; }

Expr activate(std::string_view name, Expr x) {
  return find_activation("activation", name).function(x);
}

}  // namespace jacquard::nn
