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
  std::string name;  // `jacquard` for ours
  std::function<void()> step;
};

struct Workload {
  std::string name;     // W1
  std::string variant;  // what is done, for people
  std::int64_t batch = 0;
  // Makes the implementations for a number of threads; the first is what ratios are taken to.
  std::function<std::vector<Implementation>(int threads)> make;
};

struct Row {
  std::string workload, variant;
  std::int64_t batch = 0;
  int threads = 1;
  std::string implementation;
  double median_us = 0;
  double ratio = 1;  // median of the ratios to the first implementation, round by round
};

// Runs rounds of all implementations in turn until `seconds` are over (at least five rounds).
std::vector<Row> time_workload(const Workload& workload, int threads, double seconds);

std::vector<Workload> training_steps();  // W1

}  // namespace jacquard::benchmarks
