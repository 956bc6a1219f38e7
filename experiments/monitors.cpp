#include "experiments/monitors.hpp"

#include <algorithm>
#include <numeric>

#include "autodiff/algebra/simplify.hpp"
#include "experiments/encoding.hpp"

namespace jacquard::experiments {
Monitor::Monitor(const Spec& spec, const std::map<std::string, Shape>& inputs, const DataSet& data,
                 std::int64_t batch, std::int64_t limit, Values& values, ThreadPool& pool,
                 Problems& problems)
    : seed_(spec.seed), monitors_(spec.monitors.size()) {
  for (const TermSpec& t : spec.cost) weights_.push_back(t.weight);
  const std::int64_t count = limit > 0 ? std::min(limit, data.count()) : data.count();
  const std::int64_t whole = count / batch * batch;
  if (whole > 0) add_part(spec, inputs, data, 0, whole, batch, values, pool, problems);
  if (whole < count)
    add_part(spec, inputs, data, whole, count - whole, count - whole, values, pool, problems);
}

void Monitor::add_part(const Spec& spec, const std::map<std::string, Shape>& inputs,
                       const DataSet& data, std::int64_t first, std::int64_t count,
                       std::int64_t batch, Values& values, ThreadPool& pool, Problems& problems) {
  Part part{first, count, batch, record(spec, inputs, batch, problems), nullptr, nullptr};
  problems.throw_if_any();
  std::vector<Expr> measured;
  for (const RecordedTerm& t : part.recording.terms) measured.push_back(t.value);
  for (const auto& [name, e] : part.recording.monitors) measured.push_back(e);
  const auto write = [measured](Care care) {
    Simplified s = simplify(measured, care);
    return ConditionalProgram{{s.roots, {}, {}}, s.conditions};
  };
  part.plan =
      std::make_unique<GuardedPlan<float>>(*part.recording.tape, write, pool, plan_options(spec));
  values.bind_to(*part.plan);
  part.plan->bind_constant("epoch", std::span<const float>(&epoch_, 1));
  part.plan->bind_constant("step", std::span<const float>(&step_, 1));
  part.feeder = std::make_unique<BatchFeeder>(data, batch, *part.plan, pool);
  parts_.push_back(std::move(part));
}

Measured Monitor::measure(std::int64_t epoch, std::uint64_t step) {
  epoch_ = static_cast<float>(epoch);
  step_ = static_cast<float>(step);
  std::vector<double> sums(weights_.size() + monitors_, 0.0);
  double examples = 0;
  std::uint64_t batch_number = kFirstMonitorStep;
  for (Part& part : parts_) {
    std::vector<std::int64_t> rows(static_cast<std::size_t>(part.batch));
    for (std::int64_t at = part.first; at < part.first + part.count; at += part.batch) {
      std::iota(rows.begin(), rows.end(), at);
      part.feeder->gather(rows);
      part.plan->run(seed_, batch_number++);
      const double weight = static_cast<double>(part.batch);
      for (std::size_t i = 0; i < sums.size(); ++i)
        sums[i] += weight * static_cast<double>(part.plan->scalar(i));
      examples += weight;
    }
  }
  for (double& s : sums) s /= examples;
  Measured measured;
  const auto middle = sums.begin() + static_cast<std::ptrdiff_t>(weights_.size());
  measured.terms.assign(sums.begin(), middle);
  measured.monitors.assign(middle, sums.end());
  for (std::size_t i = 0; i < weights_.size(); ++i)
    measured.cost += weights_[i] * measured.terms[i];
  return measured;
}

}  // namespace jacquard::experiments
