#include <algorithm>
#include <ostream>

#include "experiments/commands.hpp"
#include "experiments/seed_runs.hpp"
#include "experiments/trainer.hpp"

namespace jacquard::experiments {

void print_result(const RunResult& result, std::ostream& out) {
  const auto label = [](const std::filesystem::path& picture) { return picture.stem().string(); };
  std::size_t width = std::string_view("run folder").size();
  for (const auto& picture : result.pictures) width = std::max(width, label(picture).size());
  const auto line = [&](const std::string& name, const std::filesystem::path& path) {
    out << name << std::string(width + 2 - name.size(), ' ') << path.string() << '\n';
  };
  line("run folder", result.folder);
  for (const auto& picture : result.pictures) line(label(picture), picture);
}

int run_command(const RunCommand& command, std::ostream& out, Talk& talk) {
  LoadedSpec loaded = load_spec(command.spec);
  if (!command.seeds.empty() || !loaded.spec().seeds.empty())
    return run_seeds(command,
                     command.seeds.empty() ? loaded.spec().seeds : parse_seeds(command.seeds), out,
                     talk);
  RunOptions options;
  options.threads = command.threads;
  options.out = command.out;
  options.spec_text = loaded.text();
  options.arguments = command.arguments;
  options.stop_after = command.stop_after;
  const RunResult result = with_places(
      loaded.problems(), [&] { return run(loaded.spec(), options, loaded.problems(), talk); });
  print_result(result, out);
  return result.exit_code;
}

}  // namespace jacquard::experiments
