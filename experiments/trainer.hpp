// The training loop: stages, epochs over shuffled batches, monitors, checkpoints, pictures.
#pragma once

#include <filesystem>
#include <iosfwd>
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
  std::vector<std::string> arguments;        // argv, for the manifest
  // Stops after so many steps of this call as SIGUSR1 would: for time slices, and for tests.
  std::optional<std::uint64_t> stop_after = {};
};

struct RunResult {
  std::filesystem::path folder;
  std::vector<std::filesystem::path> pictures;  // what was drawn, filters first
  int exit_code = 0;                            // 0, 5 diverged, 75, 130, 143 interrupted
};

// Trains the spec and writes its run folder. Throws InvalidSpec (with positions in the spec) and
// SpecError before anything is written; Error when a write fails.
RunResult run(const Spec& spec, const RunOptions& options, Problems& problems, Talk& talk);

// Goes on with the run in `folder`, whose config.json is `spec`, from its newest checkpoint that
// can be read, or from the beginning where there is none. What comes out is what the run would have
// written without the interruption, bit for bit, but for times. A run that is complete, or that
// diverged, is left as it is.
RunResult resume(const std::filesystem::path& folder, const Spec& spec, const RunOptions& options,
                 Problems& problems, Talk& talk);

// Makes step `step` (from 1) of the run in `folder` once more, from the newest checkpoint before
// it, and says what it computed: cost, terms, ranges of parameters and gradients, and where the
// first value came from that is not finite. The run is left as it is. Throws SpecError for a step
// that the run does not reach.
std::string replay(const std::filesystem::path& folder, std::uint64_t step, const Spec& spec,
                   const RunOptions& options, Problems& problems, Talk& talk);

// The run folder and the pictures, a label and a path on each line.
void print_result(const RunResult& result, std::ostream& out);

}  // namespace jacquard::experiments
