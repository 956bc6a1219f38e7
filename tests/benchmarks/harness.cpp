#include "tests/benchmarks/harness.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autodiff/error.hpp"
#include "tests/benchmarks/allocations.hpp"

namespace jacquard::benchmarks {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

// What the first step of an implementation does.
struct Outcome {
  double cost = 0;
  std::vector<Result> changes;
};

struct Timing {
  Outcome first;
  int calls = 1;               // in one measurement
  std::vector<double> rounds;  // seconds of a step
  double allocations = 0;      // of a step, in the last measurement
};

Outcome first_step(const Implementation& implementation) {
  const bool shown = implementation.compared && implementation.results;
  std::vector<Result> before;
  if (shown) before = implementation.results();
  Outcome outcome{implementation.step(), {}};
  if (shown) outcome.changes = implementation.results();
  for (std::size_t r = 0; r < outcome.changes.size(); ++r)
    for (std::size_t i = 0; i < before[r].values.size(); ++i)
      outcome.changes[r].values[i] -= before[r].values[i];
  return outcome;
}

double timed_step(const Implementation& implementation) {
  const double time = seconds_of(implementation.step);
  return implementation.seconds ? implementation.seconds() : time;
}

// A second step is cheap where the first was, and the first then was the warm-up.
Timing time_slow(const Implementation& implementation, double seconds) {
  Timing timing;
  double time = seconds_of([&] { timing.first = first_step(implementation); });
  if (implementation.seconds) time = implementation.seconds();
  if (time < seconds) time = timed_step(implementation);
  timing.rounds.push_back(time);
  return timing;
}

// The first calls warm caches and the libraries' kernels. One measurement lasts a millisecond at
// least, so that the clock's own cost does not show.
Timing warm_up(const Implementation& implementation) {
  Timing timing;
  timing.first = first_step(implementation);
  timing.calls = static_cast<int>(std::clamp(1e-3 / seconds_of(implementation.step), 1.0, 1e5));
  return timing;
}

double norm(const std::vector<float>& values) {
  double squares = 0;
  for (const float v : values) squares += static_cast<double>(v) * static_cast<double>(v);
  return std::sqrt(squares);
}

// Infinite when there is no such result, or one of another size.
double distance(const Result& expected, const std::vector<Result>& results) {
  const auto found = std::ranges::find(results, expected.name, &Result::name);
  if (found == results.end() || found->values.size() != expected.values.size())
    return std::numeric_limits<double>::infinity();
  std::vector<float> off = expected.values;
  for (std::size_t i = 0; i < off.size(); ++i) off[i] -= found->values[i];
  return norm(off);
}

void check_same(const Workload& workload, const Implementation& implementation,
                const Outcome& outcome, const Outcome& first) {
  const std::string where = cat("jacquard-bench: ", workload.name, ", ", workload.variant,
                                ": implementation '", implementation.name, "': ");
  if (!(std::abs(outcome.cost - first.cost) <= kCostTolerance * std::abs(first.cost)))
    throw Error(cat(where, "the cost is ", outcome.cost, ", that of the first implementation ",
                    first.cost, "; they must compute the same"));
  if (outcome.changes.empty()) return;
  for (const Result& expected : first.changes) {
    const double off = distance(expected, outcome.changes), size = norm(expected.values);
    if (!(off <= expected.tolerance * size))
      throw Error(cat(where, "the first step's change of '", expected.name, "' is off by ", off,
                      ", ", off / size, " of the norm ", size,
                      " that the first implementation gives it; at most ", expected.tolerance,
                      " is allowed"));
  }
}

double time_round(const Implementation& implementation, Timing& timing) {
  const std::int64_t before = allocations_so_far();
  const double time = seconds_of([&] {
    for (int c = 0; c < timing.calls; ++c) implementation.step();
  });
  timing.allocations = static_cast<double>(allocations_so_far() - before) / timing.calls;
  timing.rounds.push_back(time / timing.calls);
  return time;
}

double ratio(const Timing& a, const Timing& b) {
  if (a.rounds.size() != b.rounds.size()) return median(a.rounds) / median(b.rounds);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < a.rounds.size(); ++i) ratios.push_back(a.rounds[i] / b.rounds[i]);
  return median(ratios);
}

void check_all(const Workload& workload, const std::vector<Implementation>& implementations,
               const std::vector<Timing>& timings) {
  const Timing* first = nullptr;
  for (std::size_t i = 0; i < implementations.size(); ++i) {
    if (!implementations[i].compared) continue;
    if (first == nullptr)
      first = &timings[i];
    else
      check_same(workload, implementations[i], timings[i].first, first->first);
  }
}

Row row_of(const Workload& workload, int threads, const Implementation& implementation,
           const Timing& timing, const Timing& first) {
  Row row{.workload = workload.name,
          .variant = workload.variant,
          .batch = workload.batch,
          .threads = threads,
          .implementation = implementation.name,
          .median_us = median(timing.rounds) * 1e6,
          .ratio = ratio(timing, first),
          .arena_bytes = implementation.arena_bytes,
          .live_bytes = implementation.live_bytes,
          .allocations = timing.allocations};
  row.gflops = implementation.flops / row.median_us / 1e3;
  if (implementation.operations > 0)
    row.nanoseconds_of_operation = row.median_us * 1e3 / implementation.operations;
  return row;
}

void add_peak_shares(std::vector<Row>& rows) {
  const auto peak = std::ranges::find(rows, kPeakName, &Row::implementation);
  if (peak == rows.end()) return;
  for (Row& row : rows) row.peak_share = row.gflops / peak->gflops;
}

}  // namespace

std::vector<Row> time_workload(const Workload& workload, int threads, double seconds) {
  const std::vector<Implementation> implementations = workload.make(threads);
  std::vector<Timing> timings;
  for (const Implementation& i : implementations)
    timings.push_back(i.slow ? time_slow(i, seconds) : warm_up(i));
  check_all(workload, implementations, timings);
  const bool rounds = !std::ranges::all_of(implementations, &Implementation::slow);
  double spent = 0;
  for (int round = 0; rounds && (round < 5 || spent < seconds); ++round)
    for (std::size_t i = 0; i < implementations.size(); ++i)
      if (!implementations[i].slow) spent += time_round(implementations[i], timings[i]);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < implementations.size(); ++i)
    rows.push_back(row_of(workload, threads, implementations[i], timings[i], timings[0]));
  add_peak_shares(rows);
  return rows;
}

}  // namespace jacquard::benchmarks
