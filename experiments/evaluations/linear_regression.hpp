// Linear regression by least squares: how much of a target a linear map of codes tells.
#pragma once

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct LinearMap {
  Tensor<double> weights;  // [n, k]
  Tensor<double> offset;   // [k]

  // x [points, n] -> [points, k].
  Tensor<float> operator()(const Tensor<float>& x) const;
};

// The W and c that minimise the mean over points of |x W + c - y|^2 plus decay |W|^2 (ridge
// regression; Hoerl and Kennard 1970), for x [points, n] and y [points, k], finite, at least one
// point. Directions in which x does not vary (below 1e-12 of the largest variance) get weight 0.
LinearMap fitted_linear_map(const Tensor<float>& x, const Tensor<float>& y, double decay);

struct Fit {
  double explained = 0;           // 1 - squared errors / squared distances from the mean; R^2
  double mean_squared_error = 0;  // by number
};

// Of [points, k] both, at least one point. Nothing is explained of what does not vary.
Fit fit_of(const Tensor<float>& predicted, const Tensor<float>& y);

}  // namespace jacquard::experiments
