// What a run has measured so far: the lines of its metrics.jsonl, written and read back.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "experiments/metrics.hpp"
#include "experiments/training_state.hpp"

namespace jacquard::experiments {

class RunMetrics {
 public:
  // Adds a line; `stage` is empty where there are no stages, `rate` that of the last step where
  // there is one.
  void add(const std::string& stage, const TrainingState& state, const Metrics& metrics,
           std::optional<double> rate, double seconds);
  const std::string& last_line() const { return line_; }
  std::int64_t lines() const { return static_cast<std::int64_t>(entries_.size()); }

  // Replaces everything by the lines of a file. Throws Error for what is no such file.
  void read(const std::filesystem::path& path);
  double seconds_read() const { return seconds_read_; }  // of the last line that was read

  // The epochs of one stage, in order.
  std::vector<Metrics> of_stage(const std::string& stage) const;
  const Metrics& last() const;

 private:
  struct Entry {
    std::string stage;
    Metrics metrics;
  };
  std::vector<Entry> entries_;
  std::string line_;
  double seconds_read_ = 0;
};

}  // namespace jacquard::experiments
