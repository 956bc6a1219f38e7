// GuardedPlan: a plan of the fast form of a program that runs its careful form instead wherever
// the fast one would lose digits.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/plan.hpp"

namespace jacquard {

// A program, and under which conditions it keeps its digits (none for a careful one).
struct ConditionalProgram {
  Program program;
  std::vector<Condition> conditions;
};

template <class T>
class GuardedPlan {
 public:
  // `write` writes the program on the tape with the care it is given: at once with Care::kFast,
  // and during a run with Care::kCareful the first time that a condition fails. The tape and the
  // pool must outlive the plan. Throws what Plan throws.
  using Write = std::function<ConditionalProgram(Care)>;
  GuardedPlan(const Tape& tape, Write write, ThreadPool& pool, const PlanOptions& options = {});

  // As for Plan.
  bool has_input(std::string_view name) const { return fast_.has_input(name); }
  void bind(std::string_view name, std::span<T> memory);
  void bind_constant(std::string_view name, std::span<const T> memory);
  bool run(std::uint64_t seed, std::uint64_t step);
  std::span<const T> output(std::size_t i) const { return last().output(i); }
  T scalar(std::size_t i) const { return last().scalar(i); }

  // Of the fast form.
  PlanStatistics statistics() const { return fast_.statistics(); }
  // How often the careful form had to run.
  std::int64_t careful_runs() const { return careful_runs_; }

 private:
  struct Binding {
    std::string name;
    std::span<T> memory;
    bool constant;
  };

  const Plan<T>& last() const { return last_was_careful_ ? *careful_ : fast_; }
  Plan<T> planned(Care care);
  void bind_to(Plan<T>& plan, const Binding& binding) const;

  const Tape& tape_;
  Write write_;
  ThreadPool& pool_;
  PlanOptions options_;
  std::optional<std::size_t> guard_;  // the output that is finite while the conditions hold
  Plan<T> fast_;
  std::optional<Plan<T>> careful_;
  std::vector<Binding> bindings_;
  bool last_was_careful_ = false;
  std::int64_t careful_runs_ = 0;
};

}  // namespace jacquard
