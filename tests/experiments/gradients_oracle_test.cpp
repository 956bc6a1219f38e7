// `jacquard gradients` against values of another framework: PyTorch 1.13.1 (Debian 12's
// python3-torch), float64, stored by tests/golden/gradients/make.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "experiments/commands.hpp"
#include "experiments/npy.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

const fs::path kFolder = fs::path(JACQUARD_SOURCE_DIR) / "tests/golden/gradients";

std::vector<std::string> case_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFolder))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  std::ranges::sort(names);
  return names;
}

struct Answer {
  NamedArrays<double> arrays;
  std::string talk;
};

Answer gradients(const std::string& name, Precision precision) {
  const TemporaryFolder folder;
  GradientsCommand command;
  command.spec.path = kFolder / (name + ".json");
  command.parameters = kFolder / (name + ".params.npz");
  command.data = kFolder / (name + ".data.npz");
  command.out = folder / "result.npz";
  command.precision = precision;
  std::ostringstream out, said;
  Talk talk(said, Screen{});
  REQUIRE(gradients_command(command, out, talk) == 0);
  return {read_npz<double>(command.out), said.str()};
}

// The largest difference, as a share of the largest value expected.
double distance(const Tensor<double>& ours, const Tensor<double>& expected) {
  double difference = 0, largest = 0;
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    difference = std::max(difference, std::abs(ours[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return difference == 0 ? 0 : difference / largest;
}

void compare(Precision precision, double tolerance) {
  for (const std::string& name : case_names()) {
    CAPTURE(name);
    const Answer answer = gradients(name, precision);
    const auto expected = read_npz<double>(kFolder / (name + ".result.npz"));
    CHECK(answer.arrays.size() == expected.size());
    for (const NamedArray<double>& array : expected) {
      CAPTURE(array.name);
      const auto ours = std::ranges::find(answer.arrays, array.name, &NamedArray<double>::name);
      REQUIRE(ours != answer.arrays.end());
      REQUIRE(ours->values.shape == array.values.shape);
      CHECK(distance(ours->values, array.values) <= tolerance);
    }
  }
}

TEST_CASE("All stored costs of another framework are compared with") {
  CHECK(case_names() == std::vector<std::string>{"combined", "contractive",
                                                 "contractive_two_layers", "curvature", "denoising",
                                                 "double_backpropagation", "plain",
                                                 "reconstruction_jacobian", "sparse"});
}

TEST_CASE("Costs and gradients are PyTorch's to 1e-10 in double precision") {
  compare(Precision::kDouble, 1e-10);
}

TEST_CASE("Costs and gradients are PyTorch's to 1e-4 in single precision") {
  compare(Precision::kFloat, 1e-4);
}

TEST_CASE("A parameter without influence has zeros for a gradient, with a warning") {
  CHECK(gradients("curvature", Precision::kDouble).talk ==
        "warning: the cost does not depend on parameter 'c'; its gradient is 0\n");
  CHECK(gradients("contractive", Precision::kDouble).talk == "");
}

}  // namespace
}  // namespace jacquard::experiments
