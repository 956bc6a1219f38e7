// Linear regression by least squares: how well a linear map of codes tells a target.
#pragma once

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct LinearMap {
  Tensor<double> weights;  // [n, k]
  Tensor<double> offset;   // [k]

  // x [points, n] -> [points, k].
  Tensor<float> operator()(const Tensor<float>& x) const;
};

// The W and c that minimise the mean over points of |x W + c - y|^2 plus decay v |W|^2, where v is
// the mean variance of the columns of x, so that their scale does not matter (ridge regression;
// Hoerl and Kennard 1970); for x [points, n] and y [points, k], finite, at least one point and
// column. Directions in which x does not vary (below 1e-12 of the largest variance) get weight 0.
LinearMap fitted_linear_map(const Tensor<float>& x, const Tensor<float>& y, double decay);

struct Fit {
  double r2 = 0;                  // mean over columns of 1 - squared errors / variance
  double mean_squared_error = 0;  // by number
};

// Of [points, k] both, at least one point and column. The R^2 of a column that does not vary is 0.
Fit fit_of(const Tensor<float>& predicted, const Tensor<float>& y);

}  // namespace jacquard::experiments
