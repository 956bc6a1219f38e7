#include "autodiff/vector_products.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "autodiff/simd.hpp"
#include "autodiff/vector_lanes.hpp"

namespace jacquard {
namespace {

template <class T>
[[gnu::always_inline]] inline T scaled(T alpha, T sum, T beta, const T* old) {
  return beta == 0 ? alpha * sum : alpha * sum + beta * *old;  // beta 0: old may be NaN
}

constexpr std::int64_t kOutputsAtOnce = 1024;  // sums that stay in the first cache
constexpr std::int64_t kInputsAtOnce = 512;    // elements of x that stay there

// The sum of row[l] * x[l] over kLanes lanes, folded by halves: (0+8, 1+9, ...), then (0+4, ...).
template <class T, int Rows>
[[gnu::always_inline]] inline void dot_rows(const T* first_row, std::int64_t row_stride, const T* x,
                                            std::int64_t k, T* sums) {
  constexpr int kLanes = 64 / sizeof(T);
  Vector<T, kLanes> lanes[Rows] = {};
  std::int64_t l = 0;
  for (; l + kLanes <= k; l += kLanes) {
    Vector<T, kLanes> factor;
    load(factor, x + l);
    for (int r = 0; r < Rows; ++r) {
      Vector<T, kLanes> row;
      load(row, first_row + r * row_stride + l);
      lanes[r] += row * factor;
    }
  }
  for (int r = 0; r < Rows; ++r) {
    std::array<T, kLanes> folded;
    std::memcpy(folded.data(), &lanes[r], sizeof(folded));
    for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
      for (std::size_t s = 0; s < half; ++s) folded[s] += folded[s + half];
    }
    T sum = folded[0];
    for (std::int64_t rest = l; rest < k; ++rest) sum += first_row[r * row_stride + rest] * x[rest];
    sums[r] += sum;
  }
}

// Rows of a are contiguous: a dot product for each element of y.
template <class T>
[[gnu::always_inline]] inline void dots_body(std::int64_t m, std::int64_t k, T alpha,
                                             const StridedMatrix<T>& a, const T* x,
                                             std::int64_t x_stride, T beta, T* y,
                                             std::int64_t y_stride) {
  std::array<T, kOutputsAtOnce> sums;
  std::array<T, kInputsAtOnce> packed;
  for (std::int64_t first = 0; first < m; first += kOutputsAtOnce) {
    const std::int64_t count = std::min(kOutputsAtOnce, m - first);
    std::fill_n(sums.begin(), count, T(0));
    for (std::int64_t l = 0; l < k; l += kInputsAtOnce) {
      const std::int64_t depth = std::min(kInputsAtOnce, k - l);
      const T* inputs = x + l * x_stride;
      if (x_stride != 1) {
        for (std::int64_t s = 0; s < depth; ++s) {
          packed[static_cast<std::size_t>(s)] = inputs[s * x_stride];
        }
        inputs = packed.data();
      }
      const T* rows = a.data + first * a.row + l;
      std::int64_t i = 0;
      for (; i + 4 <= count; i += 4) {
        dot_rows<T, 4>(rows + i * a.row, a.row, inputs, depth, sums.data() + i);
      }
      for (; i < count; ++i) {
        dot_rows<T, 1>(rows + i * a.row, a.row, inputs, depth, sums.data() + i);
      }
    }
    for (std::int64_t i = 0; i < count; ++i) {
      T* out = y + (first + i) * y_stride;
      *out = scaled(alpha, sums[static_cast<std::size_t>(i)], beta, out);
    }
  }
}

// Adds Columns columns of a, each times its x, to the sums, one after the other.
template <class T, int Columns>
[[gnu::always_inline]] inline void add_columns(const T* column, std::int64_t column_stride,
                                               std::int64_t row_stride, const T* x,
                                               std::int64_t x_stride, std::int64_t count, T* sums) {
  constexpr int kLanes = 64 / sizeof(T);
  T factors[Columns];
  for (int s = 0; s < Columns; ++s) factors[s] = x[s * x_stride];
  std::int64_t i = 0;
  if (row_stride == 1) {
    for (; i + kLanes <= count; i += kLanes) {
      Vector<T, kLanes> sum;
      load(sum, sums + i);
      for (int s = 0; s < Columns; ++s) {
        Vector<T, kLanes> values;
        load(values, column + s * column_stride + i);
        sum += factors[s] * values;
      }
      std::memcpy(sums + i, &sum, sizeof(sum));
    }
  }
  for (; i < count; ++i) {
    for (int s = 0; s < Columns; ++s) {
      sums[i] += factors[s] * column[s * column_stride + i * row_stride];
    }
  }
}

// Columns of a are contiguous: y is a sum of scaled columns.
template <class T>
[[gnu::always_inline]] inline void sums_body(std::int64_t m, std::int64_t k, T alpha,
                                             const StridedMatrix<T>& a, const T* x,
                                             std::int64_t x_stride, T beta, T* y,
                                             std::int64_t y_stride) {
  std::array<T, kOutputsAtOnce> sums;
  for (std::int64_t first = 0; first < m; first += kOutputsAtOnce) {
    const std::int64_t count = std::min(kOutputsAtOnce, m - first);
    std::fill_n(sums.begin(), count, T(0));
    const T* columns = a.data + first * a.row;
    std::int64_t l = 0;
    for (; l + 8 <= k; l += 8) {
      add_columns<T, 8>(columns + l * a.column, a.column, a.row, x + l * x_stride, x_stride, count,
                        sums.data());
    }
    for (; l < k; ++l) {
      add_columns<T, 1>(columns + l * a.column, a.column, a.row, x + l * x_stride, x_stride, count,
                        sums.data());
    }
    for (std::int64_t i = 0; i < count; ++i) {
      T* out = y + (first + i) * y_stride;
      *out = scaled(alpha, sums[static_cast<std::size_t>(i)], beta, out);
    }
  }
}

template <class T>
[[gnu::always_inline]] inline void vector_body(std::int64_t m, std::int64_t k, T alpha,
                                               const StridedMatrix<T>& a, const T* x,
                                               std::int64_t x_stride, T beta, T* y,
                                               std::int64_t y_stride) {
  if (a.column == 1) {
    dots_body(m, k, alpha, a, x, x_stride, beta, y, y_stride);
  } else {
    sums_body(m, k, alpha, a, x, x_stride, beta, y, y_stride);
  }
}

// ---- one compiled form for each processor

template <class T, class... Arguments>
JACQUARD_TARGET_AVX2 void vector_avx2(Arguments... arguments) {
  vector_body<T>(arguments...);
}
template <class T, class... Arguments>
JACQUARD_TARGET_AVX512 void vector_avx512(Arguments... arguments) {
  vector_body<T>(arguments...);
}

}  // namespace

template <class T>
void matrix_vector(std::int64_t m, std::int64_t k, T alpha, const StridedMatrix<T>& a, const T* x,
                   std::int64_t x_stride, T beta, T* y, std::int64_t y_stride) {
  switch (simd()) {
    case Simd::kAvx512:
      return vector_avx512<T>(m, k, alpha, a, x, x_stride, beta, y, y_stride);
    case Simd::kAvx2:
      return vector_avx2<T>(m, k, alpha, a, x, x_stride, beta, y, y_stride);
    case Simd::kBaseline:
      return vector_body<T>(m, k, alpha, a, x, x_stride, beta, y, y_stride);
  }
}

template void matrix_vector(std::int64_t, std::int64_t, float, const StridedMatrix<float>&,
                            const float*, std::int64_t, float, float*, std::int64_t);
template void matrix_vector(std::int64_t, std::int64_t, double, const StridedMatrix<double>&,
                            const double*, std::int64_t, double, double*, std::int64_t);

}  // namespace jacquard
