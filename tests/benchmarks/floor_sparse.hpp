// The floor of W7: cost and gradients of a sparse sigmoid autoencoder v-u-v over many examples, by
// hand; h = sigmoid(x W + b), y = sigmoid(h V + c), and
//
//   mean_b |y - x|^2 / 2 + decay/2 (|W|^2 + |V|^2) + weight sum_j KL(target || mean_b h_bj)
//
// The penalty couples all examples, so there are two passes over them: codes and their means, then
// everything else for some hundred examples at a time, which stay in the cache. Groups of fixed
// bounds have sums of their own: the same bits for any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "autodiff/products.hpp"
#include "tests/benchmarks/named_array.hpp"
#include "tests/benchmarks/network_kernels.hpp"

namespace jacquard::benchmarks {

template <class T>
struct SparseOptions {
  std::int64_t examples, visible, hidden;
  T decay = 0, target = T(0.01), weight = 0;
};

template <class T>
class SparseFloor {
 public:
  SparseFloor(ThreadPool& pool, const SparseOptions<T>& options)
      : pool_(pool),
        o_(options),
        stride_((o_.hidden + 15) / 16 * 16),
        x_(size(o_.examples * o_.visible)),
        w_(size(o_.visible * o_.hidden)),
        b_(size(stride_)),
        v_(w_.size()),
        c_(size(o_.visible)),
        dw_(w_.size()),
        db_(b_.size()),
        dv_(v_.size()),
        dc_(c_.size()),
        h_(size(o_.examples * stride_)),
        of_mean_(b_.size()),
        groups_(kGroups, Group(*this)) {}

  std::vector<NamedArray<T>> arrays() {
    const auto hidden = size(o_.hidden);
    return {{"x", InputKind::kData, x_},
            {"W", InputKind::kParameter, w_},
            {"b", InputKind::kParameter, std::span(b_).first(hidden)},
            {"V", InputKind::kParameter, v_},
            {"c", InputKind::kParameter, c_},
            {gradient_name("W"), InputKind::kState, dw_},
            {gradient_name("b"), InputKind::kState, std::span(db_).first(hidden)},
            {gradient_name("V"), InputKind::kState, dv_},
            {gradient_name("c"), InputKind::kState, dc_}};
  }

  T run(Work work = Work::kAll) {
    const bool all = work == Work::kAll;
    for_each_chunk(
        [&](Group& g, std::int64_t first, std::int64_t rows) { encode(g, first, rows, all); });
    T cost = all ? penalise_means() : T(0);
    for_each_chunk(
        [&](Group& g, std::int64_t first, std::int64_t rows) { reconstruct(g, first, rows, all); });
    if (all) cost += add_groups();
    return cost;
  }

  double product_flops() const {
    return 10.0 * static_cast<double>(o_.examples) * static_cast<double>(o_.visible * o_.hidden);
  }

 private:
  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

  static constexpr std::int64_t kGroups = 8;
  static constexpr std::int64_t kChunkRows = 250;  // [250,64] floats are 64 KB

  struct Group {
    explicit Group(const SparseFloor& f)
        : dw(f.w_.size()),
          dv(f.v_.size()),
          db(f.b_.size()),
          means(f.b_.size()),
          dc(f.c_.size()),
          costs(f.c_.size()),
          a(size(kChunkRows * f.o_.visible)),
          dh(size(kChunkRows * f.stride_)) {}
    std::vector<T> dw, dv, db, means, dc, costs;
    std::vector<T> a, dh;  // of one chunk; a becomes its own adjoint
  };

  template <class Chunk>
  void for_each_chunk(const Chunk& chunk) {
    pool_.run(kGroups, [&](std::int64_t g) {
      const std::int64_t end = o_.examples * (g + 1) / kGroups;
      for (std::int64_t first = o_.examples * g / kGroups; first < end; first += kChunkRows)
        chunk(groups_[size(g)], first, std::min(kChunkRows, end - first));
    });
  }

