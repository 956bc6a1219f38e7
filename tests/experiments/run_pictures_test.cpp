// What a run draws, by the columns of x and what the reconstruction needs.
#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "experiments/file.hpp"
#include "experiments/npy.hpp"
#include "tests/experiments/command_call.hpp"
#include "tests/experiments/svg_text.hpp"

namespace jacquard::experiments {
namespace {

// Points on a square, from -1 to 1, with an array of their own.
void put_points(const TemporaryFolder& folder) {
  NamedArrays<float> arrays = {{"x", Tensor<float>(Shape{100, 2})},
                               {"side", Tensor<float>(Shape{100, 1}, 1.0F)}};
  for (std::int64_t i = 0; i < 100; ++i) {
    arrays[0].values[2 * i] = static_cast<float>(i % 10) / 4.5F - 1;
    arrays[0].values[2 * i + 1] = static_cast<float>(i / 10) / 4.5F - 1;
  }
  write_npz(folder / "points.npz", arrays);
}

// Runs a model of no epochs with these definitions; W is zero. Returns the pictures by name.
std::set<std::string> pictures_of(const TemporaryFolder& folder, const std::string& define,
                                  const std::string& more = "") {
  put_points(folder);
  const std::string spec = R"json({
    "name": "plane", "data": {"set": "npz", "file": "points.npz"},
    "model": {"parameters": {"W": {"shape": [2, 2], "init": "zeros"}}, "define": {)json" +
                           define + R"json(}},
    "cost": {"a": "mean(sqnorm(x @ W) + side[:, 0])"},
    "train": {"batch": 10, "epochs": 0})json" +
                           more + "}";
  RunCommand command;
  command.spec = {folder.put("spec.json", spec), {}};
  command.out = folder / "run";
  const Called called =
      call([&](auto& out, auto& talk) { return run_command(command, out, talk); });
  CAPTURE(called.said);
  REQUIRE(called.code == 0);
  std::set<std::string> pictures;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "run/artifacts"))
    pictures.insert(entry.path().filename().native());
  for (const std::string& picture : pictures)
    if (picture.starts_with("field"))
      CHECK(called.out.find("artifacts/" + picture) != std::string::npos);
  return pictures;
}

std::string field_of(const TemporaryFolder& folder) {
  return read_file<Error>(folder / "run/artifacts/field.svg");
}

using Pictures = std::set<std::string>;

TEST_CASE("Where x has two columns the reconstruction is drawn as a field instead of images") {
  const TemporaryFolder folder;
  CHECK(pictures_of(folder, R"json("y": "x + 0.5 + x @ W")json") ==
        Pictures{"curves.svg", "field.svg", "filters.png"});
  const std::string svg = field_of(folder);
  check_well_formed(svg);
  // x to y is the same step everywhere, on 32 x 32 cells and to the upper right.
  CHECK(count(svg, "<path d=\"M") == 1 + 32 * 32);
  CHECK(count(svg, ">the longest arrow is 0.707107</text>") == 1);
  CHECK(count(svg, "<path d=\"M90.00 678.00L104.14 663.86M") == 1);
  // The hundred points are drawn behind.
  CHECK(count(svg, "h0") == 100);
}

TEST_CASE("The field of an expression is drawn that the spec names") {
  const TemporaryFolder folder;
  CHECK(pictures_of(folder, R"json("psi": "-x")json",
                    R"(, "pictures": {"reconstruction": "x + psi"})")
            .contains("field.svg"));
  // The corners of the grid are 15.5 cells of 2/28 from the middle.
  const double corner = 15.5 / 14 * std::sqrt(2.0);
  CHECK(count(field_of(folder), cat(">the longest arrow is ", static_cast<float>(corner))) == 1);
}

TEST_CASE("The arrows of a denoising model begin at the corrupted points") {
  const TemporaryFolder folder;
  CHECK(pictures_of(folder,
                    R"json("xe": "x + 1 + 0*gaussian_noise(x, 1)", "y": "xe + x @ W + 0.25")json")
            .contains("field.svg"));
  const std::string svg = field_of(folder);
  CHECK(count(svg, ">the longest arrow is 0.35355") == 1);
  // The lower left place of the grid, moved by 14 cells.
  CHECK(count(svg, "<path d=\"M370.00 398.00L") == 1);
}

TEST_CASE("No field is drawn without a reconstruction, nor one that needs other arrays") {
  const TemporaryFolder bare, conditional;
  CHECK(pictures_of(bare, R"json("h": "x @ W")json") == Pictures{"curves.svg", "filters.png"});
  CHECK(pictures_of(conditional, R"json("y": "x + side @ W[0:1, :]")json") ==
        Pictures{"curves.svg", "filters.png"});
}

}  // namespace
}  // namespace jacquard::experiments
