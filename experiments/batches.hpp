// Batches of a data set, gathered into memory that plans are bound to.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/pool.hpp"
#include "experiments/data.hpp"

namespace jacquard::experiments {

class BatchFeeder {
 public:
  // Buffers for `batch` examples of every array of the set that the plan reads. The plan is bound
  // to them; the set and the pool must outlive the feeder.
  template <class AnyPlan>
  BatchFeeder(const DataSet& data, std::int64_t batch, AnyPlan& plan, ThreadPool& pool)
      : batch_(batch), pool_(pool) {
    for (const auto& [name, array] : data.arrays)
      if (plan.has_input(name)) plan.bind_constant(name, add(name, array));
  }

  // Copies the examples with these numbers; as many as the batch has.
  void gather(std::span<const std::int64_t> examples);

  // The batch as it is now, for the interpreter.
  void add_to(Feed<float>& feed) const;

 private:
  // Memory for a batch of the array.
  std::span<const float> add(const std::string& name, const ExampleArray& array);

  struct Array {
    std::string name;
    const ExampleArray* source;
    std::vector<float> buffer;
  };
  std::int64_t batch_;
  ThreadPool& pool_;
  std::vector<Array> arrays_;
};

}  // namespace jacquard::experiments
