// The numbers that a training carries: parameters, then what the optimizer keeps, by name.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "autodiff/tensor.hpp"
#include "experiments/safetensors.hpp"
#include "nn/optimizers.hpp"

namespace jacquard::experiments {

class Values {
 public:
  // A named tensor whose memory stays where it is. Throws InternalError for a name that exists.
  void add(const std::string& name, Tensor<float> value);
  bool contains(const std::string& name) const { return values_.contains(name); }
  const Tensor<float>& operator[](const std::string& name) const { return values_.at(name); }
  const std::map<std::string, Tensor<float>>& all() const { return values_; }

  // Lets the plan read them and, where it updates them, write them.
  template <class AnyPlan>
  void bind_to(AnyPlan& plan) {
    for (auto& [name, value] : values_) plan.bind(name, std::span<float>(value.data));
  }

  // A checkpoint: every value by name, and how far the training was. No time, path, host or number
  // of threads, so that equal trainings have equal bytes.
  std::string checkpoint(std::int64_t epoch, std::uint64_t step) const;

 private:
  std::map<std::string, Tensor<float>> values_;
};

}  // namespace jacquard::experiments
