// Runs: an elementwise op on neighbouring elements, from one scalar function, compiled for each
// kind of processor.
//
// The loops vectorise because the functions of number.hpp have no branches (but for functions of
// float in the baseline, which call for fused operations). All kinds give the same bits: no
// operation is contracted, and each element is computed for itself.
#pragma once

#include "autodiff/op.hpp"
#include "autodiff/simd.hpp"

// For the scalar function of an op: it is to become part of the loops below.
#define JACQUARD_INLINE __attribute__((always_inline))

// Elements of a loop do not depend on each other, also where the result is written over an operand.
#if defined(__clang__)
#define JACQUARD_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define JACQUARD_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace jacquard::runs {

// `Numbers` says which operands are one number for the whole run, bit by bit.
template <class F, int Arity, int Numbers, class T>
[[gnu::always_inline]] inline void body(T* out, const T* a, const T* b, const T* c,
                                        std::int64_t count) {
  constexpr int ka = Numbers & 1 ? 0 : 1, kb = Numbers & 2 ? 0 : 1, kc = Numbers & 4 ? 0 : 1;
  const T first = *a;
  const T second = Arity > 1 ? *b : T(0), third = Arity > 2 ? *c : T(0);
  JACQUARD_INDEPENDENT
  for (std::int64_t i = 0; i < count; ++i) {
    if constexpr (Arity == 1)
      out[i] = F{}(ka ? a[i] : first);
    else if constexpr (Arity == 2)
      out[i] = F{}(ka ? a[i] : first, kb ? b[i] : second);
    else
      out[i] = F{}(ka ? a[i] : first, kb ? b[i] : second, kc ? c[i] : third);
  }
}

template <class F, int Arity, int Numbers, class T>
void baseline(T* out, const T* a, const T* b, const T* c, std::int64_t count) {
  body<F, Arity, Numbers>(out, a, b, c, count);
}
template <class F, int Arity, int Numbers, class T>
JACQUARD_TARGET_AVX2 void avx2(T* out, const T* a, const T* b, const T* c, std::int64_t count) {
  body<F, Arity, Numbers>(out, a, b, c, count);
}
template <class F, int Arity, int Numbers, class T>
JACQUARD_TARGET_AVX512 void avx512(T* out, const T* a, const T* b, const T* c, std::int64_t count) {
  body<F, Arity, Numbers>(out, a, b, c, count);
}

template <class F, int Arity, class T, int... Numbers>
constexpr std::array<RunKernels<T>, 3> forms(std::integer_sequence<int, Numbers...>) {
  std::array<RunKernels<T>, 3> kinds{};
  ((kinds[0][Numbers] = baseline<F, Arity, Numbers, T>), ...);
  ((kinds[1][Numbers] = avx2<F, Arity, Numbers, T>), ...);
  ((kinds[2][Numbers] = avx512<F, Arity, Numbers, T>), ...);
  return kinds;
}

template <class F, int Arity>
inline constexpr Runs kRuns = {
    forms<F, Arity, float>(std::make_integer_sequence<int, 1 << Arity>()),
    forms<F, Arity, double>(std::make_integer_sequence<int, 1 << Arity>())};

template <class T>
const RunKernels<T>& of(const Runs& runs, Simd kind);
template <>
inline const RunKernels<float>& of(const Runs& runs, Simd kind) {
  return runs.float_kernels[static_cast<std::size_t>(kind)];
}
template <>
inline const RunKernels<double>& of(const Runs& runs, Simd kind) {
  return runs.double_kernels[static_cast<std::size_t>(kind)];
}

}  // namespace jacquard::runs
