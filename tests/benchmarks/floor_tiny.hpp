// The floors of W6 and W8, by hand, with all sizes known to the compiler and everything in the
// first cache: what libraries and tapes lose to their own bookkeeping shows here.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "tests/benchmarks/named_array.hpp"
#include "tests/benchmarks/network_kernels.hpp"

namespace jacquard::benchmarks {

// For small fixed counts: kept as a loop, it becomes one or two vector instructions; unrolled
// first, as g++ 12 would, it becomes a puzzle of single numbers.
#define JACQUARD_VECTOR_LOOP _Pragma("GCC unroll 1")

// Gives each(j, sum_i a[i * stride] rows[i][j]) the kColumns sums. There are no copies, which the
// compiler would make in pieces that stall the loads after them.
template <bool kFused, std::size_t kRows, std::size_t kColumns, class T, class Each>
[[gnu::always_inline]] inline void weighted_rows(const T* a, std::size_t stride, const T* rows,
                                                 const Each& each) {
  alignas(64) T sums[kColumns];
  JACQUARD_VECTOR_LOOP
  for (std::size_t j = 0; j < kColumns; ++j) sums[j] = a[0] * rows[j];
  for (std::size_t i = 1; i < kRows; ++i) {
    const T factor = a[i * stride];
    JACQUARD_VECTOR_LOOP
    for (std::size_t j = 0; j < kColumns; ++j)
      sums[j] = multiply_add<kFused>(factor, rows[i * kColumns + j], sums[j]);
  }
  JACQUARD_VECTOR_LOOP
  for (std::size_t j = 0; j < kColumns; ++j) each(j, sums[j]);
}

// W6: a step of a tied sigmoid autoencoder kN-kM-kN under squared error and SGD. W is also kept
// transposed, and updated by a product of its own: then every product runs along the rows of
// something, without a single transposition. Both copies round alike.
template <class T, std::size_t kBatch, std::size_t kN, std::size_t kM>
class TinyFloor {
 public:
  explicit TinyFloor(T rate) : rate_(rate) {}

  std::vector<NamedArray<T>> arrays() {
    return {{"x", InputKind::kData, x_},
            {"W", InputKind::kParameter, w_},
            {"b", InputKind::kParameter, b_},
            {"c", InputKind::kParameter, c_}};
  }

  void start() {  // after W was filled
    for (std::size_t i = 0; i < kN; ++i)
      for (std::size_t j = 0; j < kM; ++j) w_transposed_[j * kN + i] = w_[i * kM + j];
  }

  T run() {
    on_this_machine<Step>(this);
    return cost_;
  }

 private:
  struct Step {
    template <bool kFused>
    [[gnu::always_inline]] static void run(TinyFloor* f) {
      f->template step<kFused>();
    }
  };

  template <bool kFused>
  [[gnu::always_inline]] inline void step() {
    alignas(64) T h[kBatch * kM], da[kBatch * kN], dh[kBatch * kM];
    alignas(64) T costs[kN] = {}, db[kM] = {}, dc[kN] = {};
    for (std::size_t i = 0; i < kBatch; ++i) {
      T* const hi = h + i * kM;
      weighted_rows<kFused, kN, kM>(x_.data() + i * kN, 1, w_.data(), [&](std::size_t j, T sum) {
        hi[j] = logistic<kFused>(sum + b_[j]);
      });
    }
    for (std::size_t i = 0; i < kBatch; ++i) {
      T* const di = da + i * kN;
      const T* const xi = x_.data() + i * kN;
      weighted_rows<kFused, kM, kN>(h + i * kM, 1, w_transposed_.data(), [&](std::size_t j, T sum) {
        const T y = logistic<kFused>(sum + c_[j]);
        const T off = y - xi[j];
        costs[j] = multiply_add<kFused>(off, off, costs[j]);
        di[j] = T(2) / static_cast<T>(kBatch) * off * multiply_add<kFused>(-y, y, y);
        dc[j] += di[j];
      });
    }
    for (std::size_t i = 0; i < kBatch; ++i) {
      T* const di = dh + i * kM;
      const T* const hi = h + i * kM;
      weighted_rows<kFused, kN, kM>(da + i * kN, 1, w_.data(), [&](std::size_t j, T sum) {
        di[j] = sum * multiply_add<kFused>(-hi[j], hi[j], hi[j]);
        db[j] += di[j];
      });
    }
    update<kFused, kN, kM>(w_.data(), x_.data(), dh, da, h);
    update<kFused, kM, kN>(w_transposed_.data(), dh, x_.data(), h, da);
    cost_ = 0;
    for (std::size_t j = 0; j < kN; ++j) {
      c_[j] -= rate_ * dc[j];
      cost_ += costs[j];
    }
    cost_ /= static_cast<T>(kBatch);
    for (std::size_t j = 0; j < kM; ++j) b_[j] -= rate_ * db[j];
  }

