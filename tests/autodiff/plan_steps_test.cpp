// What plans do after the passes (adding products in place, fusion, following products, updates in
// place) switched off and on in every combination: the same values, and the same bits where nothing
// is reordered.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/passes.hpp"
#include "tests/support/random_program.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

struct Step {
  Tape tape;
  RandomProgram random;
  Program program;

  // Descent along the gradient, or along that of its squares.
  Step(std::uint64_t seed, int order, const ProgramOptions& options)
      : random(random_program(tape, seed, options)) {
    Expr cost = random.cost;
    std::vector<Expr> slopes = gradient(cost, random.parameters);
    if (order == 2) {
      for (const Expr& g : slopes) cost = cost + sum(square(g));
      slopes = gradient(cost, random.parameters);
    }
    program.outputs = slopes;
    program.outputs.push_back(cost);
    if (seed % 2 == 0)
      program.outputs.insert(program.outputs.end(), random.values.begin(), random.values.end());
    for (std::size_t i = 0; i < slopes.size(); ++i)
      program.updates.push_back({random.parameters[i], random.parameters[i] - 0.01 * slopes[i]});
    program.guards = {cost};
  }

  bool has_contractions() const {
    const Graph graph = prepare(tape, program.outputs);
    for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
      if (graph.tape->node(id).op->name == "contract") return true;
    return false;
  }

  // Outputs and updated parameters after two steps.
  template <class T>
  std::vector<std::vector<T>> run(const std::vector<std::string>& without, int threads) const {
    ThreadPool pool(threads);
    BoundPlan<T> plan(tape, program, random.feed, pool,
                      {.without_passes = without, .poison = true});
    std::vector<std::vector<T>> all;
    for (std::uint64_t step = 0; step < 2; ++step) {
      REQUIRE(plan.run({.seed = 3, .step = step}));
      for (auto& output : plan.outputs()) all.push_back(std::move(output));
      for (const Update& u : program.updates)
        all.push_back(plan.input(input_name(tape.node(u.target))));
    }
    return all;
  }
};

template <class T>
bool near(const std::vector<std::vector<T>>& a, const std::vector<std::vector<T>>& b, T bound) {
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a[i].size(); ++k)
      if (!(std::abs(a[i][k] - b[i][k]) <= bound * (1 + std::abs(b[i][k])))) return false;
  return a.size() == b.size();
}

template <class T>
void check_steps(std::uint64_t seed, int order, const ProgramOptions& options) {
  const Step step(seed, order, options);
  const bool contractions = step.has_contractions();
  // Second derivatives of random programs are larger, and so are their roundings.
  const T bound = (order == 1 ? 5'000 : 100'000) * std::numeric_limits<T>::epsilon();
  const auto plain = step.run<T>({"accumulation", "fusion", "following", "in_place"}, 1);
  for (int off = 0; off < 16; ++off) {
    std::vector<std::string> without;
    for (std::size_t i = 0; i < kPlanSteps.size(); ++i)
      if ((off >> i & 1) != 0) without.emplace_back(kPlanSteps[i]);
    CAPTURE(off);
    const auto got = step.run<T>(without, 1);
    CHECK(near(got, plain, bound));
    if (!contractions) CHECK(got == plain);
    CHECK(step.run<T>(without, 2) == got);
    if ((off & 8) == 0) {
      without.emplace_back(kInPlace);
      CHECK(step.run<T>(without, 1) == got);
    }
  }
}

}  // namespace

TEST_CASE_TEMPLATE("plan steps: gradients of random programs, each step switched off and on", T,
                   float, double) {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    check_steps<T>(seed, 1, {.contractions = seed % 3 != 0});
  }
}

TEST_CASE_TEMPLATE("plan steps: second derivatives, each step switched off and on", T, float,
                   double) {
  for (std::uint64_t seed = 100; seed < 120; ++seed) {
    CAPTURE(seed);
    check_steps<T>(seed, 2, {.operations = 8, .contractions = seed % 3 != 0, .smooth = true});
  }
}
