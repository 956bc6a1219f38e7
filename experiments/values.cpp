#include "experiments/values.hpp"

#include "autodiff/error.hpp"

namespace jacquard::experiments {

void Values::add(const std::string& name, Tensor<float> value) {
  if (!values_.emplace(name, std::move(value)).second)
    throw InternalError(cat("values: '", name, "' is there already"));
}

std::string Values::checkpoint(std::int64_t epoch, std::uint64_t step) const {
  SafeTensors content;
  for (const auto& [name, value] : values_) content.tensors.push_back({name, value});
  content.metadata = {{"epoch", std::to_string(epoch)}, {"step", std::to_string(step)}};
  return safetensors_bytes(content);
}

}  // namespace jacquard::experiments
