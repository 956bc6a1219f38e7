// jacquard-bench: times the engine; see tests/benchmarks/README.md.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/benchmarks/harness.hpp"

namespace {

using jacquard::benchmarks::Row;

nlohmann::ordered_json to_json(const std::vector<Row>& rows) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Row& r : rows)
    list.push_back({{"workload", r.workload},
                    {"variant", r.variant},
                    {"batch", r.batch},
                    {"threads", r.threads},
                    {"implementation", r.implementation},
                    {"median_us", r.median_us},
                    {"ratio", r.ratio}});
  return list;
}

void print(const Row& r) {
  std::printf("%-4s %5lld %2d  %-12s %12.1f us %8.3f  %s\n", r.workload.c_str(),
              static_cast<long long>(r.batch), r.threads, r.implementation.c_str(), r.median_us,
              r.ratio, r.variant.c_str());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times Jacquard's training steps against the least they could cost."};
  std::string filter, file;
  int threads = 0;
  double seconds = 2;
  app.add_option("--filter", filter, "only workloads whose name begins with this");
  app.add_option("--threads", threads, "number of threads; without it both 1 and 2")
      ->check(CLI::Range(1, 64));
  app.add_option("--json", file, "also write the rows to this file");
  app.add_option("--seconds", seconds, "time spent on each row")->check(CLI::PositiveNumber);
  CLI11_PARSE(app, argc, argv);

  std::vector<Row> rows;
  for (const auto& workload : jacquard::benchmarks::training_steps()) {
    if (!workload.name.starts_with(filter)) continue;
    for (const int t : threads > 0 ? std::vector<int>{threads} : std::vector<int>{1, 2})
      for (const Row& row : jacquard::benchmarks::time_workload(workload, t, seconds)) {
        print(row);
        rows.push_back(row);
      }
  }
  if (!file.empty()) {
    std::ofstream out(file);
    out << to_json(rows).dump(2) << '\n';
    if (!out.flush()) {
      std::cerr << "jacquard-bench: writing '" << file << "' failed\n";
      return 1;
    }
  }
  return 0;
}
