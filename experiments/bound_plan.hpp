// A plan of a recorded model's expressions, beside the training: bound to the model's values and to
// batches of neighbouring examples.
#pragma once

#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "autodiff/plan.hpp"
#include "experiments/batches.hpp"
#include "experiments/recording.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

class BoundPlan {
 public:
  // `epoch` is what expressions see of it; the step is 0.
  BoundPlan(const Recording& recording, const Program& program, const Spec& spec,
            std::int64_t epoch, Values& values, ThreadPool& pool)
      : plan(*recording.tape, program, pool, plan_options(spec)),
        epoch_(static_cast<float>(epoch)),
        pool_(pool) {
    values.bind_to(plan);
    plan.bind_constant("epoch", std::span<const float>(&epoch_, 1));
    plan.bind_constant("step", std::span<const float>(&step_, 1));
  }
  BoundPlan(const BoundPlan&) = delete;  // the plan is bound to its members
  BoundPlan& operator=(const BoundPlan&) = delete;

  // The set, which must outlive this, has the inputs of the plan; `batch` of its examples at a
  // time.
  void read_from(const DataSet& data, std::int64_t batch) {
    feeder_.emplace(data, batch, plan, pool_);
    rows_.resize(static_cast<std::size_t>(batch));
  }
  // The examples from number `first` on are the batch.
  void gather(std::int64_t first) {
    std::iota(rows_.begin(), rows_.end(), first);
    feeder_->gather(rows_);
  }

  Plan<float> plan;

 private:
  float epoch_, step_ = 0;
  ThreadPool& pool_;
  std::optional<BatchFeeder> feeder_;
  std::vector<std::int64_t> rows_;
};

}  // namespace jacquard::experiments
