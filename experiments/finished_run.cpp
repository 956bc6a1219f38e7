#include "experiments/finished_run.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/run_folder.hpp"
#include "experiments/stages.hpp"
#include "experiments/training_state.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

fs::path checkpoint_path(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  const auto own = [&](const std::string& each) {
    return folder / "checkpoints" / (each + ".safetensors");
  };
  for (const std::string& each :
       name.empty() ? std::vector<std::string>{"best", "last"} : std::vector<std::string>{name})
    if (fs::exists(own(each), ignored)) return own(each);
  if (!name.empty() && fs::is_regular_file(name, ignored)) return name;
  std::string there;
  for (fs::directory_iterator it(folder / "checkpoints", ignored), end; it != end;
       it.increment(ignored))
    if (it->path().extension() == ".safetensors")
      there += (there.empty() ? "" : ", ") + it->path().stem().string();
  throw SpecError(
      cat("run folder ", in_quotes(folder), ": there is no checkpoint",
          name.empty() ? "" : cat(" '", name, "'"),
          there.empty() ? "; it was stopped before its first one" : cat("; there are: ", there)));
}

}  // namespace

FinishedRun::FinishedRun(const fs::path& folder, const std::string& checkpoint)
    : loaded_(SpecChoice{run_config(folder).string()}) {
  stage_ = last_stage(loaded_.spec(), loaded_.problems());
  loaded_.problems().throw_if_any();
  const fs::path path = checkpoint_path(folder, checkpoint);
  name_ = path.stem().string();
  const SafeTensors file = read_safetensors(path);
  if (const auto epoch = file.metadata.find("epoch"); epoch != file.metadata.end())
    epoch_ = std::atoll(epoch->second.c_str());
  const auto take = [&](const std::string& name, const Shape& shape) {
    if (std::ranges::find(file.tensors, name, &SavedTensor::name) == file.tensors.end())
      throw SpecError(cat("checkpoint ", in_quotes(path), ": there is no '", name, "' in it"));
    Tensor<float> value = tensor<float>(file, name);
    if (!(value.shape == shape))
      throw SpecError(cat("checkpoint ", in_quotes(path), ": '", name, "' has shape ", value.shape,
                          ", the spec says ", shape));
    values_.add(name, std::move(value));
  };
  for (const models::Parameter& p : stage_.model.parameters) take(p.name, p.shape);
  for (const models::State& s : stage_.model.state) take(s.name, s.shape);
}

const Splits& FinishedRun::data() {
  if (!stage_.data) throw SpecError("the run's spec names no data set");
  if (!data_) data_ = load_data(*stage_.data, stage_.seed);
  return *data_;
}

const DataSet& FinishedRun::set(const std::string& part) {
  const DataSet& set = part == "train"   ? data().train
                       : part == "valid" ? data().valid
                                         : data().test;
  if (set.count() == 0)
    throw SpecError(cat("--set ", part, ": this part of '", stage_.data->set, "' has no examples"));
  return set;
}

}  // namespace jacquard::experiments
