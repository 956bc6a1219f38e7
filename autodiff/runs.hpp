// Runs: an elementwise op on neighbouring elements, from one scalar function; and the same function
// written down, of which machine code for vectors is made (recorded.hpp, vector_code.hpp).
//
// Runs are what plans execute where there is no code: for functions of the C library, on processors
// without AVX2, and on systems that let nobody make code. They are loops for the least of the
// processors, which vectorise where the function is arithmetic; functions of float, which ask for
// fused operations, call the C library for each. Both give the same bits: no operation is
// contracted, and each element is computed for itself.
#pragma once

#include "autodiff/op.hpp"
#include "autodiff/recorded.hpp"
#include "autodiff/simd.hpp"

namespace jacquard::runs {

// `Numbers` says which operands are one number for the whole run, bit by bit.
template <class F, int Arity, int Numbers, class T>
void run(T* out, const T* a, const T* b, const T* c, std::int64_t count) {
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

template <class F, int Arity, class T, int... Numbers>
constexpr RunKernels<T> forms(std::integer_sequence<int, Numbers...>) {
  return {run<F, Arity, Numbers, T>...};
}

template <class F, int Arity, class T>
const Recording& recording() {
  static const Recording result = recorded<F, Arity, T>();
  return result;
}

template <class F, int Arity>
inline constexpr Runs kRuns = {
    forms<F, Arity, float>(std::make_integer_sequence<int, 1 << Arity>()),
    forms<F, Arity, double>(std::make_integer_sequence<int, 1 << Arity>()),
    recording<F, Arity, float>, recording<F, Arity, double>};

template <class T>
const RunKernels<T>& of(const Runs& runs);
template <>
inline const RunKernels<float>& of(const Runs& runs) {
  return runs.float_kernels;
}
template <>
inline const RunKernels<double>& of(const Runs& runs) {
  return runs.double_kernels;
}

template <class T>
const Recording& recording_of(const Runs& runs) {
  return sizeof(T) == 4 ? runs.float_recording() : runs.double_recording();
}

}  // namespace jacquard::runs
