// manifest.json: what made the numbers of a run, so that a difference between two runs can be
// traced to the program, the machine or the data. Nothing in it is read back.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "experiments/utc.hpp"

namespace jacquard::experiments {

std::string program_version();  // 0.1.0
std::string compiler_text();    // g++ 12.2.0

struct Cpu {
  std::string model = "unknown";
  std::vector<std::string> simd;  // names as Linux has them: sse2 avx2 fma avx512f, in its order
};

// Reads the first processor of text in the form of /proc/cpuinfo. What is not there stays as it is
// in an empty Cpu; no text is an error.
Cpu read_cpu(std::istream& cpuinfo);

struct ManifestInput {
  std::vector<std::string> arguments;  // argv, the program's name first
  std::int64_t seed = 0;
  int threads = 1;                               // of the pool
  std::map<std::string, std::string> data;       // file of the data set -> its hash
  std::map<std::string, std::string> libraries;  // library that computes -> its version
  TimePoint start;                               // of the run
};

nlohmann::ordered_json manifest(const ManifestInput& input);

}  // namespace jacquard::experiments
