#include "autodiff/small_products.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "autodiff/simd.hpp"

namespace jacquard {
namespace {

// N elements of T as one value. g++ and clang turn its arithmetic into whatever vector
// instructions the function is compiled for. Only used inside one function, never passed.
template <class T, int N>
struct VectorOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T, int N>
using Vector = typename VectorOf<T, N>::type;

template <class V, class T>
[[gnu::always_inline]] inline void load(V& v, const T* from) {
  std::memcpy(&v, from, sizeof(V));
}

template <class T>
[[gnu::always_inline]] inline T scaled(T alpha, T sum, T beta, const T* old) {
  return beta == 0 ? alpha * sum : alpha * sum + beta * *old;  // beta 0: old may be NaN
}

// ---- tiny products

// Rows i .. i+Rows-1 of N columns of c, from a panel whose rows hold these columns of b.
template <class T, int N, int Rows>
[[gnu::always_inline]] inline void tiny_rows(std::int64_t i, std::int64_t k, T alpha,
                                             const StridedMatrix<T>& a, const T* panel,
                                             std::int64_t panel_row, T beta, T* c,
                                             std::int64_t c_leading) {
  Vector<T, N> sums[Rows] = {};
  for (std::int64_t l = 0; l < k; ++l) {
    Vector<T, N> row;
    load(row, panel + l * panel_row);
    for (int r = 0; r < Rows; ++r) sums[r] += a.data[(i + r) * a.row + l * a.column] * row;
  }
  for (int r = 0; r < Rows; ++r) {
    T* out = c + (i + r) * c_leading;
    for (int j = 0; j < N; ++j) out[j] = scaled(alpha, sums[r][j], beta, out + j);
  }
}

// The first N columns of c.
template <class T, int N>
[[gnu::always_inline]] inline void tiny_columns(std::int64_t m, std::int64_t k, T alpha,
                                                const StridedMatrix<T>& a,
                                                const StridedMatrix<T>& b, T beta, T* c,
                                                std::int64_t c_leading) {
  alignas(64) std::array<T, kMaxTinyWork> packed;  // N <= n, so k N fits
  const T* panel = b.data;
  std::int64_t panel_row = b.row;
  if (N > 1 && b.column != 1) {
    for (std::int64_t l = 0; l < k; ++l) {
      T* row = packed.data() + l * N;
      for (int j = 0; j < N; ++j) row[j] = b.data[l * b.row + j * b.column];
    }
    panel = packed.data();
    panel_row = N;
  }
  std::int64_t i = 0;
  for (; i + 4 <= m; i += 4) {
    tiny_rows<T, N, 4>(i, k, alpha, a, panel, panel_row, beta, c, c_leading);
  }
  for (; i < m; ++i) {
    tiny_rows<T, N, 1>(i, k, alpha, a, panel, panel_row, beta, c, c_leading);
  }
}

// Columns in vectors of 64 bytes, then what is left in halves of that, down to single columns:
// nothing is read or written beyond the operands.
template <class T, int N = 64 / sizeof(T)>
[[gnu::always_inline]] inline void tiny_body(std::int64_t m, std::int64_t n, std::int64_t k,
                                             T alpha, const StridedMatrix<T>& a,
                                             const StridedMatrix<T>& b, T beta, T* c,
                                             std::int64_t c_leading) {
  std::int64_t j = 0;
  for (; j + N <= n; j += N) {
    tiny_columns<T, N>(m, k, alpha, a, {b.data + j * b.column, b.row, b.column}, beta, c + j,
                       c_leading);
  }
  if constexpr (N > 1) {
    if (j < n) {
      tiny_body<T, N / 2>(m, n - j, k, alpha, a, {b.data + j * b.column, b.row, b.column}, beta,
                          c + j, c_leading);
    }
  }
}

// ---- products with vectors

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

// ---- transposition

template <class T>
constexpr std::int64_t kTransposedBlock = 16 / sizeof(T);  // what every x86-64 holds in a register

[[gnu::always_inline]] inline void transpose_block(const float* from, float* to,
                                                   std::int64_t leading) {
  Vector<float, 4> a, b, c, d;
  load(a, from);
  load(b, from + leading);
  load(c, from + 2 * leading);
  load(d, from + 3 * leading);
  const auto ac_low = __builtin_shufflevector(a, c, 0, 4, 1, 5);
  const auto bd_low = __builtin_shufflevector(b, d, 0, 4, 1, 5);
  const auto ac_high = __builtin_shufflevector(a, c, 2, 6, 3, 7);
  const auto bd_high = __builtin_shufflevector(b, d, 2, 6, 3, 7);
  a = __builtin_shufflevector(ac_low, bd_low, 0, 4, 1, 5);
  b = __builtin_shufflevector(ac_low, bd_low, 2, 6, 3, 7);
  c = __builtin_shufflevector(ac_high, bd_high, 0, 4, 1, 5);
  d = __builtin_shufflevector(ac_high, bd_high, 2, 6, 3, 7);
  std::memcpy(to, &a, sizeof(a));
  std::memcpy(to + leading, &b, sizeof(b));
  std::memcpy(to + 2 * leading, &c, sizeof(c));
  std::memcpy(to + 3 * leading, &d, sizeof(d));
}

[[gnu::always_inline]] inline void transpose_block(const double* from, double* to,
                                                   std::int64_t leading) {
  Vector<double, 2> a, b;
  load(a, from);
  load(b, from + leading);
  const auto left = __builtin_shufflevector(a, b, 0, 2);
  const auto right = __builtin_shufflevector(a, b, 1, 3);
  std::memcpy(to, &left, sizeof(left));
  std::memcpy(to + leading, &right, sizeof(right));
}

// ---- one compiled form for each processor

template <class T, class... Arguments>
JACQUARD_TARGET_AVX2 void tiny_avx2(Arguments... arguments) {
  tiny_body<T>(arguments...);
}
template <class T, class... Arguments>
JACQUARD_TARGET_AVX512 void tiny_avx512(Arguments... arguments) {
  tiny_body<T>(arguments...);
}
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
void tiny_product(std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                  const StridedMatrix<T>& a, const StridedMatrix<T>& b, T beta, T* c,
                  std::int64_t c_leading) {
  switch (simd()) {
    case Simd::kAvx512:
      return tiny_avx512<T>(m, n, k, alpha, a, b, beta, c, c_leading);
    case Simd::kAvx2:
      return tiny_avx2<T>(m, n, k, alpha, a, b, beta, c, c_leading);
    case Simd::kBaseline:
      return tiny_body<T>(m, n, k, alpha, a, b, beta, c, c_leading);
  }
}

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

template <class T>
void transpose(std::int64_t rows, std::int64_t columns, const T* from, T* to,
               std::int64_t leading) {
  constexpr std::int64_t kBlock = kTransposedBlock<T>;
  constexpr std::int64_t kLine = 64 / sizeof(T);  // rows of `to` are written by cache lines
  const std::int64_t whole_rows = rows / kBlock * kBlock;
  for (std::int64_t line = 0; line < whole_rows; line += kLine) {
    const std::int64_t end = std::min(line + kLine, whole_rows);
    for (std::int64_t j = 0; j < columns; j += kBlock) {
      for (std::int64_t i = line; i < end; i += kBlock) {
        transpose_block(from + i * leading + j, to + j * leading + i, leading);
      }
    }
  }
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = whole_rows; i < rows; ++i) to[j * leading + i] = from[i * leading + j];
  }
}

