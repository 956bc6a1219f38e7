// A cost typed on a tape, made into a full training step in float32: value, gradients, SGD.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "autodiff/plan.hpp"
#include "tests/benchmarks/harness.hpp"

namespace jacquard::benchmarks {

constexpr float kParameterScale = 0.03f, kDataScale = 0.3f;
constexpr double kRate = 1e-6;  // too small to lead anywhere

// `count` normal numbers times `scale`; the name makes them differ.
std::vector<float> random_values(std::int64_t count, const std::string& name, float scale);

struct TypedCost {
  Expr cost;
  std::vector<Expr> parameters;
};
using WriteCost = std::function<TypedCost(Tape&)>;

// `simplified()` is what the trainer does with every cost.
enum class Algebra { kSimplified, kAsTyped };

// The step with random parameters and data of its own; it throws Error when its cost is not finite.
Implementation planned_step(const std::string& name, const std::shared_ptr<ThreadPool>& pool,
                            const WriteCost& write, Algebra algebra = Algebra::kSimplified);

}  // namespace jacquard::benchmarks
