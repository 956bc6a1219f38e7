#include "tests/benchmarks/harness.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "autodiff/error.hpp"

namespace jacquard::benchmarks {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

template <class Work>
double seconds_of(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

struct Timing {
  double cost = 0;             // of the first step
  int calls = 1;               // in one measurement
  std::vector<double> rounds;  // seconds of a step
};

// A second step is cheap where the first was, and the first then was the warm-up.
Timing time_slow(const Implementation& implementation, double seconds) {
  Timing timing;
  double time = seconds_of([&] { timing.cost = implementation.step(); });
  if (time < seconds) time = seconds_of(implementation.step);
  timing.rounds.push_back(time);
  return timing;
}

// The first calls warm caches and the libraries' kernels. One measurement lasts a millisecond at
// least, so that the clock's own cost does not show.
Timing warm_up(const Implementation& implementation) {
  Timing timing;
  timing.cost = implementation.step();
  timing.calls = static_cast<int>(std::clamp(1e-3 / seconds_of(implementation.step), 1.0, 1e5));
  return timing;
}

void check_same_cost(const Workload& workload, const Implementation& implementation, double cost,
                     double first) {
  if (std::abs(cost - first) <= kCostTolerance * std::abs(first)) return;
  throw Error(cat("jacquard-bench: ", workload.name, ": the cost of '", implementation.name,
                  "' is ", cost, ", that of the first implementation ", first,
                  "; they must compute the same"));
}

double time_round(const Implementation& implementation, Timing& timing) {
  const double time = seconds_of([&] {
    for (int c = 0; c < timing.calls; ++c) implementation.step();
  });
  timing.rounds.push_back(time / timing.calls);
  return time;
}

double ratio(const Timing& a, const Timing& b) {
  if (a.rounds.size() != b.rounds.size()) return median(a.rounds) / median(b.rounds);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.rounds.size(); ++i) ratios.push_back(a.rounds[i] / b.rounds[i]);
  return median(ratios);
}

}  // namespace

std::vector<Row> time_workload(const Workload& workload, int threads, double seconds) {
  const std::vector<Implementation> implementations = workload.make(threads);
  std::vector<Timing> timings;
  for (const Implementation& i : implementations) {
    timings.push_back(i.slow ? time_slow(i, seconds) : warm_up(i));
    if (workload.same_cost) check_same_cost(workload, i, timings.back().cost, timings[0].cost);
  }
  double spent = 0;
  for (int round = 0; round < 5 || spent < seconds; ++round)
    for (std::size_t i = 0; i < implementations.size(); ++i)
      if (!implementations[i].slow) spent += time_round(implementations[i], timings[i]);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < implementations.size(); ++i)
    rows.push_back({workload.name, workload.variant, workload.batch, threads,
                    implementations[i].name, median(timings[i].rounds) * 1e6,
                    ratio(timings[i], timings[0]), implementations[i].arena_bytes});
  return rows;
}

}  // namespace jacquard::benchmarks