template void tiny_product(std::int64_t, std::int64_t, std::int64_t, float,
                           const StridedMatrix<float>&, const StridedMatrix<float>&, float, float*,
                           std::int64_t);
template void tiny_product(std::int64_t, std::int64_t, std::int64_t, double,
                           const StridedMatrix<double>&, const StridedMatrix<double>&, double,
                           double*, std::int64_t);
template void matrix_vector(std::int64_t, std::int64_t, float, const StridedMatrix<float>&,
                            const float*, std::int64_t, float, float*, std::int64_t);
template void matrix_vector(std::int64_t, std::int64_t, double, const StridedMatrix<double>&,
                            const double*, std::int64_t, double, double*, std::int64_t);
template <class T>
void mirror(std::int64_t size, T* c, std::int64_t leading) {
  constexpr std::int64_t kBlock = kTransposedBlock<T>;
  for (std::int64_t first = 0; first < size; first += kBlock) {
    const std::int64_t end = std::min(first + kBlock, size);
    for (std::int64_t i = first + 1; i < end; ++i) {
      for (std::int64_t j = first; j < i; ++j) c[j * leading + i] = c[i * leading + j];
    }
    transpose(size - end, end - first, c + end * leading + first, c + first * leading + end,
              leading);
  }
}

template void transpose(std::int64_t, std::int64_t, const float*, float*, std::int64_t);
template void transpose(std::int64_t, std::int64_t, const double*, double*, std::int64_t);
template void mirror(std::int64_t, float*, std::int64_t);
template void mirror(std::int64_t, double*, std::int64_t);

}  // namespace jacquard
