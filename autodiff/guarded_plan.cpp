#include "autodiff/guarded_plan.hpp"

#include <algorithm>

#include "autodiff/number.hpp"

namespace jacquard {

template <class T>
GuardedPlan<T>::GuardedPlan(const Tape& tape, Write write, ThreadPool& pool,
                            const PlanOptions& options)
    : tape_(tape),
      write_(std::move(write)),
      pool_(pool),
      options_(options),
      fast_(planned(Care::kFast)) {}

template <class T>
Plan<T> GuardedPlan<T>::planned(Care care) {
  ConditionalProgram written = write_(care);
  Program& program = written.program;
  if (const Expr guard = keeps_digits(written.conditions); guard && care == Care::kFast) {
    guard_ = program.outputs.size();
    program.outputs.push_back(guard);
    program.guards.push_back(guard);
  }
  return Plan<T>(tape_, program, pool_, options_);
}

template <class T>
void GuardedPlan<T>::bind_to(Plan<T>& plan, const Binding& b) const {
  if (b.constant)
    plan.bind_constant(b.name, b.memory);
  else
    plan.bind(b.name, b.memory);
}

template <class T>
void GuardedPlan<T>::bind(std::string_view name, std::span<T> memory) {
  std::erase_if(bindings_, [&](const Binding& b) { return b.name == name; });
  bindings_.push_back({std::string(name), memory, false});
  bind_to(fast_, bindings_.back());
  if (careful_) bind_to(*careful_, bindings_.back());
}

template <class T>
void GuardedPlan<T>::bind_constant(std::string_view name, std::span<const T> memory) {
  std::erase_if(bindings_, [&](const Binding& b) { return b.name == name; });
  // Handed on as constant memory only.
  bindings_.push_back({std::string(name), {const_cast<T*>(memory.data()), memory.size()}, true});
  bind_to(fast_, bindings_.back());
  if (careful_) bind_to(*careful_, bindings_.back());
}

template <class T>
bool GuardedPlan<T>::run(std::uint64_t seed, std::uint64_t step) {
  last_was_careful_ = false;
  const bool finite = fast_.run(seed, step);
  if (finite || !guard_ || number::is_finite(fast_.scalar(*guard_))) return finite;
  if (!careful_) {
    careful_.emplace(planned(Care::kCareful));
    for (const Binding& b : bindings_) bind_to(*careful_, b);
  }
  last_was_careful_ = true;
  ++careful_runs_;
  return careful_->run(seed, step);
}

template class GuardedPlan<float>;
template class GuardedPlan<double>;

}  // namespace jacquard
