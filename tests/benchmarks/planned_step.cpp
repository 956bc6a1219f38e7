#include "tests/benchmarks/planned_step.hpp"

#include <map>
#include <span>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"
#include "nn/optimizers.hpp"

namespace jacquard::benchmarks {
namespace {

struct BoundPlan {
  std::shared_ptr<ThreadPool> pool;
  std::map<std::string, std::vector<float>> values;
  Plan<float> plan;
};

Plan<float> make_plan(Tape& tape, const TypedCost& typed, ThreadPool& pool, Algebra algebra) {
  const Expr cost = algebra == Algebra::kSimplified ? simplified(typed.cost) : typed.cost;
  const nn::OptimizerStep step =
      nn::sgd(typed.parameters, gradient(cost, typed.parameters), constant(tape, kRate));
  return Plan<float>(tape, Program{{cost}, step.updates, {cost}}, pool);
}

}  // namespace

std::vector<float> random_values(std::int64_t count, const std::string& name, float scale) {
  std::vector<float> values(static_cast<std::size_t>(count));
  fill_normal(std::span<float>(values), 1, name, 0);
  for (float& v : values) v *= scale;
  return values;
}

Implementation planned_step(const std::string& name, const std::shared_ptr<ThreadPool>& pool,
                            const WriteCost& write, Algebra algebra) {
  Tape tape;
  const TypedCost typed = write(tape);
  const auto bound =
      std::make_shared<BoundPlan>(BoundPlan{pool, {}, make_plan(tape, typed, *pool, algebra)});
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
    const Node& node = tape.node(id);
    if (!is_input(node) || input_kind(node) == InputKind::kPlaceholder) continue;
    const bool parameter = input_kind(node) == InputKind::kParameter;
    std::vector<float>& values = bound->values[input_name(node)];
    values = random_values(node.shape.size(), input_name(node),
                           parameter ? kParameterScale : kDataScale);
    bound->plan.bind(input_name(node), values);
  }
  const auto step = [bound, name] {
    if (!bound->plan.run(1, 0))
      throw Error(cat("jacquard-bench: the cost of '", name, "' is not finite"));
    return static_cast<double>(bound->plan.scalar(0));
  };
  return {.name = name, .step = step, .arena_bytes = bound->plan.statistics().arena_bytes};
}

}  // namespace jacquard::benchmarks
