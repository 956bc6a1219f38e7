#include "experiments/checkpoints.hpp"

#include <algorithm>
#include <system_error>

#include "autodiff/error.hpp"
#include "experiments/minimizers.hpp"

namespace jacquard::experiments {
namespace {

// A minimizer's memory is in the last checkpoint alone: a stage that has begun with one cannot go
// on without it.
bool is_whole(const Checkpoint& checkpoint, const std::vector<Spec>& stages) {
  const TrainingState& state = checkpoint.state;
  if (state.stage < 0 || state.stage >= std::ssize(stages))
    throw Error("the checkpoint is of another spec");
  const auto& train = stages[static_cast<std::size_t>(state.stage)].train;
  if (!state.begun || !train || !is_minimizer(train->optimizer)) return true;
  return std::ranges::any_of(checkpoint.file.tensors, [](const SavedTensor& saved) {
    return saved.name.starts_with("minimizer/");
  });
}

// nullopt where the file cannot be read, which is told.
std::optional<Checkpoint> read_checkpoint(const std::filesystem::path& path, Talk& talk) {
  try {
    SafeTensors file = read_safetensors<Error>(path);
    TrainingState state = training_state(file);
    return Checkpoint{std::move(file), std::move(state)};
  } catch (const Error& error) {
    talk.aside(cat("warning: ", error.what(), "; it is passed over"));
    return std::nullopt;
  }
}

}  // namespace

std::string checkpoint_file(std::string_view name) {
  return cat("checkpoints/", name, ".safetensors");
}

std::optional<Checkpoint> newest_checkpoint(const std::filesystem::path& run,
                                            std::uint64_t before_step,
                                            const std::vector<Spec>& stages, Talk& talk) {
  for (const char* name : {"last", "best"}) {
    const std::filesystem::path path = run / checkpoint_file(name);
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    std::optional<Checkpoint> found = read_checkpoint(path, talk);
    if (!found || found->state.step >= before_step) continue;
    if (is_whole(*found, stages)) return found;
    talk.aside(
        cat("warning: ", path.string(), " lacks the memory of the minimizer; it is passed over"));
  }
  return std::nullopt;
}

}  // namespace jacquard::experiments
