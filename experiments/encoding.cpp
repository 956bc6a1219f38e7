#include "experiments/encoding.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "experiments/bound_plan.hpp"
#include "experiments/recording.hpp"

namespace jacquard::experiments {

std::map<std::string, Tensor<float>> computed_for_each(
    const Spec& spec, const std::map<std::string, Shape>& inputs, const DataSet& data,
    const std::vector<std::pair<std::string, std::string>>& texts, const std::string& where,
    std::int64_t epoch, Values& values, ThreadPool& pool, Problems& problems) {
  constexpr std::int64_t kBatch = 500;
  std::map<std::string, Tensor<float>> result;
  std::uint64_t batch_number = kFirstMonitorStep;
  const Spec model = model_alone(spec);
  const auto part = [&](std::int64_t first, std::int64_t count, std::int64_t batch) {
    if (count == 0) return;
    const Recording recording = record(model, inputs, batch, problems);
    problems.throw_if_any();
    Program program;
    for (const auto& [name, text] : texts) {
      const Expr e = recording.model->expression(text, cat(where, '/', name));
      if (e.shape().rank() == 0 || e.shape()[0] != batch)
        throw SpecError(cat(where, '/', name, ": the value has shape ", e.shape(),
                            "; its first axis must be the batch of ", batch));
      program.outputs.push_back(e);
    }
    BoundPlan bound(recording, program, spec, epoch, values, pool);
    for (const auto& input : inputs)
      if (bound.plan.has_input(input.first) && !data.arrays.contains(input.first))
        throw SpecError(cat(where, ": input '", input.first, "' is not in the data set"));
    bound.read_from(data, batch);
    for (std::int64_t at = first; at < first + count; at += batch) {
      bound.gather(at);
      bound.plan.run(spec.seed, batch_number++);
      for (std::size_t i = 0; i < texts.size(); ++i) {
        std::vector<std::int64_t> sizes = program.outputs[i].shape().sizes();
        sizes[0] = data.count();
        const auto [entry, added] = result.try_emplace(texts[i].first, Shape(sizes));
        const std::span<const float> out = bound.plan.output(i);
        const std::int64_t row = static_cast<std::int64_t>(out.size()) / batch;
        std::ranges::copy(out, entry->second.data.begin() + at * row);
      }
    }
  };
  const std::int64_t whole = data.count() / kBatch * kBatch;
  part(0, whole, kBatch);
  part(whole, data.count() - whole, data.count() - whole);
  return result;
}

}  // namespace jacquard::experiments
