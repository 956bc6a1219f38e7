// Singular values of Jacobians: how many directions of the input an encoder still sees.
#pragma once

#include "autodiff/pool.hpp"
#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct Spectrum {
  Tensor<double> values;  // [min(m, n)]: mean over the examples, the largest first
  // Mean over the examples of (sum s^2)^2 / sum s^4: about how many directions count; examples
  // whose Jacobian is 0 count as 0.
  double effective_rank = 0;
};

// jacobians [examples, m, n], finite, at least one example. By LAPACK, from the smaller of the two
// products of each Jacobian with itself: values below 1e-8 of the largest are lost in rounding.
Spectrum spectrum_of(const Tensor<float>& jacobians, ThreadPool& pool);

}  // namespace jacquard::experiments
