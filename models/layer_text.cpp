#include "models/layer_text.hpp"

#include "autodiff/error.hpp"
#include "nn/activations.hpp"

namespace jacquard::models {

std::string numbered(std::string_view name, std::size_t layer, std::size_t layers) {
  return layers == 1 ? std::string(name) : cat(name, layer);
}

std::string activated(std::string_view where, const std::string& activation,
                      const std::string& text) {
  const nn::Activation& found = nn::find_activation(where, activation);
  return nn::is_identity(found) ? text : cat(found.name, '(', text, ')');
}

void check_size(std::string_view where, std::string_view field, std::int64_t size) {
  if (size < 1) throw SpecError(cat(where, ": ", field, " = ", size, "; at least 1 is needed"));
}

void check_sizes(std::string_view where, std::string_view field,
                 const std::vector<std::int64_t>& sizes) {
  constexpr std::size_t kMostLayers = 100;
  if (sizes.size() > kMostLayers)
    throw SpecError(cat(where, ": ", field, " has ", sizes.size(), " layers; at most ", kMostLayers,
                        " are allowed"));
  for (std::size_t i = 0; i < sizes.size(); ++i)
    check_size(where, sizes.size() == 1 ? std::string(field) : cat(field, '/', i), sizes[i]);
}

}  // namespace jacquard::models
