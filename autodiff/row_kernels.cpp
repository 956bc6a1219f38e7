#include "autodiff/row_kernels.hpp"

#include <array>
#include <cstring>

#include "autodiff/simd.hpp"
#include "autodiff/tile_sums.hpp"

namespace jacquard {
namespace {

// Fewer than 2 * Half numbers, without a call of the library, which takes longer than the copy.
template <std::size_t Half, class T>
[[gnu::always_inline]] inline void copy_rest(T* to, const T* from, std::size_t count) {
  if ((count & Half) != 0) {
    std::memcpy(to, from, Half * sizeof(T));
    to += Half;
    from += Half;
  }
  if constexpr (Half > 1) copy_rest<Half / 2>(to, from, count);
}

// The bodies; each kind of processor has one compiled form of all.
template <class T>
struct Bodies {
  using Size = std::int64_t;
  [[gnu::always_inline]] static void add_sums(double* to, Size step, const T* from, Size rows,
                                              Size columns) {
    for (; rows > 0; --rows, to += step, from += columns) sums::add_sum(to, from, columns);
  }
  [[gnu::always_inline]] static void add_rows(double* to, Size step, const T* from, Size rows,
                                              Size columns) {
    for (; rows > 0; --rows, to += step, from += columns) {
      JACQUARD_INDEPENDENT
      for (Size i = 0; i < columns; ++i) to[i] += static_cast<double>(from[i]);
    }
  }
  [[gnu::always_inline]] static void copy(T* to, const T* from, Size step, Size rows,
                                          Size columns) {
    constexpr Size kBlock = 32 / sizeof(T);
    for (; rows > 0; --rows, to += columns, from += step) {
      Size i = 0;
      for (; i + kBlock <= columns; i += kBlock) std::memcpy(to + i, from + i, 32);
      copy_rest<kBlock / 2>(to + i, from + i, static_cast<std::size_t>(columns - i));
    }
  }
  [[gnu::always_inline]] static void spread(T* to, const T* from, Size step, Size rows,
                                            Size columns) {
    for (; rows > 0; --rows, to += columns, from += step) {
      const T number = *from;
      JACQUARD_INDEPENDENT
      for (Size i = 0; i < columns; ++i) to[i] = number;
    }
  }
  [[gnu::always_inline]] static void round(T* to, const double* from, Size count) {
    JACQUARD_INDEPENDENT
    for (Size i = 0; i < count; ++i) to[i] = static_cast<T>(from[i]);
  }
};

#define JACQUARD_ROW_KERNELS(kind, target)                                                       \
  template <class T>                                                                             \
  struct kind {                                                                                  \
    using Size = std::int64_t;                                                                   \
    target static void add_sums(double* to, Size step, const T* from, Size rows, Size columns) { \
      Bodies<T>::add_sums(to, step, from, rows, columns);                                        \
    }                                                                                            \
    target static void add_rows(double* to, Size step, const T* from, Size rows, Size columns) { \
      Bodies<T>::add_rows(to, step, from, rows, columns);                                        \
    }                                                                                            \
    target static void copy(T* to, const T* from, Size step, Size rows, Size columns) {          \
      Bodies<T>::copy(to, from, step, rows, columns);                                            \
    }                                                                                            \
    target static void spread(T* to, const T* from, Size step, Size rows, Size columns) {        \
      Bodies<T>::spread(to, from, step, rows, columns);                                          \
    }                                                                                            \
    target static void round(T* to, const double* from, Size count) {                            \
      Bodies<T>::round(to, from, count);                                                         \
    }                                                                                            \
    static constexpr RowKernels<T> all() { return {add_sums, add_rows, copy, spread, round}; }   \
  };
JACQUARD_ROW_KERNELS(Baseline, )
JACQUARD_ROW_KERNELS(Avx2, JACQUARD_TARGET_AVX2)
JACQUARD_ROW_KERNELS(Avx512, JACQUARD_TARGET_AVX512)
#undef JACQUARD_ROW_KERNELS

template <class T>
constexpr std::array<RowKernels<T>, 3> kRowKernels = {Baseline<T>::all(), Avx2<T>::all(),
                                                      Avx512<T>::all()};

}  // namespace

template <class T>
const RowKernels<T>& row_kernels() {
  return kRowKernels<T>[static_cast<std::size_t>(simd())];
}
template const RowKernels<float>& row_kernels<float>();
template const RowKernels<double>& row_kernels<double>();

}  // namespace jacquard
