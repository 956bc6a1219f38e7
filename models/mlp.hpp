// The short form of classifiers: a multi-layer perceptron, or logistic regression without layers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/declarations.hpp"

namespace jacquard::models {

struct MlpConfig {
  std::int64_t inputs = 0;                // numbers per example
  std::vector<std::int64_t> hidden = {};  // units of the hidden layers; none: logistic regression
  std::int64_t classes = 0;
  std::string activation = "relu";
  nn::Initializer initial = {};  // of the weights

  bool operator==(const MlpConfig&) const = default;
};

// With L layers in all (the output's included): parameters W1 [inputs, hidden], b1, ..., or W and b
// for one; definitions h1, h2, ..., logits [batch, classes] and y = softmax(logits). The cost is
// usually mean(softmax_cross_entropy(logits, labels)).
// Throws SpecError for sizes and names that are not valid.
Declarations mlp(const MlpConfig& config);

}  // namespace jacquard::models
