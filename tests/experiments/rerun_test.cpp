// Equal runs have equal bytes: twice, with any number of threads, and from their own config.json.
#include <doctest/doctest.h>

#include "tests/experiments/command_call.hpp"
#include "tests/experiments/run_bytes.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

// Noise, Adam with its state, a rate that falls, a short last batch, a Jacobian.
constexpr const char* kSpec = R"json({
  "name": "rerun", "seed": 3,
  "data": {"set": "bars", "size": 6, "count": 250, "valid": 40, "test": 0},
  "model": {
    "parameters": {"W": [36, 9], "b": [9], "c": [36]},
    "define": {"xe": "masking_noise(x, 0.2)", "h": "sigmoid(xe @ W + b)", "logits": "h @ W.T + c",
               "y": "sigmoid(logits)"}
  },
  "cost": {
    "reconstruction": "mean(cross_entropy_logits(logits, x))",
    "contraction": {"weight": 0.1, "value": "mean(sqnorm(jacobian(h, xe)))"}
  },
  "monitor": {"code": "mean(h)"},
  "train": {"optimizer": {"kind": "adam", "rate": "0.01 / epoch"}, "batch": 32, "epochs": 3}
})json";

std::filesystem::path run_once(const TemporaryFolder& folder, const std::filesystem::path& spec,
                               const char* name, int threads) {
  RunCommand command;
  command.spec.path = spec.native();
  command.out = folder / name;
  command.threads = threads;
  const Called called =
      call([&](auto& out, auto& talk) { return run_command(command, out, talk); });
  CHECK(called.code == 0);
  return folder / name;
}

}  // namespace

TEST_CASE("a run has the same bytes with 1, 2 and 3 threads and from its own config") {
  const TemporaryFolder folder;
  const std::filesystem::path spec = folder.put("spec.json", kSpec);
  const std::filesystem::path first = run_once(folder, spec, "first", 1);
  check_same_runs(first, run_once(folder, spec, "two threads", 2));
  check_same_runs(first, run_once(folder, spec, "three threads", 3));
  check_same_runs(first, run_once(folder, first / "config.json", "again", 2));
}
