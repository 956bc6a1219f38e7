// Clusters of points by k-means.
#pragma once

#include <cstdint>
#include <vector>

#include "autodiff/pool.hpp"
#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct Clusters {
  std::vector<std::int64_t> of;  // by point
  Tensor<float> centres;         // [clusters, n]
  double inertia = 0;            // sum of squared distances from points to their centres
};

// x [points, n], finite. Lloyd's rounds (1982) until no point changes its cluster, at most 300,
// from centres drawn as k-means++ does (Arthur and Vassilvitskii 2007); the best of `restarts`. A
// cluster that loses all its points takes the one that is farthest from its centre. The same result
// for any number of threads. Throws SpecError for fewer points than clusters.
Clusters k_means(const Tensor<float>& x, std::int64_t clusters, std::int64_t restarts,
                 std::uint64_t seed, ThreadPool& pool);

}  // namespace jacquard::experiments
