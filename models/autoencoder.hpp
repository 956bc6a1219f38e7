// The short form of autoencoders: a few numbers in, declarations in the cost language out, so that
// a reader can start from the short form and edit the long one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "models/declarations.hpp"

namespace jacquard::models {

struct Corruption {
  std::string kind;   // masking_noise, gaussian_noise or salt_and_pepper
  double amount = 0;  // the probability, or the standard deviation

  bool operator==(const Corruption&) const = default;
};

// The functions of the language that can corrupt an input, for the schema of specs.
const std::vector<std::string>& corruption_kinds();

struct AutoencoderConfig {
  std::int64_t inputs = 0;                // numbers per example
  std::vector<std::int64_t> hidden = {};  // units of the encoder's layers, the code last
  bool tied = true;                       // the decoder uses the encoder's weights, transposed
  std::string activation = "sigmoid";
  std::string output = "sigmoid";  // sigmoid, or linear
  std::optional<Corruption> corruption = {};
  nn::Initializer initial = {};  // of the weights

  bool operator==(const AutoencoderConfig&) const = default;
};

// One layer: parameters W [inputs, hidden], b [hidden], c [inputs] and, if not tied, V
// [hidden, inputs]; definitions
//     h = sigmoid(x @ W + b), logits = h @ W.T + c, y = sigmoid(logits)
// With L layers the names are W1 ... WL, b1 ..., c1 ..., V1 ...; h1, h2, ... are the layers below
// the code h, and g1, g2, ... what the decoder makes of them. A linear output has y = logits. A
// corruption defines `corrupted`, from which h is then computed.
// Throws SpecError for sizes, names and amounts that are not valid.
Declarations autoencoder(const AutoencoderConfig& config);

}  // namespace jacquard::models
