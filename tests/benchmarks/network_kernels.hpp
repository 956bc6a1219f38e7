// Elementwise passes of sigmoid networks, each fused as far as the maths allows: over `columns`
// columns of `rows` rows that stand `stride` numbers apart. Sums over the rows are added to.
#pragma once

#include <cmath>
#include <cstdint>

#include "tests/benchmarks/vector_kernels.hpp"

namespace jacquard::benchmarks {

struct Strip {
  std::int64_t rows, columns, stride;
};

struct SigmoidStrip {  // a = sigmoid(a + bias)
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, T* __restrict a, const T* __restrict bias) {
    for (std::int64_t i = 0; i < s.rows; ++i, a += s.stride)
      for (std::int64_t j = 0; j < s.columns; ++j) a[j] = logistic<kFused>(a[j] + bias[j]);
  }
};

// The last layer under squared error: a becomes scale times half the derivative of the sum of
// (y - target)^2 by the layer's argument, y = sigmoid(a + bias).
struct SquaredErrorStrip {
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, T* __restrict a, const T* __restrict target,
                                         const T* __restrict bias, T scale, T* __restrict sums,
                                         T* __restrict costs) {
    for (std::int64_t i = 0; i < s.rows; ++i, a += s.stride, target += s.stride)
      for (std::int64_t j = 0; j < s.columns; ++j) {
        const T y = logistic<kFused>(a[j] + bias[j]);
        const T off = y - target[j];
        const T slope = multiply_add<kFused>(-y, y, y);
        a[j] = scale * off * slope;
        sums[j] += a[j];
        costs[j] = multiply_add<kFused>(off, off, costs[j]);
      }
  }
};

// The last layer under cross-entropy of logits, softplus(a) - target a with
// softplus(a) = max(a, 0) + log(1 + exp(-|a|)). The logarithms of many rows are one, of the product
// of their arguments, which lie between 1 and 2; `products` starts anywhere.
struct CrossEntropyStrip {
  static constexpr std::int64_t kRowsOfLogarithm = 64;  // 2^64 is far from overflow

  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, T* __restrict a, const T* __restrict target,
                                         const T* __restrict bias, T scale, T* __restrict sums,
                                         T* __restrict costs, T* __restrict products) {
    for (std::int64_t first = 0; first < s.rows; first += kRowsOfLogarithm) {
      const std::int64_t end = std::min(s.rows, first + kRowsOfLogarithm);
      for (std::int64_t j = 0; j < s.columns; ++j) products[j] = T(1);
      for (std::int64_t i = first; i < end; ++i, a += s.stride, target += s.stride)
        for (std::int64_t j = 0; j < s.columns; ++j) {
          const T logit = a[j] + bias[j];
          const T magnitude = number::abs(logit);
          const T small = exponential<kFused>(-clamped(magnitude));
          const T one_and_small = T(1) + small;
          const T y = if_negative(logit, small, T(1)) / one_and_small;
          products[j] *= one_and_small;
          const T positive = T(0.5) * (logit + magnitude);  // max(logit, 0), exactly
          costs[j] += multiply_add<kFused>(-target[j], logit, positive);
          a[j] = scale * (y - target[j]);
          sums[j] += a[j];
        }
      for (std::int64_t j = 0; j < s.columns; ++j) costs[j] += number::log(products[j]);
    }
  }
};

struct BackThroughSigmoid {  // g *= h (1 - h)
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, T* __restrict g, const T* __restrict h,
                                         T* __restrict sums) {
    for (std::int64_t i = 0; i < s.rows; ++i, g += s.stride, h += s.stride)
      for (std::int64_t j = 0; j < s.columns; ++j) {
        g[j] *= multiply_add<kFused>(-h[j], h[j], h[j]);
        sums[j] += g[j];
      }
  }
};

struct BackThroughSparseSigmoid {  // g = (g + of_mean) h (1 - h)
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, T* __restrict g, const T* __restrict h,
                                         const T* __restrict of_mean, T* __restrict sums) {
    for (std::int64_t i = 0; i < s.rows; ++i, g += s.stride, h += s.stride)
      for (std::int64_t j = 0; j < s.columns; ++j) {
        g[j] = (g[j] + of_mean[j]) * multiply_add<kFused>(-h[j], h[j], h[j]);
        sums[j] += g[j];
      }
  }
};

// With the contraction sum_j norms_j d_j^2, d = h (1 - h), whose derivative by the argument of h is
// 2 norms d^2 (1 - 2 h): g = g d + scale norms d^2 (1 - 2 h). Adds d^2 to `squares`.
struct BackThroughContraction {
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, T* __restrict g, const T* __restrict h,
                                         const T* __restrict norms, T scale, T* __restrict sums,
                                         T* __restrict squares) {
    for (std::int64_t i = 0; i < s.rows; ++i, g += s.stride, h += s.stride)
      for (std::int64_t j = 0; j < s.columns; ++j) {
        const T d = multiply_add<kFused>(-h[j], h[j], h[j]);
        const T weighted = scale * norms[j] * d * multiply_add<kFused>(T(-2), h[j], T(1));
        squares[j] = multiply_add<kFused>(d, d, squares[j]);
        g[j] = (g[j] + weighted) * d;
        sums[j] += g[j];
      }
  }
};

struct AddRows {
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, const T* __restrict a, T* __restrict sums) {
    for (std::int64_t i = 0; i < s.rows; ++i, a += s.stride)
      for (std::int64_t j = 0; j < s.columns; ++j) sums[j] += a[j];
  }
};

struct AddSquares {
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, const T* __restrict a, T* __restrict sums) {
    for (std::int64_t i = 0; i < s.rows; ++i, a += s.stride)
      for (std::int64_t j = 0; j < s.columns; ++j)
        sums[j] = multiply_add<kFused>(a[j], a[j], sums[j]);
  }
};

struct ScaleColumns {
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(Strip s, T* __restrict a, const T* __restrict factors) {
    for (std::int64_t i = 0; i < s.rows; ++i, a += s.stride)
      for (std::int64_t j = 0; j < s.columns; ++j) a[j] *= factors[j];
  }
};

// Kingma and Ba 2015, algorithm 1, with the corrections of the two means taken into constants.
template <class T>
struct AdamConstants {
  T beta1, beta2, rate, correction1, correction2, epsilon;
};

struct AdamRow {
  template <bool kFused, class T>
  [[gnu::always_inline]] static void run(std::int64_t count, AdamConstants<T> c,
                                         const T* __restrict gradient, T* __restrict w,
                                         T* __restrict mean, T* __restrict square) {
    const T rate = c.rate / c.correction1, scale = T(1) / c.correction2;
    const T share1 = T(1) - c.beta1, share2 = T(1) - c.beta2;
    for (std::int64_t j = 0; j < count; ++j) {
      const T g = gradient[j];
      mean[j] = multiply_add<kFused>(c.beta1, mean[j], share1 * g);
      square[j] = multiply_add<kFused>(c.beta2, square[j], share2 * g * g);
      T root = scale * square[j];
      if constexpr (std::is_same_v<T, float>)
        root = __builtin_sqrtf(root);
      else
        root = __builtin_sqrt(root);
      w[j] -= rate * mean[j] / (root + c.epsilon);
    }
  }
};

}  // namespace jacquard::benchmarks
