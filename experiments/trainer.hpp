// The training loop: epochs over shuffled batches, monitors, checkpoints, pictures.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/spec.hpp"
#include "experiments/talk.hpp"

namespace jacquard::experiments {

struct RunOptions {
  int threads = 1;
  std::optional<std::filesystem::path> out;  // the run folder itself
  std::string spec_text;                     // as the user wrote it, for spec.json
  std::vector<std::string> overrides;
  std::vector<std::string> arguments;  // argv, for the manifest
};

struct RunResult {
  std::filesystem::path folder;
  std::vector<std::filesystem::path> pictures;  // what was drawn, filters first
  int exit_code = 0;                            // 0, 5 diverged, 75, 130, 143 interrupted
};

// Trains the spec and writes its run folder. Throws InvalidSpec (with positions in the spec) and
// SpecError before anything is written; Error when a write fails.
RunResult run(const Spec& spec, const RunOptions& options, Problems& problems, Talk& talk);

}  // namespace jacquard::experiments
