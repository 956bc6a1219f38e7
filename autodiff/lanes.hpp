// What the functions of number.hpp are written with beside the operators, for plain numbers. Those
// of recorded ones are in recorded.hpp and named alike: one text serves both.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>

namespace jacquard {

template <class T>
class Recorded;

template <class T>
concept AnyFloat = std::same_as<T, float> || std::same_as<T, Recorded<float>>;
template <class T>
concept AnyDouble = std::same_as<T, double> || std::same_as<T, Recorded<double>>;

// Both operands are computed in any case.
template <class T>
[[gnu::always_inline]] inline T choose(bool which, T yes, T no) {
  return which ? yes : no;
}

// a b + c, rounded once.
[[gnu::always_inline]] inline double fused(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}

template <std::floating_point T>
[[gnu::always_inline]] inline T at_least(T lowest, T x) {  // NaN stays
  return x < lowest ? lowest : x;
}
template <std::floating_point T>
[[gnu::always_inline]] inline T at_most(T highest, T x) {  // NaN stays
  return x > highest ? highest : x;
}

[[gnu::always_inline]] inline std::uint32_t bits_of(float x) {
  return std::bit_cast<std::uint32_t>(x);
}
[[gnu::always_inline]] inline std::uint64_t bits_of(double x) {
  return std::bit_cast<std::uint64_t>(x);
}
[[gnu::always_inline]] inline float number_of(std::uint32_t bits) {
  return std::bit_cast<float>(bits);
}
[[gnu::always_inline]] inline double number_of(std::uint64_t bits) {
  return std::bit_cast<double>(bits);
}

[[gnu::always_inline]] inline double widened(float x) { return static_cast<double>(x); }
[[gnu::always_inline]] inline float narrowed(double x) { return static_cast<float>(x); }

}  // namespace jacquard
