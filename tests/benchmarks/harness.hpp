// Times implementations of the same work against each other: alternately in one process, so that
// a machine that changes its speed changes it for all of them, and by ratios of medians.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace jacquard::benchmarks {

template <class Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Values that a step changes.
struct Result {
  std::string name;
  std::vector<float> values;
  double tolerance;  // relative norm of the difference that other implementations may have
};

// One way to do a workload; one call is one step.
struct Implementation {
  std::string name;                   // `jacquard` for ours
  std::function<double()> step = {};  // returns the cost; 0 where there is none
  std::int64_t arena_bytes = 0;       // of the plan's intermediates; 0: there is no plan
  std::int64_t live_bytes = 0;        // the least that any arena could have; 0: not known
  double flops = 0;                   // of its products; 0: not shown
  int operations = 0;                 // whose time is shown as well; 0: not shown
  std::function<std::vector<Result>()> results = {};  // may be empty
  // Its cost, and what its first step does to its results, must be those of the first compared
  // implementation. Not so for bare products and other costs.
  bool compared = true;
  // Takes so long that it is timed once, on its own, or twice if the first step was quick.
  bool slow = false;
  // For steps that contain more than what is to be timed: the seconds of the last one.
  std::function<double()> seconds = {};
};

struct Workload {
  std::string name;     // W1
  std::string variant;  // what is done, for people
  std::int64_t batch = 0;
  // Makes the implementations for a number of threads; the first is what ratios are taken to. Where
  // the machine lacks what they need there are none, and the reason was printed.
  std::function<std::vector<Implementation>(int threads)> make;
};

struct Row {
  std::string workload, variant;
  std::int64_t batch = 0;
  int threads = 1;
  std::string implementation;
  double median_us = 0;
  // To the first implementation: the median of the ratios round by round, or the ratio of medians
  // where one of the two is slow.
  double ratio = 1;
  std::int64_t arena_bytes = 0, live_bytes = 0;
  double gflops = 0, peak_share = 0;  // 0: not shown
  double nanoseconds_of_operation = 0;
  double of_ours = 0;      // of a peer: its time by that of `jacquard`
  double allocations = 0;  // of a step after the first ones

  double arena_of_live() const {
    return static_cast<double>(arena_bytes) / static_cast<double>(live_bytes);
  }
};

// The implementation that only multiplies and adds, whose rate others are shown as a share of.
inline const std::string kPeakName = "fma_peak";

// Relative difference of costs, sums in float32, that compared implementations may have.
constexpr double kCostTolerance = 1e-4;

// Runs rounds of all implementations in turn until `seconds` are over (at least five rounds).
// Throws Error when compared implementations disagree.
std::vector<Row> time_workload(const Workload& workload, int threads, double seconds);

std::vector<Workload> training_steps();      // W1, W2, W5, W9
std::vector<Workload> small_steps();         // W6, W7, W8
std::vector<Workload> epochs();              // Wepoch
std::vector<Workload> jacobian_penalties();  // J1, J1s, J1f, J2, J3, J3s, J4
std::vector<Workload> rewriting();           // R

}  // namespace jacquard::benchmarks
