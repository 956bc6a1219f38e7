// What the programs by hand are made of: kernels over rows, compiled for each kind of vector
// instructions and chosen at run time, with an exponential of their own.
//
// A kernel is a struct with `template <bool kFused, class T> static void run(...)`, always inlined;
// kFused says that the machine multiplies and adds in one instruction. Loops over columns are plain
// so that both compilers make vectors of them; pointers are __restrict for the same reason.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "autodiff/number.hpp"
#include "autodiff/pool.hpp"
#include "autodiff/simd.hpp"

namespace jacquard::benchmarks {

// Every processor with AVX2 that is still in use also has fma.
template <class Kernel, class... Arguments>
[[gnu::target("avx2,fma")]] void as_avx2(Arguments... arguments) {
  Kernel::template run<true>(arguments...);
}
template <class Kernel, class... Arguments>
[[gnu::target("avx512f,avx512vl,avx512dq,fma")]] void as_avx512(Arguments... arguments) {
  Kernel::template run<true>(arguments...);
}
template <class Kernel, class... Arguments>
void on_this_machine(Arguments... arguments) {
  if (simd() == Simd::kAvx512) return as_avx512<Kernel>(arguments...);
  if (simd() == Simd::kAvx2) return as_avx2<Kernel>(arguments...);
  Kernel::template run<false>(arguments...);
}

// a b + c
template <bool kFused, class T>
[[gnu::always_inline]] inline T multiply_add(T a, T b, T c) {
  if constexpr (!kFused)
    return a * b + c;
  else if constexpr (std::is_same_v<T, float>)
    return __builtin_fmaf(a, b, c);
  else
    return __builtin_fma(a, b, c);
}

// x, or the nearer end of [-87, 87], within which floats have an exponential on both sides of 0. By
// the order of bits: positive floats are ordered as integers, negative ones against the order of
// unsigned integers above them. Each bound is one instruction then; of floats g++ 12 makes two.
template <class T>
[[gnu::always_inline]] inline T clamped(T x) {
  if constexpr (std::is_same_v<T, float>) {
    const auto upper = std::bit_cast<std::int32_t>(87.0f);
    const auto lower = std::bit_cast<std::uint32_t>(-87.0f);
    const auto from_above = std::bit_cast<std::int32_t>(x);
    const auto bits = static_cast<std::uint32_t>(from_above < upper ? from_above : upper);
    return std::bit_cast<float>(bits < lower ? bits : lower);
  } else {
    return x < -87 ? T(-87) : x > 87 ? T(87) : x;
  }
}

// exp(x) for x in [-87, 87]. In float x = n log 2 + r, and exp(r) is
// 1 + r + r^2 q(r) with q interpolated at the Chebyshev nodes of |r| <= log(2) / 2: off by 1e-8,
// with its rounding by 2e-7. Double, for tests, is the library's.
template <bool kFused, class T>
[[gnu::always_inline]] inline T exponential(T x) {
  if constexpr (!std::is_same_v<T, float>) {
    return number::exp(x);
  } else {
    constexpr float kRound = 0x1.8p23f;  // the sum's last bit is worth 1: it holds n
    constexpr float kLog2High = 0.693359375f, kLog2Low = -2.12194440e-4f;
    const float shifted = multiply_add<kFused>(x, 1.44269504f, kRound);
    const float n = shifted - kRound;
    float r = multiply_add<kFused>(-n, kLog2High, x);
    r = multiply_add<kFused>(-n, kLog2Low, r);
    float q = multiply_add<kFused>(1.39261761e-3f, r, 8.36317307e-3f);
    q = multiply_add<kFused>(q, r, 4.16665547e-2f);
    q = multiply_add<kFused>(q, r, 1.66665770e-1f);
    q = multiply_add<kFused>(q, r, 0.5f);
    const float power = multiply_add<kFused>(q, r * r, r) + 1.0f;
    return std::bit_cast<float>(std::bit_cast<std::uint32_t>(power) +
                                (std::bit_cast<std::uint32_t>(shifted) << 23));
  }
}

template <bool kFused, class T>
[[gnu::always_inline]] inline T logistic(T x) {
  return T(1) / (T(1) + exponential<kFused>(-clamped(x)));
}

// number < 0 ? yes : no, where -0 may count as negative. By bits: g++ 12 makes branches of choices
// between floats.
template <class T>
[[gnu::always_inline]] inline T if_negative(T number, T yes, T no) {
  if constexpr (std::is_same_v<T, float>) {
    const std::uint32_t mask = 0u - (std::bit_cast<std::uint32_t>(number) >> 31);
    return std::bit_cast<float>((std::bit_cast<std::uint32_t>(yes) & mask) |
                                (std::bit_cast<std::uint32_t>(no) & ~mask));
  } else {
    return number < 0 ? yes : no;
  }
}

// Calls strip(first, columns) for the columns of a matrix in at most eight strips of whole cache
// lines. A strip's kernel meets every row, so sums over rows are complete when it returns.
template <class Strip>
void for_each_strip(ThreadPool& pool, std::int64_t columns, const Strip& strip) {
  constexpr std::int64_t kGrain = 16;
  const std::int64_t units = (columns + kGrain - 1) / kGrain;
  const std::int64_t strips = std::min<std::int64_t>(units, 8);
  pool.run(strips, [&](std::int64_t s) {
    const std::int64_t first = units * s / strips * kGrain;
    strip(first, std::min(columns, units * (s + 1) / strips * kGrain) - first);
  });
}

}  // namespace jacquard::benchmarks
