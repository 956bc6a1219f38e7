// A cost typed on a tape, made into a full training step: value, gradients, update.
#pragma once

#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/plan.hpp"
#include "nn/optimizers.hpp"
#include "tests/benchmarks/harness.hpp"
#include "tests/benchmarks/named_array.hpp"

namespace jacquard::benchmarks {

constexpr float kParameterScale = 0.03f, kDataScale = 0.3f;
// Large enough for a wrong gradient to show in the parameters after one step.
constexpr double kRate = 0.1;

// `count` normal numbers times `scale`; the name makes them differ.
std::vector<float> random_values(std::int64_t count, const std::string& name, float scale);

struct TypedCost {
  Expr cost;
  std::vector<Expr> parameters;
};
using WriteCost = std::function<TypedCost(Tape&)>;

// `simplified()` is what the trainer does with every cost.
enum class Algebra { kSimplified, kAsTyped };

// What follows the gradients; without an optimizer they are the results.
struct StepOptions {
  std::optional<nn::Optimizer> optimizer = nn::Optimizer{"sgd"};
  double rate = kRate;
  Algebra algebra = Algebra::kSimplified;
  bool guarded = true;  // no update is made when the cost is not finite
};

// The step as a plan, with memory of its own for all that it reads and changes.
template <class T>
class PlannedStep {
 public:
  PlannedStep(ThreadPool& pool, const WriteCost& write, const StepOptions& options)
      : plan_(make_plan(pool, write, options)) {
    for (const std::string& name : plan_.inputs())
      if (name == "step") plan_.bind_constant(name, std::span<const T>(&number_, 1));
    for (Input& input : inputs_) plan_.bind(input.name, std::span<T>(input.values));
  }
  PlannedStep(const PlannedStep&) = delete;  // the plan is bound to its members
  PlannedStep& operator=(const PlannedStep&) = delete;

  std::vector<NamedArray<T>> arrays() {
    std::vector<NamedArray<T>> all;
    for (Input& input : inputs_) all.push_back({input.name, input.kind, input.values});
    for (std::size_t i = 0; i < gradients_.size(); ++i) {
      if (ran_) std::ranges::copy(plan_.output(i + 1), gradients_[i].values.begin());
      all.push_back({gradients_[i].name, InputKind::kState, gradients_[i].values});
    }
    return all;
  }

  // Throws Error when the cost is not finite.
  T run() {
    if (!plan_.run(1, 0)) throw Error("the cost of a benchmark is not finite");
    ran_ = true;
    number_ += 1;
    return plan_.scalar(0);
  }

  std::int64_t arena_bytes() const { return plan_.statistics().arena_bytes; }

 private:
  struct Input {
    std::string name;
    InputKind kind;
    std::vector<T> values;
  };

  Plan<T> make_plan(ThreadPool& pool, const WriteCost& write, const StepOptions& options) {
    Tape tape;
    const TypedCost typed = write(tape);
    const Expr cost = options.algebra == Algebra::kSimplified ? simplified(typed.cost) : typed.cost;
    const std::vector<Expr> gradients = gradient(cost, typed.parameters);
    Program program{{cost}, {}, {}};
    if (options.guarded) program.guards = {cost};
    if (options.optimizer) {
      const Expr rate = constant(tape, options.rate), step = tape.input("step", Shape{});
      program.updates =
          nn::optimizer_step(*options.optimizer, typed.parameters, gradients, rate, step).updates;
    } else {
      program.outputs.insert(program.outputs.end(), gradients.begin(), gradients.end());
      for (const Expr& p : typed.parameters) {
        const auto count = static_cast<std::size_t>(p.shape().size());
        gradients_.push_back(
            {gradient_name(input_name(tape.node(p))), InputKind::kState, std::vector<T>(count)});
      }
    }
    for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
      const Node& node = tape.node(id);
      if (!is_input(node) || input_kind(node) == InputKind::kPlaceholder) continue;
      if (input_name(node) == "step") continue;
      inputs_.push_back({input_name(node), input_kind(node),
                         std::vector<T>(static_cast<std::size_t>(node.shape.size()))});
    }
    return Plan<T>(tape, program, pool);
  }

  std::vector<Input> inputs_, gradients_;  // what is read or changed; what is only left behind
  T number_ = 0;                           // of the step, for optimizers
  bool ran_ = false;
  Plan<T> plan_;
};

// Random parameters and data, as all workloads have but those that say otherwise.
void random_start(const std::string& name, InputKind kind, std::span<float> values);

// A step with `arrays()` and `run()` as something to time, with the start it is given. `pool` is
// kept alive with it.
template <class Step>
Implementation started(const std::string& name, const std::shared_ptr<ThreadPool>& pool,
                       const std::shared_ptr<Step>& step,
                       const Start<float>& start = random_start) {
  fill(step->arrays(), start);
  Implementation result{.name = name,
                        .step = [pool, step] { return static_cast<double>(step->run()); }};
  result.results = [step] {
    std::vector<Result> results;
    for (const NamedArray<float>& a : step->arrays())
      if (a.kind != InputKind::kData)
        results.push_back({a.name, {a.values.begin(), a.values.end()}, a.tolerance});
    return results;
  };
  return result;
}

Implementation planned_step(const std::string& name, const std::shared_ptr<ThreadPool>& pool,
                            const WriteCost& write, const StepOptions& options = {},
                            const Start<float>& start = random_start);

}  // namespace jacquard::benchmarks
