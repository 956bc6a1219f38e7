// The point at which a spec is checked: values of parameters, state and inputs, by name.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "autodiff/interpreter.hpp"
#include "experiments/spec.hpp"
#include "experiments/talk.hpp"

namespace jacquard::experiments {

struct BasePoint {
  Feed<double> values;
  std::string inputs;  // where they are from, for people: the data set's name, or "random inputs"
};

// Parameters and state: their initial values by the spec's seed, plus normal noise of a tenth of
// their root mean square (of 0.1 where they are 0), so that zero biases hide nothing.
//
// Inputs, [examples, shape of one]: the first examples of the training part. Where there is no data
// set, or it is missing on this machine (which is said), they are drawn uniformly from the range
// that the spec declares for them, else from [0, 1]; "labels" are whole numbers of that range, else
// 0 to 9. epoch is 1, step 0. Everything random depends on `seed` alone.
//
// Throws UsageError when the training part has fewer examples, SpecError for damaged data and for
// parameters that do not fit the spec's memory limit.
BasePoint base_point(const Spec& spec, const std::map<std::string, Shape>& example_shapes,
                     std::int64_t examples, std::uint64_t seed, Talk& talk);

}  // namespace jacquard::experiments
