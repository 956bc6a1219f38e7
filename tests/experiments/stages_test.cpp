// Stages, checkpoints to begin with, and what is read from a finished run.
#include "experiments/stages.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/file.hpp"
#include "experiments/npy.hpp"
#include "experiments/safetensors.hpp"
#include "tests/experiments/command_call.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

std::string spec_text(const std::string& second, const std::string& more = "") {
  return R"json({
    "name": "stack", "seed": 2,
    "data": {"set": "bars", "size": 4, "count": 120, "valid": 20, "test": 20},
    "model": {
      "parameters": {"W": [16, 5], "b": [5], "c": [16], "V": [5, 3], "d": [3], "e": [5]},
      "define": {"h": "tanh(x @ W + b)", "z": "tanh(h @ V + d)", "y": "h @ W.T + c"}
    }, )json" +
         more +
         R"json(
    "stages": [
      {"name": "first", "cost": {"reconstruction": "mean(squared_error(y, x))"},
       "train": {"optimizer": {"kind": "adam", "rate": 0.01}, "batch": 10, "epochs": 4}},
      {"name": "second",)json" +
         second + R"json(
       "cost": {"reconstruction": "mean(squared_error(z @ V.T + e, h))"},
       "monitor": {"code": "mean(z^2)"},
       "train": {"optimizer": {"kind": "adam", "rate": 0.01}, "batch": 10, "epochs": 4,
                 "frozen": ["W", "b"]}}
    ]})json";
}

int run_in(const TemporaryFolder& folder, const std::string& text, const char* out) {
  RunCommand command;
  command.spec.path = folder.put(cat(out, ".json"), text).native();
  command.out = folder / out;
  return call([&](auto& o, auto& talk) { return run_command(command, o, talk); }).code;
}

std::vector<nlohmann::json> metrics(const std::filesystem::path& run) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(read_file<Error>(run / "metrics.jsonl"));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

Tensor<float> saved(const std::filesystem::path& run, const char* checkpoint, const char* name) {
  return tensor<float>(read_safetensors(run / "checkpoints" / cat(checkpoint, ".safetensors")),
                       name);
}

std::string refusal(auto&& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

}  // namespace

TEST_CASE("a stage that caches a definition trains as the one that computes it anew") {
  const TemporaryFolder folder;
  REQUIRE(run_in(folder, spec_text(R"("cached": ["h"],)"), "cached") == 0);
  REQUIRE(run_in(folder, spec_text(""), "anew") == 0);
  const auto a = metrics(folder / "cached"), b = metrics(folder / "anew");
  REQUIRE(a.size() == 10);
  REQUIRE(b.size() == 10);
  for (std::size_t i = 0; i < a.size(); ++i) {
    CHECK(a[i]["stage"] == (i < 5 ? "first" : "second"));
    CHECK(a[i]["epoch"] == i % 5);
    CHECK(a[i]["valid/cost"].get<double>() ==
          doctest::Approx(b[i]["valid/cost"].get<double>()).epsilon(1e-5));
  }
  CHECK(a[9]["valid/code"].get<double>() ==
        doctest::Approx(b[9]["valid/code"].get<double>()).epsilon(1e-5));
  // What the first stage trained, the second one left alone; steps are counted over both.
  CHECK(saved(folder / "cached", "last", "W") == saved(folder / "cached", "last", "W"));
  CHECK(a[4]["step"] == 32);
  CHECK(a[9]["step"] == 64);
  CHECK(std::filesystem::exists(folder / "cached/checkpoints/best-first.safetensors"));
}

TEST_CASE("a run begins with the parameters of any checkpoint") {
  const TemporaryFolder folder;
  REQUIRE(run_in(folder, spec_text(""), "from") == 0);
  REQUIRE(run_in(folder, spec_text("", R"("initial": "from/checkpoints/last.safetensors",)"),
                 "to") == 0);
  const auto from = metrics(folder / "from"), to = metrics(folder / "to");
  CHECK(to[0]["valid/cost"].get<double>() < from[0]["valid/cost"].get<double>() / 2);
  CHECK(refusal([&] {
          run_in(folder, spec_text("", R"("initial": "nowhere.safetensors",)"), "no");
        }).find("nowhere.safetensors") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "no"));
}

TEST_CASE("mistakes of stages are told with their places") {
  const TemporaryFolder folder;
  const auto told = [&](const std::string& text) {
    return refusal([&] { run_in(folder, text, "bad"); });
  };
  CHECK(told(spec_text(R"("cached": ["hh"],)"))
            .find("at /stages/1/cached/0: there is no definition 'hh'") != std::string::npos);
  CHECK(told(spec_text("", R"j("cost": {"a": "sum(W)"},)j"))
            .find("a spec with stages has no \"cost\" of its own") != std::string::npos);
  CHECK(told(spec_text(R"("name": "first",)")).find("error") != std::string::npos);
  std::string unused = spec_text("");
  unused.replace(unused.find("\"e\": [5]"), 8, "\"e\": [5], \"spare\": [2]");
  CHECK(told(unused).find("no term of the cost depends on parameter 'spare'") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(folder / "bad"));
}

TEST_CASE("stages are checked and shown one by one") {
  const TemporaryFolder folder;
  CheckCommand check;
  check.spec.path = folder.put("spec.json", spec_text(R"("cached": ["h"],)")).native();
  const Called checked =
      call([&](auto& out, auto& talk) { return check_command(check, out, talk); });
  CHECK(checked.code == 0);
  CHECK(checked.out.find("first: reconstruction") != std::string::npos);
  CHECK(checked.out.find("second: reconstruction") != std::string::npos);
  ShowCommand show;
  show.spec = check.spec;
  for (const Aspect aspect : {Aspect::kSummary, Aspect::kPlan, Aspect::kCost, Aspect::kTape}) {
    show.aspect = aspect;
    const std::string out =
        call([&](auto& o, auto& talk) { return show_command(show, o, talk); }).out;
    CHECK(out.find("stage first\n") == 0);
    CHECK(out.find("stage second\n") != std::string::npos);
  }
}

