// A run that was interrupted and resumed has the bytes of one that never was.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <thread>

#include "experiments/appended_file.hpp"
#include "experiments/file.hpp"
#include "experiments/safetensors.hpp"
#include "experiments/training_state.hpp"
#include "tests/experiments/command_call.hpp"
#include "tests/experiments/program_run.hpp"
#include "tests/experiments/run_bytes.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

// Noise, Adam, a state variable, a rate that the monitors drive, rules that count, a running
// average, codes that are cached, two stages: 200 steps in all.
constexpr const char* kSpec = R"json({
  "name": "resumed", "seed": 5,
  "data": {"set": "bars", "size": 4, "count": 250, "valid": 40, "test": 10},
  "model": {
    "parameters": {"W": [16, 6], "b": [6], "c": [16], "V": [6, 3], "d": [3], "e": [6]},
    "define": {"h": "sigmoid(gaussian_noise(x, 0.2) @ W + b)", "y": "sigmoid(h @ W.T + c)",
               "code": "sigmoid(x @ W + b)", "z": "sigmoid(code @ V + d)"},
    "state": {"mean_code": {"shape": [6], "next": "0.9*mean_code + 0.1*mean(h, axis=0)"}}
  },
  "monitor": {"far": "mean(square(mean_code - 0.5))"},
  "stages": [
    {"name": "first",
     "cost": {"reconstruction": "mean(squared_error(y, x))",
              "rate": {"weight": 0.1, "value": "sum(square(stop_gradient(mean_code) - mean(h, axis=0)))"}},
     "train": {"optimizer": {"kind": "adam", "rate": "0.02 / epoch"}, "batch": 10, "epochs": 5,
               "average": {"from_epoch": 2}, "best": {"of": "valid/far", "higher": true, "restore": true}}},
    {"name": "second", "cached": ["code"],
     "cost": {"reconstruction": "mean(squared_error(sigmoid(z @ V.T + e), code))"},
     "train": {"optimizer": {"kind": "sgd", "momentum": {"kind": "linear", "from": 0.5, "to": 0.9, "over": 4},
                             "rate": {"kind": "adjusted", "from": 0.05, "shrink": 0.5, "grow": 1.5}},
               "batch": 20, "epochs": 30, "norms": {"V": {"axis": 0, "high": 1.2}},
               "stop": [{"kind": "no_improvement", "checks": 8, "by": 0.01}, {"kind": "countdown", "checks": 20}]}}
  ]
})json";

Called run_spec(const std::filesystem::path& spec, const std::filesystem::path& out,
                std::optional<std::uint64_t> stop_after = {}) {
  RunCommand command;
  command.spec.path = spec.native();
  command.out = out;
  command.stop_after = stop_after;
  return call([&](auto& o, auto& talk) { return run_command(command, o, talk); });
}

Called resumed(const std::filesystem::path& folder, int threads = 1,
               std::optional<std::uint64_t> stop_after = {}) {
  ResumeCommand command;
  command.folder = folder;
  command.threads = threads;
  command.stop_after = stop_after;
  return call([&](auto& o, auto& talk) { return resume_command(command, o, talk); });
}

struct Reference {
  TemporaryFolder folder;
  std::filesystem::path spec = folder.put("spec.json", kSpec);
  std::filesystem::path run = folder / "run";
  std::uint64_t steps = 0;

  Reference() {
    REQUIRE(run_spec(spec, run).code == 0);
    steps = nlohmann::json::parse(read_file<Error>(run / "summary.json")).at("steps");
  }
};

const Reference& reference() {
  static const Reference once;
  return once;
}

// Runs to step k, then goes on in slices of `slice` steps.
void check_interrupted(std::uint64_t k, std::uint64_t slice) {
  CAPTURE(k);
  CAPTURE(slice);
  const TemporaryFolder folder;
  int code = run_spec(reference().spec, folder / "run", k).code;
  for (int times = 0; code == 75 && times < 1000; ++times)
    code = resumed(folder / "run", 1 + times % 2, slice).code;
  REQUIRE(code == 0);
  check_same_runs(reference().run, folder / "run");
}

// How long the program takes for the whole run, here and now, in milliseconds.
double whole_run_ms() {
  using Clock = std::chrono::steady_clock;
  const TemporaryFolder folder;
  const auto start = Clock::now();
  const Ended ended =
      run_program_in(folder, {"run", reference().spec.native(), "--out", "run", "--threads", "1"});
  REQUIRE(ended.code == 0);
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// Starts the program and kills it after random times until it has ended by itself.
void check_killed(std::mt19937& generator, int& kills) {
  static const double whole_ms = whole_run_ms();
  const TemporaryFolder folder;
  std::uniform_real_distribution<double> wait(0, whole_ms);
  bool made = false;
  for (int times = 0; times < 200; ++times) {
    std::error_code ignored;
    made = made || std::filesystem::exists(folder / "run", ignored);
    const Started program(folder, made
                                      ? std::vector<std::string>{"resume", "run", "--threads", "1"}
                                      : std::vector<std::string>{"run", reference().spec.native(),
                                                                 "--out", "run", "--threads", "1"});
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(wait(generator)));
    program.send(SIGKILL);
    const Ended ended = program.wait();
    if (ended.code == 128 + SIGKILL) {
      ++kills;
      continue;
    }
    CAPTURE(ended.err);
    REQUIRE(ended.code == 0);
    break;
  }
  check_same_runs(reference().run, folder / "run");
}

}  // namespace

