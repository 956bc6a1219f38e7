#include "experiments/data/covariance.hpp"

#include <algorithm>

#include "autodiff/products.hpp"

namespace jacquard::experiments {

Tensor<double> mean_of(const Tensor<float>& x) {
  const std::int64_t count = x.shape[0], features = x.shape[1];
  Tensor<double> mean({features});
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t j = 0; j < features; ++j) mean[j] += x[i * features + j];
  for (double& value : mean.data) value /= static_cast<double>(count);
  return mean;
}

Tensor<double> covariance_of(const Tensor<float>& x, const Tensor<double>& mean) {
  constexpr std::int64_t kRows = 1000;  // at a time, centred
  const std::int64_t count = x.shape[0], features = x.shape[1];
  ThreadPool pool(1);
  Tensor<double> sum({features, features});
  std::vector<double> centred(static_cast<std::size_t>(std::min(kRows, count) * features));
  for (std::int64_t begin = 0; begin < count; begin += kRows) {
    const std::int64_t rows = std::min(kRows, count - begin);
    for (std::int64_t i = 0; i < rows; ++i)
      for (std::int64_t j = 0; j < features; ++j)
        centred[static_cast<std::size_t>(i * features + j)] =
            static_cast<double>(x[(begin + i) * features + j]) - mean[j];
    ProductShape shape;
    shape.m = shape.n = features;
    shape.k = rows;
    shape.symmetric = true;
    const PreparedProduct<double> product(shape, {features, 0, true}, {features, 0, false},
                                          {features, 0, false});
    product.run(pool, centred.data(), centred.data(), sum.data.data(), 1, begin == 0 ? 0 : 1);
  }
  for (double& value : sum.data) value /= static_cast<double>(count);
  return sum;
}

}  // namespace jacquard::experiments
