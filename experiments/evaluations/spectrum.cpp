#include "experiments/evaluations/spectrum.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/products.hpp"
#include "experiments/data/covariance.hpp"

namespace jacquard::experiments {

Spectrum spectrum_of(const Tensor<float>& jacobians, ThreadPool& pool) {
  const std::int64_t examples = jacobians.shape[0], m = jacobians.shape[1], n = jacobians.shape[2];
  const std::int64_t side = std::min(m, n);
  const bool by_rows = m <= n;  // J J', else J' J
  Spectrum result{Tensor<double>({side}), 0};
  Tensor<double> gram({side, side});
  for (std::int64_t e = 0; e < examples; ++e) {
    const auto from = jacobians.data.begin() + e * m * n;
    const std::vector<double> jacobian(from, from + m * n);
    product<double>(pool, {1, side, side, by_rows ? n : m}, {jacobian.data(), n, 0, !by_rows},
                    {jacobian.data(), n, 0, by_rows}, {gram.data.data(), side, 0});
    const Eigen eigen = symmetric_eigen(gram);
    double squares = 0, fourths = 0;
    for (std::int64_t k = 0; k < side; ++k) {
      const double square = std::max(0.0, eigen.values[k]);
      result.values[k] += std::sqrt(square) / static_cast<double>(examples);
      squares += square;
      fourths += square * square;
    }
    if (fourths > 0) result.effective_rank += squares * squares / fourths;
  }
  result.effective_rank /= static_cast<double>(examples);
  return result;
}

}  // namespace jacquard::experiments