  // w [kRows,kColumns] -= rate (a' b + c' d) over the batch.
  template <bool kFused, std::size_t kRows, std::size_t kColumns>
  [[gnu::always_inline]] inline void update(T* w, const T* a, const T* b, const T* c, const T* d) {
    for (std::size_t i = 0; i < kRows; ++i, w += kColumns) {
      weighted_rows<kFused, kBatch, kColumns>(a + i, kRows, b, [&](std::size_t j, T sum) {
        w[j] = multiply_add<kFused>(-rate_, sum, w[j]);
      });
      weighted_rows<kFused, kBatch, kColumns>(c + i, kRows, d, [&](std::size_t j, T sum) {
        w[j] = multiply_add<kFused>(-rate_, sum, w[j]);
      });
    }
  }

  T rate_, cost_ = 0;
  alignas(64) std::array<T, kBatch * kN> x_{};
  alignas(64) std::array<T, kN * kM> w_{}, w_transposed_{};
  alignas(64) std::array<T, kM> b_{};
  alignas(64) std::array<T, kN> c_{};
};

// W8: kRounds of x = sigmoid(x p + q) - r on kWidth numbers; the sum of the last x and its
// gradients for the first x, p, q and r. Only every x is kept; the sigmoids follow from them.
template <class T, std::size_t kWidth, std::size_t kRounds>
class RoundsFloor {
 public:
  std::vector<NamedArray<T>> arrays() {
    return {{"x", InputKind::kParameter, x_},
            {"p", InputKind::kParameter, p_},
            {"q", InputKind::kParameter, q_},
            {"r", InputKind::kParameter, r_},
            {gradient_name("x"), InputKind::kState, dx_, kTolerance},
            {gradient_name("p"), InputKind::kState, dp_, kTolerance},
            {gradient_name("q"), InputKind::kState, dq_, kTolerance},
            {gradient_name("r"), InputKind::kState, dr_, kTolerance}};
  }

  T run() {
    on_this_machine<Step>(this);
    return cost_;
  }

 private:
  // A product of 2,500 rounded factors.
  static constexpr double kTolerance = 2e-3;

  struct Step {
    template <bool kFused>
    [[gnu::always_inline]] static void run(RoundsFloor* f) {
      f->template step<kFused>();
    }
  };

  template <bool kFused>
  [[gnu::always_inline]] inline void step() {
    alignas(64) T dx[kWidth], dp[kWidth] = {}, dq[kWidth] = {}, dr[kWidth] = {};
    T* x = kept_.data();
    for (std::size_t j = 0; j < kWidth; ++j) x[j] = x_[j];
    for (std::size_t round = 0; round < kRounds; ++round, x += kWidth)
      for (std::size_t j = 0; j < kWidth; ++j)
        x[kWidth + j] = logistic<kFused>(multiply_add<kFused>(x[j], p_[j], q_[j])) - r_[j];
    cost_ = 0;
    for (std::size_t j = 0; j < kWidth; ++j) {
      cost_ += x[j];
      dx[j] = 1;
    }
    for (std::size_t round = 0; round < kRounds; ++round) {
      x -= kWidth;
      for (std::size_t j = 0; j < kWidth; ++j) {
        const T s = x[kWidth + j] + r_[j];
        const T da = dx[j] * multiply_add<kFused>(-s, s, s);
        dr[j] -= dx[j];
        dq[j] += da;
        dp[j] = multiply_add<kFused>(da, x[j], dp[j]);
        dx[j] = da * p_[j];
      }
    }
    for (std::size_t j = 0; j < kWidth; ++j) {
      dx_[j] = dx[j];
      dp_[j] = dp[j];
      dq_[j] = dq[j];
      dr_[j] = dr[j];
    }
  }

  T cost_ = 0;
  alignas(64) std::array<T, kWidth> x_{}, p_{}, q_{}, r_{}, dx_{}, dp_{}, dq_{}, dr_{};
  std::vector<T> kept_ = std::vector<T>(kWidth * (kRounds + 1));
};

}  // namespace jacquard::benchmarks
