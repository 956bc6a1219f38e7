// J1 to J4: full steps whose cost has a penalty on a Jacobian, as it is typed, against the same
// penalty derived by hand, the step without it, and batched vector-Jacobian products.
#include <memory>

#include "autodiff/error.hpp"
#include "tests/benchmarks/penalty_costs.hpp"

namespace jacquard::benchmarks {
namespace {

using Pool = std::shared_ptr<ThreadPool>;
using MakeSteps = std::function<std::vector<Implementation>(const Pool& pool)>;

Workload workload(const std::string& name, const std::string& variant, std::int64_t batch,
                  const MakeSteps& make) {
  const auto with_pool = [make](int threads) {
    return make(std::make_shared<ThreadPool>(threads));
  };
  return {name, variant, batch, with_pool};
}

using CostOfBatch = TypedCost (*)(Tape&, std::int64_t batch);

WriteCost of_batch(CostOfBatch cost, std::int64_t batch) {
  return [=](Tape& tape) { return cost(tape, batch); };
}

Workload against_hand(const std::string& name, const std::string& variant, std::int64_t batch,
                      CostOfBatch hand, CostOfBatch typed) {
  return workload(name, variant, batch, [=](const Pool& pool) {
    return std::vector<Implementation>{planned_step("hand", pool, of_batch(hand, batch)),
                                       planned_step("jacquard", pool, of_batch(typed, batch))};
  });
}

Workload against_plain(const std::string& name, const std::string& variant, std::int64_t batch,
                       CostOfBatch typed) {
  return workload(name, variant, batch, [=](const Pool& pool) {
    // Nothing is compared, and the contraction of the logits would not bear a larger rate.
    const StepOptions slow{.rate = 1e-6};
    Implementation without = planned_step("plain", pool, of_batch(plain, batch), slow);
    without.compared = false;
    return std::vector<Implementation>{
        without, planned_step("jacquard", pool, of_batch(typed, batch), slow)};
  });
}

// The cost as typed, without the algebra.
Implementation fallback(const Pool& pool, const WriteCost& cost) {
  Implementation step = planned_step("fallback", pool, cost, {.algebra = Algebra::kAsTyped});
  step.slow = true;
  return step;
}

Workload against_fallback(const std::string& name, const std::string& variant, std::int64_t batch,
                          CostOfBatch typed) {
  return workload(name, variant, batch, [=](const Pool& pool) {
    return std::vector<Implementation>{fallback(pool, of_batch(typed, batch)),
                                       planned_step("jacquard", pool, of_batch(typed, batch))};
  });
}

std::vector<float> transposed(const std::vector<float>& matrix, std::int64_t rows) {
  const auto height = static_cast<std::size_t>(rows), width = matrix.size() / height;
  std::vector<float> result(matrix.size());
  for (std::size_t i = 0; i < height; ++i)
    for (std::size_t j = 0; j < width; ++j) result[j * height + i] = matrix[i * width + j];
  return result;
}

// With the parameters and data that planned_step() gives to the typed cost.
Implementation step_by_hand(const Pool& pool, const PenaltySizes& sizes, bool tied) {
  const auto step = std::make_shared<HandDerivedStep<float>>(*pool, sizes, tied);
  const auto fill = [](std::vector<float>& values, const char* name, float scale) {
    values = random_values(static_cast<std::int64_t>(values.size()), name, scale);
  };
  fill(step->x, "x", kDataScale);
  fill(step->w, "W", kParameterScale);
  fill(step->b, "b", kParameterScale);
  fill(step->v, "V", kParameterScale);
  fill(step->c, "c", kParameterScale);
  if (!tied) step->v = transposed(step->v, sizes.m);
  return {.name = "hand", .step = [pool, step] {
            return static_cast<double>(step->run(static_cast<float>(kRate)));
          }};
}

Workload two_layers(const std::string& name, const std::string& variant, const PenaltySizes& sizes,
                    bool tied, TypedCost (*typed)(Tape&, const PenaltySizes&)) {
  return workload(name, variant, sizes.batch, [=](const Pool& pool) {
    const WriteCost cost = [=](Tape& tape) { return typed(tape, sizes); };
    return std::vector<Implementation>{step_by_hand(pool, sizes, tied),
                                       planned_step("jacquard", pool, cost), fallback(pool, cost)};
  });
}

}  // namespace

std::vector<Workload> jacobian_penalties() {
  const std::string contraction = "784-1000-784 tied sigmoid, contraction of the code";
  std::vector<Workload> all;
  for (const std::int64_t batch : {20, 100, 500})
    all.push_back(against_hand("J1", contraction, batch, contractive_by_hand, contractive));
  for (const std::int64_t batch : {20, 100, 500})
    all.push_back(against_plain("J1s", contraction, batch, contractive));
  all.push_back(against_fallback("J1f", contraction, 100, contractive));
  all.push_back(two_layers("J2", "784-500-250 sigmoid, contraction of the code alone", kEncoder,
                           false, encoder_penalty));
  all.push_back(against_plain("J3", "784-1000-784 tied sigmoid, contraction of the logits", 100,
                              contractive_logits));
  all.push_back(two_layers("J3s", "784-250-784 tied sigmoid, contraction of the output alone",
                           kReconstruction, true, reconstruction_penalty));
  all.push_back(against_hand("J4", contraction + " and 4 draws of the Hessian penalty", 100,
                             higher_order_by_hand, higher_order));
  return all;
}

}  // namespace jacquard::benchmarks
