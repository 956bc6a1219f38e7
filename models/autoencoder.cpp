#include "models/autoencoder.hpp"

#include <algorithm>

#include "autodiff/attribute.hpp"
#include "autodiff/closest.hpp"
#include "autodiff/error.hpp"
#include "models/layer_text.hpp"

namespace jacquard::models {
namespace {

constexpr const char* kWhere = "autoencoder";

void check_corruption(const Corruption& corruption) {
  const std::vector<std::string>& known = corruption_kinds();
  if (std::ranges::find(known, corruption.kind) == known.end()) {
    const std::string near = closest(corruption.kind, known);
    throw SpecError(cat(kWhere, ": unknown corruption '", corruption.kind, "'; ",
                        near.empty() ? "" : cat("did you mean '", near, "'? "),
                        "known corruptions: masking_noise, gaussian_noise, salt_and_pepper"));
  }
  const bool probability = corruption.kind != "gaussian_noise";
  if (!(corruption.amount >= 0) || (probability && corruption.amount > 1))
    throw SpecError(cat(kWhere, ": ", corruption.kind, " of ", number_text(corruption.amount),
                        probability ? "; a probability in [0, 1] is needed"
                                    : "; a standard deviation must not be negative"));
}

void check_config(const AutoencoderConfig& config) {
  check_size(kWhere, "inputs", config.inputs);
  if (config.hidden.empty())
    throw SpecError(cat(kWhere, ": hidden is empty; one size per layer is needed"));
  check_sizes(kWhere, "hidden", config.hidden);
  if (config.output != "sigmoid" && config.output != "linear")
    throw SpecError(
        cat(kWhere, ": unknown output '", config.output, "'; it must be sigmoid or linear"));
  if (config.corruption) check_corruption(*config.corruption);
}

// Writes the texts of one autoencoder; layers count from 1, layer 0 is the input.
class Writer {
 public:
  explicit Writer(const AutoencoderConfig& config)
      : config_(config), layers_(config.hidden.size()) {}

  Declarations write() {
    declare_parameters();
    if (config_.corruption)
      define("corrupted",
             cat(config_.corruption->kind, "(x, ", number_text(config_.corruption->amount), ')'));
    for (std::size_t k = 1; k <= layers_; ++k)
      define(code(k), activated(kWhere, config_.activation,
                                cat(code(k - 1), " @ ", name("W", k), " + ", name("b", k))));
    for (std::size_t k = layers_; k >= 1; --k) decode(k);
    define("y", activated(kWhere, config_.output, "logits"));
    return std::move(result_);
  }

 private:
  std::string name(std::string_view stem, std::size_t layer) const {
    return numbered(stem, layer, layers_);
  }
  std::int64_t size(std::size_t layer) const {
    return layer == 0 ? config_.inputs : config_.hidden[layer - 1];
  }
  std::string code(std::size_t layer) const {
    if (layer == 0) return config_.corruption ? "corrupted" : "x";
    return layer == layers_ ? "h" : cat('h', layer);
  }
  std::string decoded(std::size_t layer) const { return layer == layers_ ? "h" : cat('g', layer); }

  void declare_parameters() {
    auto& parameters = result_.parameters;
    for (std::size_t k = 1; k <= layers_; ++k) {
      parameters.push_back({name("W", k), {size(k - 1), size(k)}, config_.initial});
      parameters.push_back({name("b", k), {size(k)}});
    }
    for (std::size_t k = 1; k <= layers_; ++k) {
      if (!config_.tied)
        parameters.push_back({name("V", k), {size(k), size(k - 1)}, config_.initial});
      parameters.push_back({name("c", k), {size(k - 1)}});
    }
  }

  // From layer k to the one below it.
  void decode(std::size_t k) {
    const std::string weights = config_.tied ? name("W", k) + ".T" : name("V", k);
    const std::string text = cat(decoded(k), " @ ", weights, " + ", name("c", k));
    if (k == 1)
      define("logits", text);
    else
      define(decoded(k - 1), activated(kWhere, config_.activation, text));
  }

  void define(std::string definition, std::string text) {
    result_.define.emplace_back(std::move(definition), std::move(text));
  }

  const AutoencoderConfig& config_;
  std::size_t layers_;
  Declarations result_;
};

}  // namespace

const std::vector<std::string>& corruption_kinds() {
  static const std::vector<std::string> kinds = {"masking_noise", "gaussian_noise",
                                                 "salt_and_pepper"};
  return kinds;
}

Declarations autoencoder(const AutoencoderConfig& config) {
  check_config(config);
  return Writer(config).write();
}

}  // namespace jacquard::models
