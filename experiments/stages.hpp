// Stages: trainings one after the other over the same parameters.
#pragma once

#include <cstddef>
#include <string>

#include "experiments/spec.hpp"

namespace jacquard::experiments {

// 1 for a spec without stages.
std::size_t stage_count(const Spec& spec);

// The spec of one stage alone: its cost, its monitors beside the shared ones, its data and its
// training. A definition that the stage caches is an input there, whose examples are shaped as the
// definition's; mistakes in what is cached are added to `problems`. A spec without stages is its
// own.
Spec stage_of(const Spec& spec, std::size_t index, Problems& problems);

// The last stage with nothing cached: its texts as functions of the data, as a run ends.
Spec last_stage(const Spec& spec, Problems& problems);

// Begins the names of what a stage writes and says: "layer1: ", empty without stages.
std::string stage_prefix(const Spec& spec, std::size_t index);

}  // namespace jacquard::experiments
