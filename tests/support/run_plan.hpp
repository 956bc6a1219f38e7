// Runs a program through a plan, with the memory of its inputs kept beside it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/plan.hpp"

namespace jacquard::testing {

template <class T>
class BoundPlan {
 public:
  BoundPlan(const Tape& tape, const Program& program, const Feed<double>& feed, ThreadPool& pool,
            const PlanOptions& options = {})
      : plan_(tape, program, pool, options), outputs_(program.outputs.size()) {
    for (const auto& [name, value] : feed) {
      const auto at = memory_.emplace(name, cast<T>(value).data).first;
      plan_.bind(name, at->second);
    }
  }

  bool run(const RunContext& context = {}) { return plan_.run(context.seed, context.step); }
  Plan<T>& plan() { return plan_; }
  std::vector<T>& input(const std::string& name) { return memory_.at(name); }
  std::vector<T> output(std::size_t i) const {
    const std::span<const T> value = plan_.output(i);
    return {value.begin(), value.end()};
  }
  std::vector<std::vector<T>> outputs() const {
    std::vector<std::vector<T>> all;
    for (std::size_t i = 0; i < outputs_; ++i) all.push_back(output(i));
    return all;
  }

 private:
  std::map<std::string, std::vector<T>> memory_;
  Plan<T> plan_;
  std::size_t outputs_;
};

// The outputs of one run.
template <class T>
std::vector<std::vector<T>> run_plan(const Tape& tape, const std::vector<Expr>& outputs,
                                     const Feed<double>& feed, ThreadPool& pool,
                                     const PlanOptions& options = {},
                                     const RunContext& context = {}) {
  BoundPlan<T> plan(tape, {outputs, {}, {}}, feed, pool, options);
  plan.run(context);
  return plan.outputs();
}

}  // namespace jacquard::testing