TEST_CASE("eval measures a checkpoint as the training did, encode and reconstruct compute it") {
  const TemporaryFolder folder;
  REQUIRE(run_in(folder, spec_text(R"("cached": ["h"],)"), "run") == 0);
  EvalCommand eval;
  eval.folder = folder / "run";
  eval.set = "valid";
  eval.checkpoint = "last";
  eval.json = true;
  const auto measured =
      call([&](auto& out, auto& talk) { return eval_command(eval, out, talk); }).json();
  const auto line = metrics(folder / "run").back();
  CHECK(measured["cost"].get<double>() ==
        doctest::Approx(line["valid/cost"].get<double>()).epsilon(1e-5));
  CHECK(measured["monitors"]["code"].get<double>() ==
        doctest::Approx(line["valid/code"].get<double>()).epsilon(1e-5));
  CHECK(measured["examples"] == 20);

  ComputeCommand compute;
  compute.folder = folder / "run";
  compute.out = folder / "codes.npz";
  compute.what = "z";
  CHECK(call([&](auto& out, auto& talk) { return compute_command(compute, out, talk); }).code == 0);
  const NamedArrays<float> codes = read_npz<float>(compute.out);
  REQUIRE(codes.size() == 1);
  CHECK(codes[0].name == "codes");
  CHECK(codes[0].values.shape == Shape{20, 3});
  double squares = 0;
  for (const float v : codes[0].values.data) squares += static_cast<double>(v) * v;
  eval.set = "test";
  eval.checkpoint = "";
  const auto test =
      call([&](auto& out, auto& talk) { return eval_command(eval, out, talk); }).json();
  CHECK(test["monitors"]["code"].get<double>() == doctest::Approx(squares / 60).epsilon(1e-5));

  compute.reconstruct = true;
  compute.what = "";
  compute.out = folder / "y.npz";
  CHECK(call([&](auto& out, auto& talk) { return compute_command(compute, out, talk); }).code == 0);
  CHECK(read_npz<float>(compute.out)[0].values.shape == Shape{20, 16});

  eval.checkpoint = "worst";
  CHECK(refusal([&] {
          call([&](auto& out, auto& talk) { return eval_command(eval, out, talk); });
        }).find("there is no checkpoint 'worst'; there are: ") != std::string::npos);
  compute.what = "nope";
  CHECK(refusal([&] {
          call([&](auto& out, auto& talk) { return compute_command(compute, out, talk); });
        }).find("reconstruct/reconstruction: unknown name 'nope'") != std::string::npos);
  compute.what = "mean(h)";
  CHECK(refusal([&] {
          call([&](auto& out, auto& talk) { return compute_command(compute, out, talk); });
        }).find("its first axis must be the batch") != std::string::npos);
}

TEST_CASE("replay shows a step again, and where what is not finite came from") {
  const TemporaryFolder folder;
  REQUIRE(run_in(folder, spec_text(""), "run") == 0);
  const auto before = std::filesystem::last_write_time(folder / "run/checkpoints/last.safetensors");
  ReplayCommand replay;
  replay.folder = folder / "run";
  replay.step = 37;
  const Called called =
      call([&](auto& out, auto& talk) { return replay_command(replay, out, talk); });
  CHECK(called.code == 0);
  CHECK(called.out.find("step 37: epoch 1, batch 5 of 8\n") == 0);
  CHECK(called.out.find("everything is finite") != std::string::npos);
  CHECK(std::filesystem::last_write_time(folder / "run/checkpoints/last.safetensors") == before);
  replay.step = 1000;
  CHECK(refusal([&] {
          call([&](auto& out, auto& talk) { return replay_command(replay, out, talk); });
        }).find("the run ended after step 64") != std::string::npos);

  // The root of a negative number, once W has grown: the cost stays finite where its gradient is
  // not.
  const std::string diverges = R"json({
    "name": "diverges", "data": {"set": "bars", "size": 4, "count": 120, "valid": 20, "test": 0},
    "model": {"parameters": {"w": {"shape": [], "init": {"kind": "constant", "value": 1}}}},
    "cost": {"root": "sqrt(w - 0.75) + 0*sum(x)"},
    "train": {"optimizer": {"kind": "sgd", "rate": 0.03}, "batch": 10, "epochs": 4}})json";
  CHECK(run_in(folder, diverges, "diverged") == 5);
  const std::string log = read_file<Error>(folder / "diverged/log.txt");
  CHECK(log.find("the cost is not finite in epoch 1, batch ") != std::string::npos);
  CHECK(log.find("op 'sqrt'") != std::string::npos);
  const std::size_t at = log.find("--step ");
  REQUIRE(at != std::string::npos);
  replay.folder = folder / "diverged";
  replay.step = std::stoull(log.substr(at + 7));
  const std::string again =
      call([&](auto& out, auto& talk) { return replay_command(replay, out, talk); }).out;
  CHECK(again.find("op 'sqrt'") != std::string::npos);
  CHECK(again.find("cost nan") != std::string::npos);
  // A diverged run is left as it is.
  ResumeCommand resume;
  resume.folder = folder / "diverged";
  CHECK(call([&](auto& out, auto& talk) { return resume_command(resume, out, talk); }).code == 5);
}
