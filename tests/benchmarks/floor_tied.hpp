// The floor of W1 and W2: a step of a tied sigmoid autoencoder n-m-n as a careful engineer would
// write it for this network alone, with h = sigmoid(x W + b), a = h W' + c and the mean over the
// batch of |sigmoid(a) - x|^2 or of the cross-entropy of a, plus
//
//   contraction * mean_b |dh/dx|_F^2 = contraction/B sum_j norms_j sum_b d_bj^2,
//   d = h (1 - h), norms_j = sum_i W_ij^2
//
// Four products and three elementwise passes. [X; dA] and [dH; H] are kept one below the other, so
// that both gradients of W are one product over 2 B rows, which makes the update as well:
//
//   W = W - rate [X; dA]' [dH; H]
//
// The contraction adds 2 contraction/B W_ij sum_b d_bj^2 to the gradient: a scaling of the columns
// of W before that product, in strips that stay in the cache after their norms were taken.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "autodiff/products.hpp"
#include "tests/benchmarks/named_array.hpp"
#include "tests/benchmarks/network_kernels.hpp"

namespace jacquard::benchmarks {

enum class Loss { kSquaredError, kCrossEntropy };

template <class T>
struct TiedOptions {
  std::int64_t batch, n, m;
  Loss loss = Loss::kSquaredError;
  T contraction = 0;
  T rate = 0;
};

template <class T>
class TiedFloor {
 public:
  TiedFloor(ThreadPool& pool, const TiedOptions<T>& options)
      : pool_(pool),
        o_(options),
        x_and_da_(size(2 * o_.batch * o_.n)),
        dh_and_h_(size(2 * o_.batch * o_.m)),
        w_(size(o_.n * o_.m)),
        b_(size(o_.m)),
        c_(size(o_.n)),
        visible_sums_(c_),
        costs_(c_),
        products_(c_),
        hidden_sums_(b_),
        norms_(b_),
        squares_(b_),
        factors_(b_) {}

  std::vector<NamedArray<T>> arrays() {
    return {{"x", InputKind::kData, std::span(x_and_da_).first(size(o_.batch * o_.n))},
            {"W", InputKind::kParameter, w_},
            {"b", InputKind::kParameter, b_},
            {"c", InputKind::kParameter, c_}};
  }

  // Returns the cost before the update. The products alone leave the parameters as they are.
  T run(Work work = Work::kAll) {
    const auto [batch, n, m] = std::tuple(o_.batch, o_.n, o_.m);
    T* const x = x_and_da_.data();
    T* const da = x + batch * n;
    T* const dh = dh_and_h_.data();
    T* const h = dh + batch * m;
    const ProductFactor<T> w{w_.data(), m, 0, false}, w_transposed{w_.data(), m, 0, true};
    product<T>(pool_, {1, batch, m, n}, {x, n, 0, false}, w, {h, m, 0});
    if (work == Work::kAll) encode(h);
    product<T>(pool_, {1, batch, n, m}, {h, m, 0, false}, w_transposed, {da, n, 0});
    T cost = 0;
    if (work == Work::kAll) cost = reconstruct(x, da);
    product<T>(pool_, {1, batch, m, n}, {da, n, 0, false}, w, {dh, m, 0});
    if (work == Work::kAll) cost += back_through_code(h, dh);
    const T rate = work == Work::kAll ? o_.rate : T(1e-12);
    product<T>(pool_, {1, n, m, 2 * batch}, {x, n, 0, true}, {dh, m, 0, false}, {w_.data(), m, 0},
               -rate, 1);
    return cost;
  }

  double product_flops() const {  // of a step
    return 10.0 * static_cast<double>(o_.batch) * static_cast<double>(o_.n * o_.m);
  }

  // What a step must hold at once besides data and parameters. The most is alive around the product
  // that gives dH: the codes H and what came back to the logits, dA, are needed for the update, and
  // dH is written; all pre-activations live in those same places. The gradient of W never exists.
  std::int64_t live_bytes() const {
    return o_.batch * (o_.n + 2 * o_.m) * static_cast<std::int64_t>(sizeof(T));
  }

