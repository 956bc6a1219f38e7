// What the README shows is true: its spec is valid, its program is the one compiled here.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/plan.hpp"
#include "experiments/data.hpp"
#include "experiments/loaded_spec.hpp"
#include "experiments/recording.hpp"
#include "models/autoencoder.hpp"
#include "models/model.hpp"
#include "nn/losses.hpp"
#include "nn/optimizers.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard {
namespace {

std::string text_of(const std::string& path) {
  std::ifstream file(JACQUARD_SOURCE_DIR "/" + path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What stands between `begin` and the next `end`.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const std::size_t first = text.find(begin);
  REQUIRE(first != std::string::npos);
  const std::size_t last = text.find(end, first + begin.size());
  REQUIRE(last != std::string::npos);
  return text.substr(first + begin.size(), last - first - begin.size());
}

void readme_program(float& reached) {
  // README
  const auto images =
      experiments::load_data({.set = "fashion_mnist"}, 1).train.arrays["x"].values();
  const auto declared = models::autoencoder({.inputs = 784, .hidden = {64}});
  Tape tape;
  models::Model model(tape, declared, {{"x", {100, 784}}});
  const Expr x = model["x"], h = model["h"];
  const Expr kl = model.scalar("sum(0.05*log(0.05/mean(h, 0)) + 0.95*log(0.95/(1-mean(h, 0))))");
  const Expr cost = simplified(mean(nn::cross_entropy_logits(model["logits"], x)) +
                               0.1 * mean(sqnorm(jacobian(h, x))) + 0.3 * kl);
  const std::vector<Expr>& parameters = model.parameters();
  const auto sgd = nn::sgd(parameters, gradient(cost, parameters), constant(tape, 0.1));

  ThreadPool pool(2);
  Plan<float> plan(tape, Program{{cost}, sgd.updates, {cost}}, pool);
  std::map<std::string, Tensor<float>> values;
  for (const auto& [name, value] : models::initial_values(declared, /*seed=*/1))
    plan.bind(name, values[name] = cast<float>(value));
  for (std::size_t step = 0; step < 100; ++step) {
    plan.bind_constant("x", std::span(images.data).subspan(step * 100 * 784, 100 * 784));
    if (!plan.run(/*seed=*/1, step)) return;  // the cost is not finite; no update was made
  }
  // end of README
  reached = plan.scalar(0);
}

TEST_CASE("The program in the README is one that compiles") {
  const std::string compiled = between(text_of("tests/experiments/readme_test.cpp"),
                                       "  // README\n", "  // end of README\n");
  CHECK(between(text_of("README.md"), "```cpp\n", "```\n") == compiled);
}

TEST_CASE("The spec in the README is valid") {
  const experiments::TemporaryFolder folder;
  const std::string spec = between(text_of("README.md"), "```json\n", "```\n");
  experiments::LoadedSpec loaded({folder.put("mine.json", spec)});
  loaded.problems().throw_if_any();
  experiments::record(loaded.spec(), experiments::example_shapes(loaded.spec()), 100,
                      loaded.problems());
  loaded.problems().throw_if_any();
}

TEST_SUITE("slow") {
  TEST_CASE("The program in the README trains") {
    float reached = 0;
    readme_program(reached);
    CHECK(reached > 100);
    CHECK(reached < 400);  // from about 550
  }
}

}  // namespace
}  // namespace jacquard
