// Times implementations of the same work against each other: alternately in one process, so that
// a machine that changes its speed changes it for all of them, and by ratios of medians.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace jacquard::benchmarks {

// One way to do a workload; one call is one step.
struct Implementation {
  std::string name;              // `jacquard` for ours
  std::function<double()> step;  // returns the cost; 0 where there is none
  std::int64_t arena_bytes = 0;  // of the plan's intermediates; 0 where there is no plan
  // Takes so long that it is timed once, on its own, or twice if the first step was quick.
  bool slow = false;
};

struct Workload {
  std::string name;     // W1
  std::string variant;  // what is done, for people
  std::int64_t batch = 0;
  // Makes the implementations for a number of threads; the first is what ratios are taken to.
  std::function<std::vector<Implementation>(int threads)> make;
  // All compute one cost, and are refused when they do not.
  bool same_cost = false;
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
  std::int64_t arena_bytes = 0;
};

// Relative difference of costs, sums in float32, that implementations of one cost may have.
constexpr double kCostTolerance = 1e-4;

// Runs rounds of all implementations in turn until `seconds` are over (at least five rounds).
// Throws Error when implementations of the same cost disagree.
std::vector<Row> time_workload(const Workload& workload, int threads, double seconds);

std::vector<Workload> training_steps();      // W1
std::vector<Workload> jacobian_penalties();  // J1, J1s, J1f, J2, J3, J3s, J4
std::vector<Workload> rewriting();           // R

}  // namespace jacquard::benchmarks
