// One step of a training: of an optimizer on a batch, or of a minimizer on the whole set.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/plan.hpp"
#include "experiments/data.hpp"
#include "experiments/recording.hpp"
#include "experiments/safetensors.hpp"
#include "experiments/training_state.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

class TrainingStep {
 public:
  virtual ~TrainingStep() = default;

  // Steps that make an epoch.
  virtual std::int64_t per_epoch() const = 0;
  // Gathers what step `state.batch` of epoch `state.epoch` + 1 reads, without making it.
  virtual void prepare(const TrainingState& state) = 0;
  // Makes step `state.batch` of epoch `state.epoch` + 1 and counts it in careful_steps where it was
  // one; the other counts are the caller's. False, with nothing changed, when the cost is not
  // finite.
  virtual bool make(TrainingState& state) = 0;
  // Of the last step.
  virtual double cost() const = 0;
  // Nothing is left to be done: every further step would leave the values as they are.
  virtual bool converged() const { return false; }
  // What the step keeps beside the values.
  virtual std::vector<SavedTensor> saved() const { return {}; }
  virtual void restore(const SafeTensors&) {}

  virtual PlanStatistics statistics() const = 0;
  // Everything that the step reads that was prepared or made last, for the interpreter, and the
  // tape it is for.
  virtual Feed<float> feed() const = 0;
  virtual const Recording& recording() const = 0;
};

struct StepContext {
  const Spec& spec;  // of the stage
  const std::map<std::string, Shape>& inputs;
  const DataSet& data;  // the training part
  Values& values;       // what the optimizer keeps is added
  ThreadPool& pool;
  Problems& problems;
};

// The kind of step that the spec asks for. All in the context must outlive it. Throws InvalidSpec
// for a cost that cannot be differentiated.
std::unique_ptr<TrainingStep> make_training_step(const StepContext& context);

}  // namespace jacquard::experiments
