// `jacquard sample`: the state of a trained model goes on by itself, and is written and drawn.
#include <doctest/doctest.h>

#include "experiments/failure.hpp"
#include "experiments/file.hpp"
#include "experiments/npy.hpp"
#include "tests/experiments/command_call.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

// The state counts the steps of training, and then the updates.
constexpr const char* kSpec = R"json({
  "name": "sampled", "data": {"set": "bars", "size": 4, "count": 60, "test": 0},
  "model": {
    "parameters": {"W": [16, 3], "c": [16]},
    "define": {"h": "sigmoid(x @ W)", "y": "h @ W.T + c", "noise": "uniform(x)"},
    "state": {
      "counter": {"shape": [5, 16], "init": "zeros", "next": "counter + 1"},
      "seen": {"shape": [10, 16], "init": "zeros", "next": "seen + x"}
    }
  },
  "cost": {"reconstruction": "mean(sqnorm(y - x))"},
  "train": {"batch": 10, "epochs": 1, "optimizer": {"kind": "sgd", "rate": 0.01}}
})json";

struct Sampled {
  TemporaryFolder folder;
  SampleCommand command;

  explicit Sampled(const std::string& spec = kSpec) {
    RunCommand run;
    run.spec.path = folder.put("spec.json", spec).native();
    run.out = folder.path() / "run";
    REQUIRE(call([&](auto& o, auto& talk) { return run_command(run, o, talk); }).code == 0);
    command.folder = folder.path() / "run";
    command.out = folder.path() / "samples.npz";
    command.checkpoint = "last";
  }

  Tensor<float> operator()() {
    const Called called =
        call([&](auto& o, auto& talk) { return sample_command(command, o, talk); });
    REQUIRE(called.code == 0);
    const NamedArrays<float> arrays = read_npz<float>(command.out);
    REQUIRE(arrays.size() == 1);
    CHECK(arrays[0].name == "samples");
    return arrays[0].values;
  }
  std::string error() {
    try {
      call([&](auto& o, auto& talk) { return sample_command(command, o, talk); });
    } catch (const Error& failure) {
      return failure.what();
    }
    return "no error";
  }
};

}  // namespace

TEST_CASE("sample: the state is updated as often as asked, with the parameters as they are") {
  Sampled sampled;
  CHECK(sampled().data == std::vector<float>(5 * 16, 6.0F));  // six steps of training
  sampled.command.updates = 4;
  CHECK(sampled().data == std::vector<float>(5 * 16, 10.0F));
  CHECK(sampled().data == std::vector<float>(5 * 16, 10.0F));  // the run is left as it is
  CHECK(read_file<Error>(sampled.folder.path() / "samples.png").starts_with("\x89PNG"));
  sampled.command.what = "2 * counter[:2] + 1";
  CHECK(sampled().data == std::vector<float>(2 * 16, 21.0F));
}

TEST_CASE("sample: updates may read data, and draws depend on the seed") {
  Sampled sampled;
  sampled.command.what = "seen";
  const Tensor<float> before = sampled();
  sampled.command.updates = 1;
  const Tensor<float> after = sampled();
  bool whole = true;
  for (std::int64_t i = 0; i < after.size(); ++i)
    whole = whole && (after[i] == before[i] || after[i] == before[i] + 1);
  CHECK(whole);  // bars are 0 and 1
  CHECK(after.data != before.data);
  sampled.command.what = "noise";
  const Tensor<float> drawn = sampled();
  CHECK(sampled().data == drawn.data);
  sampled.command.seed = 7;
  CHECK(sampled().data != drawn.data);
}

TEST_CASE("sample: what cannot be sampled is said") {
  Sampled sampled;
  sampled.command.what = "sum(W)";
  CHECK(sampled.error() == "sample: 'sum(W)' is one number; samples have rows");
  sampled.command.what = "wheel";
  CHECK(sampled.error().find("wheel") != std::string::npos);
  sampled.command.out.clear();
  CHECK(sampled.error() == "sample: --out is missing; it names the .npz file to write");
  std::string spec = kSpec;
  const auto begin = spec.find(",\n    \"state\""), end = spec.find("\n  },\n  \"cost\"");
  Sampled stateless(spec.erase(begin, end - begin));
  CHECK(stateless.error() ==
        "sample: the model has no state and no definition 'samples'; say what with --what \"an "
        "expression\"");
}
