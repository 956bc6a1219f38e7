#include <ostream>

#include "experiments/commands.hpp"
#include "experiments/failure.hpp"
#include "experiments/run_folder.hpp"
#include "experiments/trainer.hpp"

namespace jacquard::experiments {
namespace {

// Without the link of "latest", which may lead elsewhere tomorrow.
std::filesystem::path resolved(const std::filesystem::path& folder) {
  std::error_code failed;
  const std::filesystem::path path = std::filesystem::canonical(folder, failed);
  return failed ? folder : path;
}

}  // namespace

int resume_command(const ResumeCommand& command, std::ostream& out, Talk& talk) {
  const std::filesystem::path folder = resolved(command.folder);
  LoadedSpec loaded = load_spec({run_config(folder).string()});
  RunOptions options;
  options.threads = command.threads;
  options.stop_after = command.stop_after;
  const RunResult result = with_places(loaded.problems(), [&] {
    return resume(folder, loaded.spec(), options, loaded.problems(), talk);
  });
  print_result(result, out);
  return result.exit_code;
}

int replay_command(const ReplayCommand& command, std::ostream& out, Talk& talk) {
  const std::filesystem::path folder = resolved(command.folder);
  LoadedSpec loaded = load_spec({run_config(folder).string()});
  RunOptions options;
  options.threads = command.threads;
  const std::string report = with_places(loaded.problems(), [&] {
    return replay(folder, command.step, loaded.spec(), options, loaded.problems(), talk);
  });
  out << report;
  return kExitFine;
}

}  // namespace jacquard::experiments
