// The checkpoints of a run: where they lie, and which of them it goes on from.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/safetensors.hpp"
#include "experiments/spec.hpp"
#include "experiments/talk.hpp"
#include "experiments/training_state.hpp"

namespace jacquard::experiments {

// Within the run's folder: "last", "best", or "best-<stage>" of a stage that is not the last one.
std::string checkpoint_file(std::string_view name);

struct Checkpoint {
  SafeTensors file;
  TrainingState state;
};

// The newest checkpoint that can be read, has fewer steps than `before_step` behind it and holds
// all that the next one depends on; nullopt: the run goes on from its beginning. What is passed
// over is told. Throws Error for a checkpoint of another spec.
std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& run,
                                            std::uint64_t before_step,
                                            const std::vector<Spec>& stages, Talk& talk);

}  // namespace jacquard::experiments
