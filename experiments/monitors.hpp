// Monitors: the terms of the cost and the spec's own expressions, averaged over a data set.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "autodiff/guarded_plan.hpp"
#include "experiments/batches.hpp"
#include "experiments/data.hpp"
#include "experiments/recording.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

struct Measured {
  std::vector<double> terms;     // raw, in the order of the spec
  std::vector<double> monitors;  // likewise
  double cost = 0;               // the weighted terms, added in order
};

// Measures one set. Batches of the training's size and a short last one, each with a plan of its
// own; averages are weighted by the number of examples and kept in double. Noise is drawn at a
// step of its own for each batch, the same every time, so that epochs compare.
class Monitor {
 public:
  // The first `limit` examples of the set; 0: all. The set, the values and the pool must outlive
  // the monitor.
  Monitor(const Spec& spec, const std::map<std::string, Shape>& inputs, const DataSet& data,
          std::int64_t batch, std::int64_t limit, Values& values, ThreadPool& pool,
          Problems& problems);
  Monitor(const Monitor&) = delete;  // plans are bound to its members
  Monitor& operator=(const Monitor&) = delete;

  Measured measure(std::int64_t epoch, std::uint64_t step);

 private:
  struct Part {
    std::int64_t first, count, batch;  // examples from `first`, in batches
    Recording recording;
    std::unique_ptr<GuardedPlan<float>> plan;
    std::unique_ptr<BatchFeeder> feeder;
  };
  void add_part(const Spec& spec, const std::map<std::string, Shape>& inputs, const DataSet& data,
                std::int64_t first, std::int64_t count, std::int64_t batch, Values& values,
                ThreadPool& pool, Problems& problems);

  std::uint64_t seed_;
  std::vector<double> weights_;
  std::size_t monitors_ = 0;
  std::vector<Part> parts_;
  float epoch_ = 0, step_ = 0;
};

}  // namespace jacquard::experiments
