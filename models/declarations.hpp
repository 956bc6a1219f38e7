// Declarations: a model as names and texts of the cost language, whether a spec or a C++ program
// asks for it. Nothing is computed here; Model records them on a tape.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autodiff/shape.hpp"
#include "nn/initial_values.hpp"

namespace jacquard::models {

// A tensor that is trained.
struct Parameter {
  std::string name;
  Shape shape;
  nn::Initializer initial = {};  // glorot_uniform for two and more axes, zeros else

  bool operator==(const Parameter&) const = default;
};

// A tensor that is carried from step to step: after each step it becomes the value of `next`.
struct State {
  std::string name;
  Shape shape;
  nn::Initializer initial = {};
  std::string next;

  bool operator==(const State&) const = default;
};

struct Declarations {
  std::vector<Parameter> parameters = {};
  // Name and text, in any order: {"h", "sigmoid(x @ W + b)"}.
  std::vector<std::pair<std::string, std::string>> define = {};
  // Signature and text: {"kl(p, q)", "p*log(p/q) + (1-p)*log((1-p)/(1-q))"}.
  std::vector<std::pair<std::string, std::string>> functions = {};
  std::vector<State> state = {};

  bool operator==(const Declarations&) const = default;
};

}  // namespace jacquard::models