TEST_CASE("the run that is interrupted does what it is to show") {
  const std::string metrics = read_file<Error>(reference().run / "metrics.jsonl");
  CHECK(metrics.find("\"stage\": \"first\"") != std::string::npos);
  CHECK(metrics.find("\"stage\": \"second\"") != std::string::npos);
  CHECK(metrics.find("\"rate\": 0.05") != std::string::npos);
  CHECK(reference().steps >= 180);
}

TEST_CASE("a run that is stopped at a step and resumed has the same bytes") {
  for (std::uint64_t k = 1; k < reference().steps; k += 37) check_interrupted(k, 1000);
  check_interrupted(3, 23);
}

TEST_SUITE("long") {
  TEST_CASE("a run that is stopped at any step and resumed has the same bytes") {
    for (std::uint64_t k = 1; k <= reference().steps; ++k) check_interrupted(k, 1000);
    check_interrupted(1, 1);
  }
  TEST_CASE("three hundred kills at random instants leave nothing corrupt") {
    std::mt19937 generator(7);
    int kills = 0, runs = 0;
    for (; kills < 300; ++runs) check_killed(generator, kills);
    MESSAGE(kills, " kills in ", runs, " runs");
  }
}

TEST_CASE("a run that is killed and resumed has the same bytes") {
  std::mt19937 generator(3);
  int kills = 0;
  for (int runs = 0; kills < 12; ++runs) check_killed(generator, kills);
}

TEST_CASE("a run that was killed before its first checkpoint starts again from its config") {
  const TemporaryFolder folder;
  CHECK(run_spec(reference().spec, folder / "run", 2).code == 75);
  for (const char* name : {"last", "best", "best-first"})
    std::filesystem::remove(folder / cat("run/checkpoints/", name, ".safetensors"));
  folder.put("run/metrics.jsonl", "{\"epoch\": 0, \"half a li");
  CHECK(resumed(folder / "run").code == 0);
  check_same_runs(reference().run, folder / "run");
}

TEST_CASE(
    "a step behind a stage that ended with its best epoch is replayed from the beginning too") {
  const TemporaryFolder folder;
  std::filesystem::copy(reference().run, folder / "run", std::filesystem::copy_options::recursive);
  const auto report = [&](const std::filesystem::path& run) {
    ReplayCommand replay;
    replay.folder = run;
    replay.step = reference().steps;
    return call([&](auto& out, auto& talk) { return replay_command(replay, out, talk); }).out;
  };
  // With its checkpoints of the second stage a replay begins there, without them at step 1.
  const std::string wanted = report(folder / "run");
  for (const char* name : {"last", "best"})
    std::filesystem::remove(folder / cat("run/checkpoints/", name, ".safetensors"));
  CHECK(report(folder / "run") == wanted);
}

TEST_CASE("resume of a complete run says so and changes nothing") {
  const TemporaryFolder folder;
  std::filesystem::copy(reference().run, folder / "run", std::filesystem::copy_options::recursive);
  const auto before = std::filesystem::last_write_time(folder / "run/status.json");
  const Called called = resumed(folder / "run");
  CHECK(called.code == 0);
  CHECK(called.said.find("is complete; there is nothing to do") != std::string::npos);
  CHECK(std::filesystem::last_write_time(folder / "run/status.json") == before);
}

TEST_CASE("a damaged last checkpoint is passed over, loudly, and nothing of the run is lost") {
  const TemporaryFolder folder;
  CHECK(run_spec(reference().spec, folder / "run", reference().steps - 5).code == 75);
  const std::string whole = read_file<Error>(folder / "run/checkpoints/last.safetensors");
  folder.put("run/checkpoints/last.safetensors", whole.substr(0, whole.size() / 2));
  const Called called = resumed(folder / "run");
  CHECK(called.code == 0);
  CHECK(called.said.find("it is passed over") != std::string::npos);
  check_same_runs(reference().run, folder / "run");
}

