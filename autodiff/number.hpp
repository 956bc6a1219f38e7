// The number types of the engine and the functions that kernels use on them.
//
// float trains, double verifies, Quad (IEEE binary128) is the reference that both are judged by.
// The standard library knows nothing of __float128 with -std=c++20, so kernels call the functions
// of namespace `number` and the traits below, never std:: ones; the libquadmath functions are
// declared here because only one of the supported compilers ships their header. Functions of float
// and double take recorded numbers as well (recorded.hpp).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "autodiff/float_functions.hpp"

namespace jacquard {

__extension__ typedef __float128 Quad;

extern "C" {
Quad fabsq(Quad) noexcept;
Quad expq(Quad) noexcept;
Quad expm1q(Quad) noexcept;
Quad logq(Quad) noexcept;
Quad log1pq(Quad) noexcept;
Quad sqrtq(Quad) noexcept;
Quad sinq(Quad) noexcept;
Quad cosq(Quad) noexcept;
Quad tanhq(Quad) noexcept;
Quad erfq(Quad) noexcept;
Quad powq(Quad, Quad) noexcept;
}

namespace number {

// Relative spacing of numbers next to 1.
template <class T>
constexpr T epsilon() {
  return std::numeric_limits<T>::epsilon();
}
template <>
constexpr Quad epsilon<Quad>() {
  return static_cast<Quad>(1.0 / 72057594037927936.0) / static_cast<Quad>(72057594037927936.0);
}

template <class T>
constexpr T infinity() {
  return static_cast<T>(std::numeric_limits<double>::infinity());
}

template <class T>
inline constexpr bool is_quad = std::is_same_v<T, Quad>;

template <class T>
[[gnu::always_inline]] inline T abs(T x) {
  if constexpr (is_quad<T>) {
    return fabsq(x);
  } else {
    using std::abs;
    return abs(x);
  }
}
template <class T>
[[gnu::always_inline]] inline T sqrt(T x) {
  if constexpr (is_quad<T>) {
    return sqrtq(x);
  } else {
    using std::sqrt;
    return sqrt(x);
  }
}
template <class T>
[[gnu::always_inline]] inline T exp(T x) {
  if constexpr (is_quad<T>)
    return expq(x);
  else
    return branch_free::exp(x);
}
template <class T>
[[gnu::always_inline]] inline T expm1(T x) {
  if constexpr (is_quad<T>)
    return expm1q(x);
  else
    return branch_free::expm1(x);
}
template <class T>
[[gnu::always_inline]] inline T log(T x) {
  if constexpr (is_quad<T>)
    return logq(x);
  else
    return branch_free::log(x);
}
template <class T>
[[gnu::always_inline]] inline T log1p(T x) {
  if constexpr (is_quad<T>)
    return log1pq(x);
  else
    return branch_free::log1p(x);
}
template <class T>
[[gnu::always_inline]] inline T tanh(T x) {
  if constexpr (is_quad<T>)
    return tanhq(x);
  else
    return branch_free::tanh(x);
}
template <class T>
[[gnu::always_inline]] inline T erf(T x) {
  if constexpr (is_quad<T>)
    return erfq(x);
  else
    return branch_free::erf(x);
}
template <class T>
[[gnu::always_inline]] inline T sin(T x) {
  if constexpr (is_quad<T>) {
    return sinq(x);
  } else {
    using std::sin;
    return sin(x);
  }
}
template <class T>
[[gnu::always_inline]] inline T cos(T x) {
  if constexpr (is_quad<T>) {
    return cosq(x);
  } else {
    using std::cos;
    return cos(x);
  }
}
template <class T>
T pow(T x, T y) {
  if constexpr (is_quad<T>) {
    return powq(x, y);
  } else {
    using std::pow;
    return pow(x, y);
  }
}

template <class T>
bool is_finite(T x) {
  return x - x == T(0);  // infinities and NaN give NaN; holds without a library for every T
}

// 1 / (1 + exp(-x)) without overflow on either side.
template <class T>
[[gnu::always_inline]] inline T sigmoid(T x) {
  if constexpr (is_quad<T>) {
    const T z = exp(-abs(x));
    return (x >= T(0) ? T(1) : z) / (T(1) + z);
  } else {
    return branch_free::sigmoid(x);
  }
}

// log(1 + exp(x)) with full relative accuracy for large |x|.
template <class T>
[[gnu::always_inline]] inline T softplus(T x) {
  if constexpr (is_quad<T>)
    return (x > T(0) ? x : T(0)) + log1p(exp(-abs(x)));
  else
    return branch_free::softplus(x);
}

}  // namespace number
}  // namespace jacquard
