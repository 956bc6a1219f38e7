#include "experiments/evaluations/linear_regression.hpp"

#include <algorithm>

#include "experiments/data/covariance.hpp"

namespace jacquard::experiments {
namespace {

Tensor<float> side_by_side(const Tensor<float>& x, const Tensor<float>& y) {
  const std::int64_t n = x.shape[1], k = y.shape[1];
  Tensor<float> both({x.shape[0], n + k});
  for (std::int64_t i = 0; i < x.shape[0]; ++i) {
    std::copy_n(&x.data[static_cast<std::size_t>(i * n)], n,
                &both.data[static_cast<std::size_t>(i * (n + k))]);
    std::copy_n(&y.data[static_cast<std::size_t>(i * k)], k,
                &both.data[static_cast<std::size_t>(i * (n + k) + n)]);
  }
  return both;
}

}  // namespace

Tensor<float> LinearMap::operator()(const Tensor<float>& x) const {
  const std::int64_t n = weights.shape[0], k = weights.shape[1];
  Tensor<float> result({x.shape[0], k});
  for (std::int64_t i = 0; i < x.shape[0]; ++i)
    for (std::int64_t t = 0; t < k; ++t) {
      double sum = offset[t];
      for (std::int64_t j = 0; j < n; ++j)
        sum += static_cast<double>(x[i * n + j]) * weights[j * k + t];
      result[i * k + t] = static_cast<float>(sum);
    }
  return result;
}

// With the covariance C of x and y side by side: (C_xx + decay v) W = C_xy.
LinearMap fitted_linear_map(const Tensor<float>& x, const Tensor<float>& y, double decay) {
  constexpr double kNothing = 1e-12;
  const std::int64_t n = x.shape[1], k = y.shape[1];
  const Tensor<float> both = side_by_side(x, y);
  const Tensor<double> mean = mean_of(both), covariance = covariance_of(both, mean);
  Tensor<double> of_x({n, n});
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < n; ++j) of_x[i * n + j] = covariance[i * (n + k) + j];
  double variance = 0;
  for (std::int64_t i = 0; i < n; ++i) variance += of_x[i * n + i] / static_cast<double>(n);
  const Eigen eigen = symmetric_eigen(of_x);
  LinearMap map{Tensor<double>({n, k}), Tensor<double>({k})};
  for (std::int64_t e = 0; e < n; ++e) {
    if (!(eigen.values[e] > kNothing * eigen.values[0])) break;
    for (std::int64_t t = 0; t < k; ++t) {
      double along = 0;
      for (std::int64_t j = 0; j < n; ++j)
        along += eigen.vectors[j * n + e] * covariance[j * (n + k) + n + t];
      along /= eigen.values[e] + decay * variance;
      for (std::int64_t j = 0; j < n; ++j)
        map.weights[j * k + t] += along * eigen.vectors[j * n + e];
    }
  }
  for (std::int64_t t = 0; t < k; ++t) {
    map.offset[t] = mean[n + t];
    for (std::int64_t j = 0; j < n; ++j) map.offset[t] -= mean[j] * map.weights[j * k + t];
  }
  return map;
}

Fit fit_of(const Tensor<float>& predicted, const Tensor<float>& y) {
  const std::int64_t points = y.shape[0], k = y.shape[1];
  const Tensor<double> mean = mean_of(y);
  Fit fit;
  for (std::int64_t t = 0; t < k; ++t) {
    double errors = 0, distances = 0;
    for (std::int64_t i = 0; i < points; ++i) {
      const double value = static_cast<double>(y[i * k + t]), distance = value - mean[t];
      const double error = static_cast<double>(predicted[i * k + t]) - value;
      errors += error * error;
      distances += distance * distance;
    }
    if (distances > 0) fit.r2 += (1 - errors / distances) / static_cast<double>(k);
    fit.mean_squared_error += errors / static_cast<double>(y.size());
  }
  return fit;
}

}  // namespace jacquard::experiments
