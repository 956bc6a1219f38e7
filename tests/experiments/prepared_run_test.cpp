// A run on prepared data: what it stores, and what its pictures show.
#include <doctest/doctest.h>

#include "experiments/data/preparation.hpp"
#include "experiments/file.hpp"
#include "experiments/picture.hpp"
#include "tests/experiments/command_call.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

// An autoencoder that gives back x itself, whatever W is.
std::string spec_with(const std::string& prepare) {
  return R"json({
    "name": "prepared", "seed": 3,
    "data": {"set": "bars", "size": 6, "count": 300, "valid": 40)json" +
         prepare + R"json(},
    "model": {"parameters": {"W": [36, 5]}, "define": {"h": "tanh(x @ W)", "y": "x + 0*(h @ W.T)"}},
    "cost": {"a": "mean(sqnorm(h))"},
    "train": {"optimizer": {"kind": "sgd", "rate": 0.01}, "batch": 50, "epochs": 1}
  })json";
}

constexpr const char* kWhitened =
    R"json(, "prepare": [{"kind": "contrast_normalisation", "deviation": true, "bias": 0.1},
                         {"kind": "zca", "epsilon": 0.1}, {"kind": "standardise"}])json";

fs::path run_once(const TemporaryFolder& folder, const fs::path& spec, const char* name) {
  RunCommand command;
  command.spec.path = spec.native();
  command.out = folder / name;
  const Called called =
      call([&](auto& out, auto& talk) { return run_command(command, out, talk); });
  CAPTURE(called.said);
  CHECK(called.code == 0);
  return folder / name;
}

TEST_CASE("a run stores its preparation, the same bytes again and from its own config") {
  const TemporaryFolder folder;
  const fs::path first = run_once(folder, folder.put("spec.json", spec_with(kWhitened)), "first");
  const fs::path again = run_once(folder, first / "config.json", "again");
  for (const char* file :
       {"config.json", "preparation.safetensors", "summary.json", "checkpoints/last.safetensors",
        "artifacts/filters.png", "artifacts/reconstructions.png"}) {
    CAPTURE(file);
    CHECK(read_file<Error>(first / file) == read_file<Error>(again / file));
  }
  const fs::path bare = run_once(folder, folder.put("bare.json", spec_with("")), "bare");
  CHECK_FALSE(fs::exists(bare / "preparation.safetensors"));
}

TEST_CASE("pictures show what x was before preparation, filters through its linear part") {
  const TemporaryFolder folder;
  const fs::path run = run_once(folder, folder.put("spec.json", spec_with(kWhitened)), "run");
  const fs::path bare = run_once(folder, folder.put("bare.json", spec_with("")), "bare");
  CHECK(read_file<Error>(run / "artifacts/reconstructions.png") ==
        read_file<Error>(bare / "artifacts/reconstructions.png"));

  const Preparation preparation(read_safetensors(run / "preparation.safetensors"));
  const auto W = tensor<float>(read_safetensors(run / "checkpoints/last.safetensors"), "W");
  Tensor<float> filters({5, 36});
  for (std::int64_t i = 0; i < 36; ++i)
    for (std::int64_t j = 0; j < 5; ++j) filters[j * 36 + i] = W[i * 5 + j];
  const Picture picture =
      filter_grid(preparation.inverse_directions(filters), {6, 6}, 100, Units::kRows);
  CHECK(read_file<Error>(run / "artifacts/filters.png") == to_png(picture));
}

TEST_CASE("filters in coordinates of pca are drawn as the images that they stand for") {
  const TemporaryFolder folder;
  std::string spec = spec_with(R"json(, "prepare": [{"kind": "pca", "components": 4}])json");
  spec.replace(spec.find("[36, 5]"), 7, "[4, 5]");
  const fs::path run = run_once(folder, folder.put("spec.json", spec), "run");
  const Preparation preparation(read_safetensors(run / "preparation.safetensors"));
  CHECK(preparation.image() == std::vector<std::int64_t>{6, 6});
  const auto W = tensor<float>(read_safetensors(run / "checkpoints/last.safetensors"), "W");
  Tensor<float> filters({5, 4});
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < 5; ++j) filters[j * 4 + i] = W[i * 5 + j];
  CHECK(read_file<Error>(run / "artifacts/filters.png") ==
        to_png(filter_grid(preparation.inverse_directions(filters), {6, 6}, 100, Units::kRows)));
}

TEST_CASE("a check is made on prepared data, and mistakes of steps are shown in the file") {
  const TemporaryFolder folder;
  const auto check = [&](const std::string& spec) {
    CheckCommand command;
    command.spec.path = folder.put("spec.json", spec).native();
    return call([&](auto& out, auto& talk) { return check_command(command, out, talk); });
  };
  CHECK(check(spec_with(kWhitened)).code == 0);
  const std::string wrong = message_of<SpecError>(
      [&] { check(spec_with(R"json(, "prepare": [{"kind": "pca", "components": 37}])json")); });
  CAPTURE(wrong);
  CHECK(wrong.find("error at /data/prepare/0/components: 37 components of 36 features") !=
        std::string::npos);
}

}  // namespace
}  // namespace jacquard::experiments
