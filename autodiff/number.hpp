// The number types of the engine and the functions that kernels use on them.
//
// float trains, double verifies, Quad (IEEE binary128) is the reference that both are judged by.
// The standard library knows nothing of __float128 with -std=c++20, so kernels call the functions
// of namespace `number` and the traits below, never std:: ones; the libquadmath functions are
// declared here because only one of the supported compilers ships their header.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

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
T abs(T x) {
  return std::abs(x);
}
template <class T>
T exp(T x) {
  return std::exp(x);
}
template <class T>
T expm1(T x) {
  return std::expm1(x);
}
template <class T>
T log(T x) {
  return std::log(x);
}
template <class T>
T log1p(T x) {
  return std::log1p(x);
}
template <class T>
T sqrt(T x) {
  return std::sqrt(x);
}
template <class T>
T sin(T x) {
  return std::sin(x);
}
template <class T>
T cos(T x) {
  return std::cos(x);
}
template <class T>
T tanh(T x) {
  return std::tanh(x);
}
template <class T>
T erf(T x) {
  return std::erf(x);
}
template <class T>
T pow(T x, T y) {
  return std::pow(x, y);
}

template <>
inline Quad abs(Quad x) {
  return fabsq(x);
}
template <>
inline Quad exp(Quad x) {
  return expq(x);
}
template <>
inline Quad expm1(Quad x) {
  return expm1q(x);
}
template <>
inline Quad log(Quad x) {
  return logq(x);
}
template <>
inline Quad log1p(Quad x) {
  return log1pq(x);
}
template <>
inline Quad sqrt(Quad x) {
  return sqrtq(x);
}
template <>
inline Quad sin(Quad x) {
  return sinq(x);
}
template <>
inline Quad cos(Quad x) {
  return cosq(x);
}
template <>
inline Quad tanh(Quad x) {
  return tanhq(x);
}
template <>
inline Quad erf(Quad x) {
  return erfq(x);
}
template <>
inline Quad pow(Quad x, Quad y) {
  return powq(x, y);
}

template <class T>
bool is_finite(T x) {
  return x - x == T(0);  // infinities and NaN give NaN; holds without a library for every T
}

// 1 / (1 + exp(-x)) without overflow on either side.
template <class T>
T sigmoid(T x) {
  const T z = exp(-abs(x));
  return (x >= T(0) ? T(1) : z) / (T(1) + z);
}

// log(1 + exp(x)) with full relative accuracy for large |x|.
template <class T>
T softplus(T x) {
  return (x > T(0) ? x : T(0)) + log1p(exp(-abs(x)));
}

}  // namespace number
}  // namespace jacquard