 private:
  static std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

  void encode(T* h) {
    for_each_strip(pool_, o_.m, [&](std::int64_t first, std::int64_t columns) {
      on_this_machine<SigmoidStrip>(Strip{o_.batch, columns, o_.m}, h + first,
                                    static_cast<const T*>(b_.data()) + first);
    });
  }

  T reconstruct(const T* x, T* a) {
    const bool squares = o_.loss == Loss::kSquaredError;
    const T scale = T(squares ? 2 : 1) / static_cast<T>(o_.batch);
    for_each_strip(pool_, o_.n, [&](std::int64_t first, std::int64_t columns) {
      const Strip strip{o_.batch, columns, o_.n};
      const T* const bias = c_.data() + first;
      T* const sums = cleared(visible_sums_, first, columns);
      T* const costs = cleared(costs_, first, columns);
      if (squares)
        on_this_machine<SquaredErrorStrip>(strip, a + first, x + first, bias, scale, sums, costs);
      else
        on_this_machine<CrossEntropyStrip>(strip, a + first, x + first, bias, scale, sums, costs,
                                           products_.data() + first);
      update(c_, visible_sums_, first, columns);
    });
    return total(costs_) / static_cast<T>(o_.batch);
  }

  // Returns the cost of the contraction.
  T back_through_code(const T* h, T* dh) {
    const bool contracts = o_.contraction != 0;
    for_each_strip(pool_, o_.m, [&](std::int64_t first, std::int64_t columns) {
      const Strip strip{o_.batch, columns, o_.m};
      T* const sums = cleared(hidden_sums_, first, columns);
      if (contracts)
        contract(strip, first, h + first, dh + first, sums);
      else
        on_this_machine<BackThroughSigmoid>(strip, dh + first, h + first, sums);
      update(b_, hidden_sums_, first, columns);
    });
    return contracts ? o_.contraction * total(costs_of_units()) / static_cast<T>(o_.batch) : T(0);
  }

  void contract(Strip strip, std::int64_t first, const T* h, T* dh, T* sums) {
    const Strip of_w{o_.n, strip.columns, o_.m};
    T* const norms = cleared(norms_, first, strip.columns);
    T* const squares = cleared(squares_, first, strip.columns);
    T* const w = w_.data() + first;
    on_this_machine<AddSquares>(of_w, static_cast<const T*>(w), norms);
    const T scale = 2 * o_.contraction / static_cast<T>(o_.batch);
    on_this_machine<BackThroughContraction>(strip, dh, h, static_cast<const T*>(norms), scale, sums,
                                            squares);
    T* const factors = factors_.data() + first;
    for (std::int64_t j = 0; j < strip.columns; ++j) factors[j] = 1 - o_.rate * scale * squares[j];
    on_this_machine<ScaleColumns>(of_w, w, static_cast<const T*>(factors));
  }

  const std::vector<T>& costs_of_units() {
    for (std::size_t j = 0; j < norms_.size(); ++j) norms_[j] *= squares_[j];
    return norms_;
  }

  static T* cleared(std::vector<T>& values, std::int64_t first, std::int64_t count) {
    T* const begin = values.data() + first;
    std::fill(begin, begin + count, T(0));
    return begin;
  }

  void update(std::vector<T>& bias, const std::vector<T>& gradient, std::int64_t first,
              std::int64_t count) {
    for (std::int64_t j = first; j < first + count; ++j)
      bias[size(j)] -= o_.rate * gradient[size(j)];
  }

  static T total(const std::vector<T>& values) {
    double sum = 0;
    for (const T v : values) sum += static_cast<double>(v);
    return static_cast<T>(sum);
  }

  ThreadPool& pool_;
  TiedOptions<T> o_;
  std::vector<T> x_and_da_, dh_and_h_;  // [2 batch, n], [2 batch, m]
  std::vector<T> w_, b_, c_;
  std::vector<T> visible_sums_, costs_, products_;          // [n]
  std::vector<T> hidden_sums_, norms_, squares_, factors_;  // [m]
};

}  // namespace jacquard::benchmarks
