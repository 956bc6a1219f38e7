#include "experiments/values.hpp"

#include <algorithm>

#include "autodiff/error.hpp"

namespace jacquard::experiments {

void Values::add(const std::string& name, Tensor<float> value) {
  if (!values_.emplace(name, std::move(value)).second)
    throw InternalError(cat("values: '", name, "' is there already"));
}

void Values::keep_only(const std::set<std::string>& names) {
  std::erase_if(values_, [&](const auto& entry) { return !names.contains(entry.first); });
}

void Values::set(const std::string& name, const Tensor<float>& value) {
  const auto at = values_.find(name);
  if (at == values_.end() || !(at->second.shape == value.shape))
    throw InternalError(cat("values: '", name, "' is not there in the shape ", value.shape));
  std::ranges::copy(value.data, at->second.data.begin());
}

}  // namespace jacquard::experiments
