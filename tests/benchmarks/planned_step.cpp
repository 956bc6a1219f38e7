#include "tests/benchmarks/planned_step.hpp"

#include <algorithm>
#include <span>

#include "autodiff/philox.hpp"

namespace jacquard::benchmarks {

std::vector<float> random_values(std::int64_t count, const std::string& name, float scale) {
  std::vector<float> values(static_cast<std::size_t>(count));
  fill_normal(std::span<float>(values), 1, name, 0);
  for (float& v : values) v *= scale;
  return values;
}

void random_start(const std::string& name, InputKind kind, std::span<float> values) {
  const float scale = kind == InputKind::kParameter ? kParameterScale : kDataScale;
  std::ranges::copy(random_values(static_cast<std::int64_t>(values.size()), name, scale),
                    values.begin());
}

Implementation planned_step(const std::string& name, const std::shared_ptr<ThreadPool>& pool,
                            const WriteCost& write, const StepOptions& options,
                            const Start<float>& start) {
  const auto step = std::make_shared<PlannedStep<float>>(*pool, write, options);
  Implementation result = started(name, pool, step, start);
  result.arena_bytes = step->arena_bytes();
  return result;
}

}  // namespace jacquard::benchmarks
