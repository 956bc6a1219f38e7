#include "tests/benchmarks/harness.hpp"

#include <algorithm>
#include <chrono>

namespace jacquard::benchmarks {
namespace {

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

std::vector<Row> time_workload(const Workload& workload, int threads, double seconds) {
  std::vector<Implementation> implementations = workload.make(threads);
  // The first calls warm caches and the libraries' kernels. One measurement lasts a millisecond
  // at least, so that the clock's own cost does not show.
  std::vector<int> calls;
  for (const Implementation& i : implementations) {
    i.step();
    calls.push_back(static_cast<int>(std::clamp(1e-3 / seconds_of(i.step), 1.0, 1e5)));
  }
  std::vector<std::vector<double>> times(implementations.size()), ratios(implementations.size());
  double spent = 0;
  for (int round = 0; round < 5 || spent < seconds; ++round) {
    for (std::size_t i = 0; i < implementations.size(); ++i) {
      const double time = seconds_of([&] {
        for (int c = 0; c < calls[i]; ++c) implementations[i].step();
      });
      spent += time;
      times[i].push_back(time / calls[i]);
      ratios[i].push_back(times[i].back() / times[0].back());
    }
  }
  std::vector<Row> rows;
  for (std::size_t i = 0; i < implementations.size(); ++i)
    rows.push_back({workload.name, workload.variant, workload.batch, threads,
                    implementations[i].name, median(times[i]) * 1e6, median(ratios[i])});
  return rows;
}

}  // namespace jacquard::benchmarks
