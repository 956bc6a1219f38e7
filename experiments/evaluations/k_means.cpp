#include "experiments/evaluations/k_means.hpp"

#include <algorithm>
#include <functional>
#include <limits>

#include "autodiff/error.hpp"
#include "autodiff/products.hpp"
#include "experiments/data/covariance.hpp"
#include "experiments/random_stream.hpp"

namespace jacquard::experiments {
namespace {

constexpr int kMostRounds = 300;

class Rounds {
 public:
  Rounds(const Tensor<float>& x, std::int64_t clusters, ThreadPool& pool)
      : x_(x),
        points_(x.shape[0]),
        n_(x.shape[1]),
        clusters_(clusters),
        pool_(pool),
        products_(static_cast<std::size_t>(points_ * clusters)) {
    for (std::int64_t i = 0; i < points_; ++i) lengths_.push_back(square(row(i)));
  }

  Clusters run(RandomStream& stream) {
    Clusters result{std::vector<std::int64_t>(static_cast<std::size_t>(points_), -1),
                    Tensor<float>({clusters_, n_}), 0};
    draw_centres(stream, result.centres);
    for (int round = 0; round < kMostRounds && assign(result); ++round) move_centres(result);
    for (std::int64_t i = 0; i < points_; ++i)
      result.inertia += distance(row(i), centre(result, result.of[index(i)]));
    return result;
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  const float* row(std::int64_t i) const { return x_.data.data() + i * n_; }
  const float* centre(const Clusters& c, std::int64_t k) const {
    return c.centres.data.data() + k * n_;
  }
  double square(const float* v) const {
    double sum = 0;
    for (std::int64_t j = 0; j < n_; ++j)
      sum += static_cast<double>(v[j]) * static_cast<double>(v[j]);
    return sum;
  }
  double distance(const float* a, const float* b) const {
    double sum = 0;
    for (std::int64_t j = 0; j < n_; ++j) {
      const double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
      sum += difference * difference;
    }
    return sum;
  }

  // The first centre is any point; each further one is drawn by its squared distance to those
  // before it.
  void draw_centres(RandomStream& stream, Tensor<float>& centres) {
    std::vector<double> nearest(index(points_), std::numeric_limits<double>::infinity());
    std::int64_t chosen =
        static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(points_)));
    for (std::int64_t k = 0; k < clusters_; ++k) {
      float* const to = centres.data.data() + k * n_;
      std::copy_n(row(chosen), n_, to);
      double total = 0;
      for (std::int64_t i = 0; i < points_; ++i)
        total += nearest[index(i)] = std::min(nearest[index(i)], distance(row(i), to));
      const double at = static_cast<double>(stream.bits() >> 11) * 0x1p-53 * total;
      double passed = 0;
      for (chosen = 0; chosen + 1 < points_; ++chosen)
        if ((passed += nearest[index(chosen)]) > at) break;
    }
  }

  // Did a point change its cluster?
  bool assign(Clusters& c) {
    product<float>(pool_, {1, points_, clusters_, n_}, {x_.data.data(), n_, 0, false},
                   {c.centres.data.data(), n_, 0, true}, {products_.data(), clusters_, 0});
    std::vector<double> lengths;
    for (std::int64_t k = 0; k < clusters_; ++k) lengths.push_back(square(centre(c, k)));
    bool changed = false;
    farthest_ = {};
    for (std::int64_t i = 0; i < points_; ++i) {
      std::int64_t best = 0;
      double least = std::numeric_limits<double>::infinity();
      for (std::int64_t k = 0; k < clusters_; ++k)
        if (const double d =
                lengths[index(k)] - 2.0 * static_cast<double>(products_[index(i * clusters_ + k)]);
            d < least) {
          least = d;
          best = k;
        }
      changed = changed || best != c.of[index(i)];
      c.of[index(i)] = best;
      farthest_.push_back({least + lengths_[index(i)], i});
    }
    return changed;
  }

  void move_centres(Clusters& c) {
    std::vector<double> sums(c.centres.data.size(), 0.0);
    std::vector<std::int64_t> counts(index(clusters_), 0);
    for (std::int64_t i = 0; i < points_; ++i) {
      const std::int64_t k = c.of[index(i)];
      ++counts[index(k)];
      for (std::int64_t j = 0; j < n_; ++j)
        sums[index(k * n_ + j)] += static_cast<double>(row(i)[j]);
    }
    if (std::ranges::find(counts, 0) != counts.end())
      std::ranges::stable_sort(farthest_, std::greater{}, &Far::distance);
    std::size_t next = 0;
    for (std::int64_t k = 0; k < clusters_; ++k) {
      float* const to = c.centres.data.data() + k * n_;
      if (counts[index(k)] == 0)
        std::copy_n(row(farthest_[next++].point), n_, to);
      else
        for (std::int64_t j = 0; j < n_; ++j)
          to[j] =
              static_cast<float>(sums[index(k * n_ + j)] / static_cast<double>(counts[index(k)]));
    }
  }

  const Tensor<float>& x_;
  std::int64_t points_, n_, clusters_;
  ThreadPool& pool_;
  std::vector<float> products_;
  std::vector<double> lengths_;  // squared, by point
  struct Far {
    double distance;  // squared, to its centre
    std::int64_t point;
  };
  std::vector<Far> farthest_;
};

}  // namespace

Clusters k_means(const Tensor<float>& x, std::int64_t clusters, std::int64_t restarts,
                 std::uint64_t seed, ThreadPool& pool) {
  if (x.shape[0] < clusters)
    throw SpecError(cat("k_means: ", clusters, " clusters of ", x.shape[0],
                        " examples; there must be at least as many examples"));
  RandomStream stream(seed, "k_means");
  // Distances are differences of squares: what all points share is taken out before.
  const Tensor<double> mean = mean_of(x);
  Tensor<float> centred = x;
  for (std::int64_t i = 0; i < x.size(); ++i)
    centred[i] = static_cast<float>(static_cast<double>(x[i]) - mean[i % x.shape[1]]);
  Rounds rounds(centred, clusters, pool);
  Clusters best = rounds.run(stream);
  for (std::int64_t r = 1; r < restarts; ++r)
    if (Clusters again = rounds.run(stream); again.inertia < best.inertia) best = std::move(again);
  for (std::int64_t i = 0; i < best.centres.size(); ++i)
    best.centres[i] =
        static_cast<float>(static_cast<double>(best.centres[i]) + mean[i % x.shape[1]]);
  return best;
}

}  // namespace jacquard::experiments
