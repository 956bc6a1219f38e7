// The evaluations of a spec, made on the values of a trained model.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/pool.hpp"
#include "experiments/data.hpp"
#include "experiments/metrics.hpp"
#include "experiments/spec.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

struct Evaluated {
  std::string name;     // of the evaluation
  std::string set;      // what it was made on
  Metrics metrics;      // {"accuracy", 0.61}
  std::string picture;  // an SVG file; empty where there is nothing to draw
};

// Adds to `problems` where an expression is wrong or has no value of the kind's shape for each
// example. `stage` as it ends (last_stage() of stages.hpp).
void check_evaluations(const Spec& stage, Problems& problems);

// The same where a set has no examples, or too few.
void check_evaluation_data(const Spec& stage, const Splits& data, Problems& problems);

// `set` makes all of them on one set; empty: each on its own. A regression is fitted on the
// training part in either case. Throws SpecError where a set has no examples, or too few, and where
// values are not finite.
std::vector<Evaluated> evaluate(const Spec& stage, const Splits& data, const std::string& set,
                                std::int64_t epoch, Values& values, ThreadPool& pool,
                                Problems& problems);

// "clusters: accuracy 0.61, mutual information 0.58 on test"
std::string told(const Evaluated& evaluated);

// All metrics by name: {"clusters/accuracy", 0.61}.
Metrics metrics_of(const std::vector<Evaluated>& evaluated);

}  // namespace jacquard::experiments
