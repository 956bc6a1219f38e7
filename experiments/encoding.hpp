// Expressions of a spec computed for every example of a set.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/pool.hpp"
#include "experiments/data.hpp"
#include "experiments/spec.hpp"
#include "experiments/values.hpp"

namespace jacquard::experiments {

// Steps from here on belong to what is measured or computed beside the training, so that its draws
// do not depend on how far the training is; no training makes that many.
inline constexpr std::uint64_t kFirstMonitorStep = std::uint64_t{1} << 62;

// By name, [count, ...]: the values of the texts, whose first axis must be the batch. `where`
// begins their places in errors: "cached/h". Mistakes are added to `problems` and thrown.
std::map<std::string, Tensor<float>> computed_for_each(
    const Spec& spec, const std::map<std::string, Shape>& inputs, const DataSet& data,
    const std::vector<std::pair<std::string, std::string>>& texts, const std::string& where,
    std::int64_t epoch, Values& values, ThreadPool& pool, Problems& problems);

}  // namespace jacquard::experiments
