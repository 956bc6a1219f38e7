// A run that was made, opened for looking at it: its spec, its data, the values of a checkpoint.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "experiments/data.hpp"
#include "experiments/loaded_spec.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

class FinishedRun {
 public:
  // `checkpoint` is the name of one in the run's folder ("best", "last"), or a path; empty: the
  // best one, else the last. Throws SpecError for what is no run or no checkpoint of it.
  FinishedRun(const std::filesystem::path& folder, const std::string& checkpoint);

  // The last stage, with nothing cached: its cost as a function of the data.
  const Spec& spec() const { return stage_; }
  Problems& problems() { return loaded_.problems(); }
  Values& values() { return values_; }
  const std::string& checkpoint() const { return name_; }
  std::int64_t epoch() const { return epoch_; }  // of the checkpoint

  // One part of the data: "train", "valid" or "test". Throws SpecError where it has no examples.
  const DataSet& set(const std::string& part);
  const Splits& data();

 private:
  LoadedSpec loaded_;
  Spec stage_;
  Values values_;
  std::string name_;
  std::int64_t epoch_ = 0;
  std::optional<Splits> data_;
};

}  // namespace jacquard::experiments
