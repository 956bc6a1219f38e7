// jacquard-bench: times the engine; see tests/benchmarks/README.md.
#include <CLI/CLI.hpp>
#include <array>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "tests/benchmarks/harness.hpp"
#include "tests/benchmarks/peers.hpp"

namespace {

using namespace jacquard::benchmarks;

std::vector<Workload> all_workloads() {
  std::vector<Workload> all;
  for (const auto& family :
       {training_steps(), small_steps(), epochs(), jacobian_penalties(), rewriting()})
    all.insert(all.end(), family.begin(), family.end());
  return all;
}

nlohmann::ordered_json to_json(const Row& r) {
  nlohmann::ordered_json json{{"workload", r.workload},
                              {"variant", r.variant},
                              {"batch", r.batch},
                              {"threads", r.threads},
                              {"implementation", r.implementation},
                              {"median_us", r.median_us},
                              {"ratio", r.ratio},
                              {"allocations", r.allocations}};
  if (r.arena_bytes > 0) json["arena_bytes"] = r.arena_bytes;
  if (r.arena_bytes > 0 && r.live_bytes > 0) json["arena_of_live"] = r.arena_of_live();
  if (r.gflops > 0) json["gflops"] = r.gflops;
  if (r.peak_share > 0) json["peak_share"] = r.peak_share;
  if (r.nanoseconds_of_operation > 0) json["ns_per_operation"] = r.nanoseconds_of_operation;
  if (r.of_ours > 0) json["of_jacquard"] = r.of_ours;
  return json;
}

// What only some rows have.
std::string remarks(const Row& r) {
  std::array<char, 200> text{};
  std::string all;
  const auto add = [&](const char* format, auto... values) {
    std::snprintf(text.data(), text.size(), format, values...);
    all += text.data();
  };
  if (r.gflops > 0) add("  %.1f GFLOP/s", r.gflops);
  if (r.peak_share > 0 && r.implementation != kPeakName)
    add(", %.1f %% of fma_peak", 100 * r.peak_share);
  if (r.nanoseconds_of_operation > 0) add("  %.2f ns per operation", r.nanoseconds_of_operation);
  if (r.of_ours > 0) add("  %.2f times jacquard", r.of_ours);
  if (r.arena_bytes > 0) add("  arena %.2f MB", static_cast<double>(r.arena_bytes) / 1e6);
  if (r.arena_bytes > 0 && r.live_bytes > 0) add(", %.3f of what is live", r.arena_of_live());
  if (r.allocations > 0) add("  %.2f allocations", r.allocations);
  return all;
}

void print(const Row& r) {
  std::printf("%-6s %5lld %2d  %-10s %12.2f us %9.4f  %s%s\n", r.workload.c_str(),
              static_cast<long long>(r.batch), r.threads, r.implementation.c_str(), r.median_us,
              r.ratio, r.variant.c_str(), remarks(r).c_str());
  std::fflush(stdout);
}

std::vector<Row> run(const std::string& filter, const std::vector<int>& threads, double seconds) {
  std::vector<Row> rows;
  for (const Workload& workload : all_workloads()) {
    if (!workload.name.starts_with(filter)) continue;
    for (const int t : threads)
      for (const Row& row : time_workload(workload, t, seconds)) {
        print(row);
        rows.push_back(row);
      }
  }
  return rows;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Times Jacquard's training steps against the least they could cost."};
  std::string filter, file;
  int threads = 0;
  double seconds = 2;
  bool peers = false;
  app.add_option("--filter", filter, "only workloads whose name begins with this");
  app.add_option("--threads", threads, "number of threads; without it both 1 and 2")
      ->check(CLI::Range(1, 64));
  app.add_option("--json", file, "also write the rows to this file");
  app.add_option("--seconds", seconds, "time spent on each workload")->check(CLI::PositiveNumber);
  app.add_flag("--peers", peers, "also time other frameworks where they are installed");
  CLI11_PARSE(app, argc, argv);

  std::vector<Row> rows;
  try {
    rows = run(filter, threads > 0 ? std::vector<int>{threads} : std::vector<int>{1, 2}, seconds);
    if (peers)
      for (const Row& row : peer_rows(rows, threads > 0 ? threads : 2, seconds)) {
        print(row);
        rows.push_back(row);
      }
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
  if (!file.empty()) {
    std::ofstream out(file);
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const Row& row : rows) list.push_back(to_json(row));
    out << list.dump(2) << '\n';
    if (!out.flush()) {
      std::cerr << "jacquard-bench: writing '" << file << "' failed\n";
      return 1;
    }
  }
  return 0;
}
