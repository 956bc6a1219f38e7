#include "models/short_form.hpp"

#include <algorithm>
#include <string>

#include "autodiff/closest.hpp"
#include "autodiff/error.hpp"

namespace jacquard::models {

std::span<const ModelKind> model_kinds() {
  static const std::vector<ModelKind> kinds = {
      {"autoencoder",
       "encoder h, decoder y of the same shape as x, with tied or untied weights",
       {"inputs", "hidden", "tied", "activation", "output", "corruption", "init"},
       AutoencoderConfig{}},
      {"mlp",
       "classifier with hidden layers: logits and y = softmax(logits)",
       {"inputs", "hidden", "classes", "activation", "init"},
       MlpConfig{}},
      {"logistic",
       "logistic regression: logits = x @ W + b and y = softmax(logits)",
       {"inputs", "classes", "init"},
       MlpConfig{}},
  };
  return kinds;
}

const ModelKind& find_model_kind(std::string_view name) {
  const auto kinds = model_kinds();
  if (const auto found = std::ranges::find(kinds, name, &ModelKind::name); found != kinds.end())
    return *found;
  std::vector<std::string> known;
  std::string listed;
  for (const ModelKind& kind : kinds) {
    known.emplace_back(kind.name);
    listed += cat(listed.empty() ? "" : ", ", kind.name);
  }
  const std::string near = closest(name, known);
  throw SpecError(cat("model: unknown kind '", name, "'; ",
                      near.empty() ? "" : cat("did you mean '", near, "'? "),
                      "known kinds: ", listed));
}

Declarations expand(const ShortForm& form) {
  if (const auto* config = std::get_if<AutoencoderConfig>(&form)) return autoencoder(*config);
  return mlp(std::get<MlpConfig>(form));
}

}  // namespace jacquard::models