  // Rows of h are padded with zeros of bias and weight to whole vectors; products leave them out.
  void encode(Group& g, std::int64_t first, std::int64_t rows, bool all) {
    T* const h = h_.data() + first * stride_;
    product<T>(pool_, {1, rows, o_.hidden, o_.visible},
               {x_.data() + first * o_.visible, o_.visible, 0, false},
               {w_.data(), o_.hidden, 0, false}, {h, stride_, 0});
    if (!all) return;
    const Strip strip{rows, stride_, stride_};
    on_this_machine<SigmoidStrip>(strip, h, static_cast<const T*>(b_.data()));
    on_this_machine<AddRows>(strip, static_cast<const T*>(h), g.means.data());
  }

  // With p the target and q a mean, KL = p log(p/q) + (1-p) log((1-p)/(1-q)). The rest of a step
  // wants what it adds to the adjoint of every h.
  T penalise_means() {
    T cost = 0;
    const T p = o_.target, count = static_cast<T>(o_.examples);
    for (std::size_t j = 0; j < size(o_.hidden); ++j) {
      T q = 0;
      for (Group& g : groups_) q += g.means[j];
      q /= count;
      cost += p * number::log(p / q) + (1 - p) * number::log((1 - p) / (1 - q));
      of_mean_[j] = o_.weight / count * ((1 - p) / (1 - q) - p / q);
    }
    for (Group& g : groups_) std::fill(g.means.begin(), g.means.end(), T(0));
    return o_.weight * cost;
  }

  void reconstruct(Group& g, std::int64_t first, std::int64_t rows, bool all) {
    const auto [v, u] = std::pair(o_.visible, o_.hidden);
    const T* const x = x_.data() + first * v;
    const T* const h = h_.data() + first * stride_;
    const ProductFactor<T> decoder{v_.data(), v, 0, false}, decoder_back{v_.data(), v, 0, true};
    product<T>(pool_, {1, rows, v, u}, {h, stride_, 0, false}, decoder, {g.a.data(), v, 0});
    if (all)
      on_this_machine<SquaredErrorStrip>(
          Strip{rows, v, v}, g.a.data(), x, static_cast<const T*>(c_.data()),
          T(1) / static_cast<T>(o_.examples), g.dc.data(), g.costs.data());
    product<T>(pool_, {1, u, v, rows}, {h, stride_, 0, true}, {g.a.data(), v, 0, false},
               {g.dv.data(), v, 0}, 1, all ? T(1) : T(0));
    product<T>(pool_, {1, rows, u, v}, {g.a.data(), v, 0, false}, decoder_back,
               {g.dh.data(), stride_, 0});
    if (all)
      on_this_machine<BackThroughSparseSigmoid>(Strip{rows, stride_, stride_}, g.dh.data(), h,
                                                static_cast<const T*>(of_mean_.data()),
                                                g.db.data());
    product<T>(pool_, {1, v, u, rows}, {x, v, 0, true}, {g.dh.data(), stride_, 0, false},
               {g.dw.data(), u, 0}, 1, all ? T(1) : T(0));
  }

  // Also clears the groups for the next step.
  T add_groups() {
    add(dw_, &Group::dw);
    add(db_, &Group::db);
    add(dv_, &Group::dv);
    add(dc_, &Group::dc);
    T squares = 0;
    for (std::size_t i = 0; i < w_.size(); ++i) {
      dw_[i] += o_.decay * w_[i];
      dv_[i] += o_.decay * v_[i];
      squares += w_[i] * w_[i] + v_[i] * v_[i];
    }
    T errors = 0;
    for (Group& g : groups_)
      for (T& cost : g.costs) {
        errors += cost;
        cost = 0;
      }
    return (errors / static_cast<T>(o_.examples) + o_.decay * squares) / 2;
  }

  void add(std::vector<T>& to, std::vector<T> Group::*part) {
    std::fill(to.begin(), to.end(), T(0));
    for (Group& g : groups_) {
      std::vector<T>& from = g.*part;
      for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
      std::fill(from.begin(), from.end(), T(0));
    }
  }

  ThreadPool& pool_;
  SparseOptions<T> o_;
  std::int64_t stride_;               // between rows of h
  std::vector<T> x_, w_, b_, v_, c_;  // [examples,visible], [visible,hidden], .., [hidden,visible]
  std::vector<T> dw_, db_, dv_, dc_;
  std::vector<T> h_, of_mean_;
  std::vector<Group> groups_;
};

}  // namespace jacquard::benchmarks
