#include "experiments/evaluations/projection.hpp"

#include <algorithm>

#include "experiments/data/covariance.hpp"

namespace jacquard::experiments {

Projection principal_plane(const Tensor<float>& x) {
  const std::int64_t points = x.shape[0], n = x.shape[1];
  const Tensor<double> mean = mean_of(x);
  const Eigen eigen = symmetric_eigen(covariance_of(x, mean));
  Projection result{Tensor<float>({points, 2}), 0};
  double all = 0, kept = 0;
  for (std::int64_t k = 0; k < n; ++k) {
    all += std::max(0.0, eigen.values[k]);
    if (k < 2) kept += std::max(0.0, eigen.values[k]);
  }
  if (all > 0) result.explained = kept / all;
  for (std::int64_t i = 0; i < points; ++i)
    for (std::int64_t k = 0; k < std::min<std::int64_t>(2, n); ++k) {
      double sum = 0;
      for (std::int64_t j = 0; j < n; ++j)
        sum += (static_cast<double>(x[i * n + j]) - mean[j]) * eigen.vectors[j * n + k];
      result.places[i * 2 + k] = static_cast<float>(sum);
    }
  return result;
}

}  // namespace jacquard::experiments
