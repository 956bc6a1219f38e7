// What a training begins with.
#pragma once

#include <set>
#include <string>

#include "experiments/spec.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

// What is carried from stage to stage: the model's parameters and its state.
std::set<std::string> carried_names(const Spec& spec);

// Adds them: from the checkpoint spec.initial where it holds them, else drawn by the spec's seed.
// Throws SpecError for a checkpoint that cannot be read, holds one of them in another shape, or
// holds none.
void add_first_values(const Spec& spec, Values& values);

}  // namespace jacquard::experiments
