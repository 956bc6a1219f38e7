// Counts what plans allocate.
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/counted_allocations.hpp"
#include "tests/support/random_program.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

// Allocations of ten runs after the first.
template <class T>
std::int64_t allocations_of_runs(const Tape& tape, const Program& program, const Feed<double>& feed,
                                 int threads) {
  ThreadPool pool(threads);
  BoundPlan<T> plan(tape, program, feed, pool);
  // Products keep memory per thread: each thread must have seen each product.
  for (std::uint64_t step = 0; step < (threads == 1 ? 1 : 20); ++step) plan.run({1, step});
  const std::int64_t before = allocations;
  for (std::uint64_t step = 100; step < 110; ++step) plan.run({1, step});
  return allocations - before;
}

}  // namespace

#ifndef JACQUARD_SANITIZED
TEST_CASE("plan: allocations are counted") {
  const std::int64_t before = allocations;
  const std::vector<float> memory(100);
  CHECK(allocations == before + 1);
  CHECK(memory.size() == 100);
}
#endif

TEST_CASE("plan: runs after the first allocate nothing, whatever the operations") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    Program program{gradient(p.cost, p.parameters), {}, {p.cost}};
    for (std::size_t i = 0; i < p.parameters.size(); ++i)
      program.updates.push_back({p.parameters[i], p.parameters[i] - 0.01 * program.outputs[i]});
    CHECK(allocations_of_runs<float>(tape, program, p.feed, 1) == 0);
    CHECK(allocations_of_runs<double>(tape, program, p.feed, 1) == 0);
  }
}

TEST_CASE("plan: training a network on two threads allocates nothing after the first runs") {
  Tape tape;
  Random random(1);
  const Expr x = tape.input("x", {100, 300});
  const Expr W = tape.input("W", {300, 200}, InputKind::kParameter);
  const Expr h = sigmoid(matmul(x + 0.1 * normal(tape, {100, 300}, "noise"), W));
  const Expr cost = mean(sqnorm(matmul(h, transpose(W)) - x));
  const Expr g = gradient(cost, {W})[0];
  const Feed<double> feed = {{"x", random.tensor({100, 300})},
                             {"W", random.tensor({300, 200}, {-0.05, 0.05})}};
  const Program program{{cost}, {{W, W - 0.01 * g}}, {cost}};
  CHECK(allocations_of_runs<float>(tape, program, feed, 1) == 0);
  CHECK(allocations_of_runs<float>(tape, program, feed, 2) == 0);
  CHECK(allocations_of_runs<double>(tape, program, feed, 2) == 0);
}
