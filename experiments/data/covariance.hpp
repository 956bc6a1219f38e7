// Means, covariances and their eigenvectors, in double precision: what preparation is fitted by.
#pragma once

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

// [examples, features] -> [features]. Requires an example.
Tensor<double> mean_of(const Tensor<float>& x);

// [examples, features], mean [features] -> [features, features]: the mean of (x - mean)(x - mean)'.
// Sums have a fixed order, so that the bits depend neither on threads nor on memory.
Tensor<double> covariance_of(const Tensor<float>& x, const Tensor<double>& mean);

// Of a symmetric matrix [n, n], by LAPACK: the largest value first, vectors [n, n] as columns of
// length 1, each with its largest element positive (the first of equal ones).
struct Eigen {
  Tensor<double> values;   // [n]
  Tensor<double> vectors;  // [n, n]
};
Eigen symmetric_eigen(const Tensor<double>& matrix);

}  // namespace jacquard::experiments
