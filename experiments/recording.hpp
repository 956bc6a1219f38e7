// A spec recorded on a tape for one batch size: its model, its cost and its monitors.
//
// Shapes are static, so training, monitors over a short last batch, and checks each have a
// recording of their own; parameters have the same names in all of them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/plan.hpp"
#include "experiments/spec.hpp"
#include "models/model.hpp"

namespace jacquard::experiments {

// The input that holds the rate which the monitors drive.
inline constexpr const char* kAdjustedRate = "train/rate";

struct RecordedTerm {
  std::string name;
  double weight;
  Expr value;  // []
};

struct Recording {
  std::unique_ptr<Tape> tape;
  std::unique_ptr<models::Model> model;
  std::vector<RecordedTerm> terms;
  Expr cost;                                           // []: the weighted sum of the terms
  std::vector<std::pair<std::string, Expr>> monitors;  // scalars
  Expr rate;                                           // []; empty without "train"
  nn::ScheduledOptions scheduled;                      // options of the optimizer that change
  // Expressions shaped like x; empty where there is none.
  Expr reconstruction, corrupted;

  Expr epoch() const;  // [] inputs of the tape
  Expr step() const;
  const std::vector<Expr>& parameters() const { return model->parameters(); }
};

// The name of a parameter, as the spec declares it.
const std::string& parameter_name(Expr parameter);

// The shapes of one example of every input: from the data set and from the model's "inputs".
// Throws SpecError when the data set's arrays cannot be known.
std::map<std::string, Shape> example_shapes(const Spec& spec);

// Records the spec for `batch` examples. All mistakes in texts are added to `problems` at their
// places, and the recording is complete only if there are none.
Recording record(const Spec& spec, const std::map<std::string, Shape>& inputs, std::int64_t batch,
                 Problems& problems);

// The shapes of texts that use the model's names, recorded alone for `batch` examples. `where`
// comes first, as in `pointers`. Mistakes, in the model's own texts too, are added to `problems`;
// the shapes are complete only if there are none.
std::vector<Shape> recorded_shapes(const Spec& spec, const std::map<std::string, Shape>& inputs,
                                   std::int64_t batch,
                                   const std::vector<std::pair<std::string, std::string>>& texts,
                                   Problems& problems);

// How plans of a spec are made: within its memory limit.
PlanOptions plan_options(const Spec& spec);

}  // namespace jacquard::experiments
