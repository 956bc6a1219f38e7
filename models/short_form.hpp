// The kinds of models that have a short form: one table, from which specs are read and documented.
#pragma once

#include <span>
#include <string_view>
#include <variant>
#include <vector>

#include "models/autoencoder.hpp"
#include "models/mlp.hpp"

namespace jacquard::models {

using ShortForm = std::variant<AutoencoderConfig, MlpConfig>;

struct ModelKind {
  std::string_view name;  // the "kind" of a spec's model
  std::string_view meaning;
  std::vector<std::string_view> fields;  // of the spec, in the order of the config
  ShortForm defaults;
};

std::span<const ModelKind> model_kinds();

// Throws SpecError with a "did you mean" when there is no such kind.
const ModelKind& find_model_kind(std::string_view name);

// The declarations that the short form stands for. Throws SpecError.
Declarations expand(const ShortForm& form);

}  // namespace jacquard::models
