#include "models/mlp.hpp"

#include "autodiff/error.hpp"
#include "models/layer_text.hpp"

namespace jacquard::models {

Declarations mlp(const MlpConfig& config) {
  constexpr const char* kWhere = "mlp";
  check_size(kWhere, "inputs", config.inputs);
  check_size(kWhere, "classes", config.classes);
  check_sizes(kWhere, "hidden", config.hidden);
  const std::size_t layers = config.hidden.size() + 1;
  Declarations result;
  std::int64_t below = config.inputs;
  std::string from = "x";
  for (std::size_t k = 1; k <= layers; ++k) {
    const std::string W = numbered("W", k, layers), b = numbered("b", k, layers);
    const std::int64_t size = k == layers ? config.classes : config.hidden[k - 1];
    result.parameters.push_back({W, {below, size}, config.initial});
    result.parameters.push_back({b, {size}});
    const std::string text = cat(from, " @ ", W, " + ", b);
    from = k == layers ? "logits" : cat('h', k);
    result.define.emplace_back(from,
                               k == layers ? text : activated(kWhere, config.activation, text));
    below = size;
  }
  result.define.emplace_back("y", "softmax(logits)");
  return result;
}

}  // namespace jacquard::models
