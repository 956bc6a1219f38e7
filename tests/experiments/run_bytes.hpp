// Comparing run folders byte for byte, but for what tells times.
#pragma once

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "experiments/file.hpp"

namespace jacquard::experiments {

inline std::string without_seconds(const std::string& metrics) {
  std::string kept;
  for (std::size_t at = 0; at < metrics.size();) {
    const std::size_t end = metrics.find('\n', at);
    const std::string line = metrics.substr(at, end - at);
    kept += line.substr(0, line.find("\"seconds")) + '\n';
    at = end + 1;
  }
  return kept;
}

// Checkpoints, pictures, config and summary, and the metrics without their times.
inline void check_same_runs(const std::filesystem::path& a, const std::filesystem::path& b) {
  CAPTURE(b);
  std::vector<std::string> files = {"config.json", "summary.json"};
  for (const char* folder : {"checkpoints", "artifacts"})
    for (const auto& entry : std::filesystem::directory_iterator(a / folder))
      files.push_back(cat(folder, "/", entry.path().filename().string()));
  CHECK(files.size() > 4);
  for (const std::string& file : files) {
    CAPTURE(file);
    CHECK(read_file<Error>(a / file) == read_file<Error>(b / file));
  }
  CHECK(without_seconds(read_file<Error>(a / "metrics.jsonl")) ==
        without_seconds(read_file<Error>(b / "metrics.jsonl")));
}

}  // namespace jacquard::experiments