TEST_CASE(
    "without the last checkpoint, which alone holds a minimizer's memory, a run begins again") {
  const TemporaryFolder folder;
  const auto spec = folder.put("spec.json", R"json({
    "name": "minimized", "seed": 1,
    "data": {"set": "bars", "size": 4, "count": 40, "valid": 10},
    "model": {"kind": "autoencoder", "hidden": 3},
    "cost": {"reconstruction": "mean(squared_error(y, x))"},
    "train": {"optimizer": {"kind": "lbfgs"}, "epochs": 8}
  })json");
  REQUIRE(run_spec(spec, folder / "whole").code == 0);
  REQUIRE(run_spec(spec, folder / "run", 5).code == 75);
  const auto size = [&](const char* name) {
    return std::filesystem::file_size(folder / "run/checkpoints" / name);
  };
  CHECK(2 * size("best.safetensors") < size("last.safetensors"));
  bool damaged = false;
  SUBCASE("it goes on from the last") {}
  SUBCASE("the last is damaged") {
    folder.put("run/checkpoints/last.safetensors", "damaged");
    damaged = true;
  }
  const Called called = resumed(folder / "run");
  CHECK(called.code == 0);
  CHECK((called.said.find("lacks the memory of the minimizer") != std::string::npos) == damaged);
  check_same_runs(folder / "whole", folder / "run");
}

// Between two stages the last checkpoint holds values alone, all that the second begins with.
TEST_CASE("a run that is killed between two stages goes on with the second") {
  const TemporaryFolder folder;
  const auto spec = folder.put("spec.json", R"json({
    "name": "two", "seed": 1,
    "data": {"set": "bars", "size": 4, "count": 40, "valid": 10},
    "model": {"kind": "autoencoder", "hidden": 3},
    "stages": [
      {"name": "first", "cost": {"reconstruction": "mean(squared_error(y, x))"},
       "train": {"optimizer": {"kind": "lbfgs"}, "epochs": 3, "best": {"restore": true}}},
      {"name": "second", "cost": {"reconstruction": "2*mean(squared_error(y, x))"},
       "train": {"optimizer": {"kind": "lbfgs"}, "epochs": 3}}
    ]
  })json");
  REQUIRE(run_spec(spec, folder / "whole").code == 0);
  std::filesystem::copy(folder / "whole", folder / "run", std::filesystem::copy_options::recursive);
  // What the program writes when the first stage has ended.
  const auto of_best = read_safetensors<Error>(folder / "run/checkpoints/best-first.safetensors");
  Values values;
  for (const SavedTensor& saved : of_best.tensors)
    values.add(saved.name, tensor<float>(of_best, saved.name));
  TrainingState state;
  state.stage = 1;
  state.step = 3;
  const auto lines_before = [&](const char* file, const std::string& text) {
    const std::string whole = read_file<Error>(folder / "run" / file);
    return std::count(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.find(text)),
                      '\n');
  };
  state.metrics_lines = lines_before("metrics.jsonl", R"({"stage": "second")");
  state.log_lines = lines_before("log.txt", "second: training");
  REQUIRE(state.metrics_lines == 4);
  folder.put("run/checkpoints/last.safetensors", checkpoint_bytes(values, {}, state));
  std::filesystem::remove(folder / "run/checkpoints/best.safetensors");
  folder.put("run/status.json", R"({"status": "running", "heartbeat": "2026-01-01T00:00:00Z"})");
  const Called called = resumed(folder / "run");
  CHECK(called.code == 0);
  CHECK(called.said.find("after step 3") != std::string::npos);
  check_same_runs(folder / "whole", folder / "run");
}

TEST_CASE("a write that fails costs no checkpoint, is reported, and the run goes on later") {
  const TemporaryFolder folder;
  CHECK(run_spec(reference().spec, folder / "run", 30).code == 75);
  const std::string last = read_file<Error>(folder / "run/checkpoints/last.safetensors");
  // No file may grow beyond 1024 bytes: less than a checkpoint has.
  const Ended full = run_shell_in(
      folder, cat("ulimit -f 1; exec '", JACQUARD_BINARY_DIR, "/jacquard' resume run --threads 1"));
  CAPTURE(full.err);
  CHECK(full.code == 1);
  CHECK(full.err.find("write ") != std::string::npos);
  CHECK(full.err.find("File too large") != std::string::npos);
  CHECK(read_file<Error>(folder / "run/checkpoints/last.safetensors") == last);
  CHECK(resumed(folder / "run").code == 0);
  check_same_runs(reference().run, folder / "run");
}

TEST_CASE("what is no run cannot be resumed, and two programs cannot work in one") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(resumed(folder.path()), SpecError);
  CHECK(run_spec(reference().spec, folder / "run", 1).code == 75);
  AppendedFile metrics(folder / "run/metrics.jsonl");
  CHECK(metrics.lock());
  CHECK_THROWS_WITH_AS(resumed(folder / "run"),
                       doctest::Contains("another program is at work in it"), Error);
}
