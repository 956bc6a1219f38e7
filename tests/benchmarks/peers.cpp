#include "tests/benchmarks/peers.hpp"

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "autodiff/error.hpp"

namespace jacquard::benchmarks {
namespace {

// What the command writes to its standard output.
std::string output_of(const std::string& command) {
  FILE* const pipe = popen(command.c_str(), "r");
  if (pipe == nullptr) throw Error(cat("jacquard-bench: cannot start '", command, "'"));
  std::string text;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
  if (const int status = pclose(pipe); status != 0)
    throw Error(cat("jacquard-bench: '", command, "' failed with status ", status));
  return text;
}

// The least time of an implementation of the peer's workload; 0: it was not run.
double best_us(const std::vector<Row>& rows, const Row& peer, const std::string& implementation) {
  double best = 0;
  for (const Row& r : rows)
    if (r.workload == peer.workload && r.variant == peer.variant && r.batch == peer.batch &&
        r.implementation == implementation && (best == 0 || r.median_us < best))
      best = r.median_us;
  return best;
}

Row read_row(const std::string& line) {
  const auto json = nlohmann::json::parse(line);
  Row row;
  row.workload = json.at("workload").get<std::string>();
  row.variant = json.at("variant").get<std::string>();
  row.batch = json.at("batch").get<std::int64_t>();
  row.threads = json.at("threads").get<int>();
  row.implementation = json.at("implementation").get<std::string>();
  row.median_us = json.at("median_us").get<double>();
  return row;
}

}  // namespace

std::vector<Row> peer_rows(const std::vector<Row>& rows, int threads, double seconds) {
  const auto done_by_peers = [](const Row& r) { return r.workload == "W1" || r.workload == "W2"; };
  if (std::ranges::none_of(rows, done_by_peers)) return {};
  std::istringstream lines(
      output_of(cat("python3 '", JACQUARD_SOURCE_DIR, "/tests/benchmarks/peers/run.py' --build '",
                    JACQUARD_BINARY_DIR, "' --threads ", threads, " --seconds ", seconds)));
  std::vector<Row> found;
  for (std::string line; std::getline(lines, line);) {
    Row row = read_row(line);
    const double floor = best_us(rows, row, "floor"), ours = best_us(rows, row, "jacquard");
    if (floor == 0 || ours == 0) continue;
    row.ratio = row.median_us / floor;
    row.of_ours = row.median_us / ours;
    found.push_back(row);
  }
  return found;
}

}  // namespace jacquard::benchmarks
