// R: how long it takes to find the cheap form of a cost and its gradient, the search included. The
// cost is recorded anew each time, which is part of the figure: a tape remembers what was found.
#include "autodiff/algebra/simplify.hpp"
#include "autodiff/gradient.hpp"
#include "tests/benchmarks/penalty_costs.hpp"

namespace jacquard::benchmarks {
namespace {

Workload rewrite(const std::string& variant, std::int64_t batch, const WriteCost& write) {
  const auto step = [write] {
    Tape tape;
    const TypedCost typed = write(tape);
    gradient(simplified(typed.cost), typed.parameters);
    return 0.0;
  };
  const Implementation ours{.name = "jacquard", .step = step};
  return {.name = "R", .variant = variant, .batch = batch, .make = [ours](int) {
            return std::vector<Implementation>{ours};
          }};
}

}  // namespace

std::vector<Workload> rewriting() {
  return {
      rewrite("cost of J1", 100, [](Tape& tape) { return contractive(tape, 100); }),
      rewrite("cost of J2", 100, [](Tape& tape) { return encoder_penalty(tape, kEncoder); }),
      rewrite("cost of J3", 100, [](Tape& tape) { return contractive_logits(tape, 100); }),
      rewrite("cost of J3s", 20,
              [](Tape& tape) { return reconstruction_penalty(tape, kReconstruction); }),
      rewrite("cost of J4", 100, [](Tape& tape) { return higher_order(tape, 100); }),
      rewrite("40 layers 784-256-256-...", 100,
              [](Tape& tape) { return chain_penalty(tape, 100, 40); }),
  };
}

}  // namespace jacquard::benchmarks
