#include "experiments/first_values.hpp"

#include <algorithm>
#include <optional>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/safetensors.hpp"

namespace jacquard::experiments {

std::set<std::string> carried_names(const Spec& spec) {
  std::set<std::string> names;
  for (const models::Parameter& p : spec.model.parameters) names.insert(p.name);
  for (const models::State& s : spec.model.state) names.insert(s.name);
  return names;
}

void add_first_values(const Spec& spec, Values& values) {
  SafeTensors from;
  if (!spec.initial.empty()) from = read_safetensors(spec.initial);
  std::size_t found = 0;
  const auto add = [&](const std::string& name, const Shape& shape, const nn::Initializer& init) {
    if (std::ranges::find(from.tensors, name, &SavedTensor::name) == from.tensors.end()) {
      values.add(name, cast<float>(nn::initial_value(init, shape, spec.seed, name)));
      return;
    }
    ++found;
    Tensor<float> value = tensor<float>(from, name);
    if (!(value.shape == shape))
      throw SpecError(cat("/initial: ", in_quotes(spec.initial), " holds '", name,
                          "' in the shape ", value.shape, ", the model has it in ", shape));
    values.add(name, std::move(value));
  };
  for (const models::Parameter& p : spec.model.parameters) add(p.name, p.shape, p.initial);
  for (const models::State& s : spec.model.state) add(s.name, s.shape, s.initial);
  if (!spec.initial.empty() && found == 0)
    throw SpecError(
        cat("/initial: ", in_quotes(spec.initial), " holds none of the model's parameters"));
}

}  // namespace jacquard::experiments
