// Plan: a tape made ready to run many times in one precision.
//
// A plan knows its order, its kernels and the place of every intermediate in one arena; nothing is
// allocated while it runs, but for a few megabytes that a thread keeps once it has needed them
// (thread_memory.hpp). Values come in and go out through memory that the caller binds, so
// several plans (training, monitors of other batch sizes) share the same parameters.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/pool.hpp"
#include "autodiff/tape.hpp"

namespace jacquard {

// target (an input of kind parameter or state) becomes `value` at the end of a run.
struct Update {
  Expr target;
  Expr value;
};

// What a plan computes.
struct Program {
  std::vector<Expr> outputs;
  std::vector<Update> updates;
  // Scalars that must be finite, else the updates of the run are skipped: usually the cost.
  std::vector<Expr> guards;
};

struct PlanOptions {
  // Plans that need more bytes for intermediates are refused, with their largest nodes named.
  std::int64_t memory_limit = std::int64_t{8} << 30;
  std::string limit_name = "the limit";  // what the user raises it by
  // What a larger value is computed in parts of (see chunks.hpp), in bytes; smaller parts are tried
  // where they take no more work, and before a plan is refused. 0: no value is taken apart.
  std::int64_t chunk_bytes = std::int64_t{16} << 20;
  // Names of passes that are left out (see passes.hpp); for tests and for finding a wrong one.
  std::vector<std::string> without_passes = {};
  // Fills freed memory with NaN, so that a value read after its end shows. For tests.
  bool poison = false;
};

struct PlanStatistics {
  std::int64_t instructions = 0;
  std::int64_t arena_bytes = 0;
  double flops = 0;  // of one run
};

template <class T>
class Plan {
 public:
  // Throws Error when the program needs more memory than allowed, InternalError when a pass broke
  // the tape. The tape is not needed afterwards. `pool` must outlive the plan.
  Plan(const Tape& tape, const Program& program, ThreadPool& pool, const PlanOptions& options = {});
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  // The inputs that the plan reads or updates, by name.
  const std::vector<std::string>& inputs() const;
  bool has_input(std::string_view name) const;

  // Gives an input its memory, row-major and of its shape. Parameters and state are written there
  // by their updates. Must be bound before run(); names the plan does not read are ignored.
  // Throws Error when the size is wrong.
  void bind(std::string_view name, std::span<T> memory);
  void bind_constant(std::string_view name, std::span<const T> memory);  // data, never written

  // Computes everything, then the updates. Returns false, with no update made, when a guard is not
  // finite. Throws Error when an input is not bound.
  bool run(std::uint64_t seed, std::uint64_t step);

  // The value of program.outputs[i], until the next run.
  std::span<const T> output(std::size_t i) const;
  T scalar(std::size_t i) const;

  PlanStatistics statistics() const;
  // Instructions with shapes, FLOPs, bytes and places, for people.
  std::string describe() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace jacquard
