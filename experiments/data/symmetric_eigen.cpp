// symmetric_eigen() of covariance.hpp alone: xtensor-blas takes long to compile.
#include <cmath>
#include <xtensor-blas/xlinalg.hpp>
#include <xtensor/xadapt.hpp>

#include "autodiff/error.hpp"
#include "autodiff/products.hpp"
#include "experiments/data/covariance.hpp"

namespace jacquard::experiments {

Eigen symmetric_eigen(const Tensor<double>& matrix) {
  const auto n = static_cast<std::size_t>(matrix.shape[0]);
  limit_library_threads();  // sums in one order
  xt::xtensor<double, 2> symmetric = xt::adapt(matrix.data, std::array<std::size_t, 2>{n, n});
  xt::xtensor<double, 1> values;
  xt::xtensor<double, 2> vectors;
  try {
    std::tie(values, vectors) = xt::linalg::eigh(symmetric);
  } catch (const std::exception& error) {
    throw Error(cat("eigenvectors of a ", n, " x ", n, " matrix: LAPACK fails: ", error.what()));
  }
  Eigen eigen{Tensor<double>({matrix.shape[0]}), Tensor<double>(matrix.shape)};
  for (std::size_t k = 0; k < n; ++k) {
    const std::size_t from = n - 1 - k;  // LAPACK's order is from the smallest
    eigen.values.data[k] = values(from);
    std::size_t largest = 0;
    for (std::size_t i = 1; i < n; ++i)
      if (std::abs(vectors(i, from)) > std::abs(vectors(largest, from))) largest = i;
    const double sign = vectors(largest, from) < 0 ? -1 : 1;
    for (std::size_t i = 0; i < n; ++i) eigen.vectors.data[i * n + k] = sign * vectors(i, from);
  }
  return eigen;
}

}  // namespace jacquard::experiments
