// The pictures of a finished run: filters, reconstructions, curves.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/pool.hpp"
#include "experiments/data.hpp"
#include "experiments/run_folder.hpp"
#include "experiments/spec.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

// The named numbers of one monitored epoch, such as {"valid/cost", 92.1}.
using MonitoredEpoch = std::vector<std::pair<std::string, double>>;

struct RunPictures {
  const Spec& spec;
  const std::map<std::string, Shape>& inputs;
  const Splits& data;
  Values& values;
  ThreadPool& pool;
  RunFolder& folder;
  const LocatedJson& document;  // of the spec

  // filters.png: the incoming weights of each unit, for the first parameter [inputs of x, units];
  // filters_<name>.png for further ones, [units, inputs of x] included. reconstructions.png:
  // originals, corrupted inputs where there are some, reconstructions. Returns what was drawn.
  std::vector<std::filesystem::path> draw();

  // curves.svg: the cost of each set over the epochs.
  void draw_curves(const std::vector<MonitoredEpoch>& epochs);

 private:
  std::filesystem::path save(const std::string& file, const std::string& bytes);
  Shape image() const;
  void draw_filters(std::vector<std::filesystem::path>& drawn);
  void draw_reconstructions(std::vector<std::filesystem::path>& drawn);
};

}  // namespace jacquard::experiments
