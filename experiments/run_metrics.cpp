#include "experiments/run_metrics.hpp"

#include <limits>
#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/json_line.hpp"

namespace jacquard::experiments {

void RunMetrics::add(const std::string& stage, const TrainingState& state, const Metrics& metrics,
                     std::optional<double> rate, double seconds) {
  JsonLine line;
  if (!stage.empty()) line.add("stage", stage);
  line.add("epoch", state.epoch).add("step", state.step);
  if (rate) line.add("rate", *rate);
  for (const auto& [name, value] : metrics) line.add(name, value);
  line.add("seconds", seconds);
  line_ = line.text();
  entries_.push_back({stage, metrics});
}

void RunMetrics::read(const std::filesystem::path& path) {
  entries_.clear();
  seconds_read_ = 0;
  const std::string bytes = read_file<Error>(path);
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = std::min(bytes.find('\n', begin), bytes.size());
    const std::string text = bytes.substr(begin, end - begin);
    begin = end + 1;
    try {
      const auto json = nlohmann::ordered_json::parse(text);
      Entry entry{json.value("stage", std::string()), {}};
      // Names of metrics have a '/', what else is in the line has none.
      for (const auto& [name, value] : json.items())
        if (name.find('/') != std::string::npos)
          entry.metrics.emplace_back(name, value.is_null()
                                               ? std::numeric_limits<double>::quiet_NaN()
                                               : value.get<double>());
      seconds_read_ = json.value("seconds", seconds_read_);
      entries_.push_back(std::move(entry));
    } catch (const nlohmann::json::exception& error) {
      throw Error(cat(in_quotes(path), " line ", entries_.size() + 1, ": ", error.what()));
    }
  }
}

std::vector<Metrics> RunMetrics::of_stage(const std::string& stage) const {
  std::vector<Metrics> epochs;
  for (const Entry& entry : entries_)
    if (entry.stage == stage) epochs.push_back(entry.metrics);
  return epochs;
}

const Metrics& RunMetrics::last() const {
  static const Metrics none;
  return entries_.empty() ? none : entries_.back().metrics;
}

}  // namespace jacquard::experiments
