// The numbers that a training carries: parameters and state of the model, then what the optimizer
// keeps, by name.
#pragma once

#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/tensor.hpp"
#include "experiments/safetensors.hpp"

namespace jacquard::experiments {

class Values {
 public:
  // A named tensor whose memory stays where it is. Throws InternalError for a name that exists.
  void add(const std::string& name, Tensor<float> value);
  // Drops everything but these names.
  void keep_only(const std::set<std::string>& names);
  // New numbers for a name that exists, in the same memory. Throws InternalError for another shape.
  void set(const std::string& name, const Tensor<float>& value);
  bool contains(const std::string& name) const { return values_.contains(name); }
  const Tensor<float>& operator[](const std::string& name) const { return values_.at(name); }
  const std::map<std::string, Tensor<float>>& all() const { return values_; }

  // Lets the plan read them and, where it updates them, write them.
  template <class AnyPlan>
  void bind_to(AnyPlan& plan) {
    for (auto& [name, value] : values_) plan.bind(name, std::span<float>(value.data));
  }

 private:
  std::map<std::string, Tensor<float>> values_;
};

}  // namespace jacquard::experiments
