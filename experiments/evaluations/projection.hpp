// Points in the plane of their two first principal components.
#pragma once

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct Projection {
  Tensor<float> places;  // [points, 2]
  double explained = 0;  // share of the variance that lies in the plane; 0 where there is none
};

// x [points, n], finite, at least one point; n = 1 gives a second coordinate of 0.
Projection principal_plane(const Tensor<float>& x);

}  // namespace jacquard::experiments
