// The functions of double_functions.hpp for float, under the same rules but for one. Each is
// computed in double and rounded once, at the end: within 0.55 units in the last place, in order
// wherever the function is, and in fewer operations than sums of two floats take, though a vector
// holds half as many doubles. Every float is a normal double, which spares the cases at both ends
// of the range.
//
// Multiplications and additions are fused by name, into one operation that rounds once. Where the
// processor has none, the C library computes the same number, slowly.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "autodiff/double_functions.hpp"

namespace jacquard::number::branch_free {

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;

// a b + c, rounded once.
[[gnu::always_inline]] inline double fused(double a, double b, double c) {
  return __builtin_fma(a, b, c);
}

// x, but no further from 0 than `most`; NaN stays. By the bits, of which those of NaN are moved
// below all others: g++ 12 makes many more operations of comparisons and choices.
[[gnu::always_inline]] inline double limited(float x, float most) {
  constexpr std::uint32_t kSign = 0x80000000, kSmallestNan = 0x7f800001;
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(x);
  const std::uint32_t size = (bits & ~kSign) - kSmallestNan;
  const std::uint32_t limit = std::bit_cast<std::uint32_t>(most) - kSmallestNan;
  return static_cast<double>(
      std::bit_cast<float>(((size < limit ? size : limit) + kSmallestNan) | (bits & kSign)));
}

// e to powers beyond it is no float but 0 or infinity, and well within the range of double.
inline constexpr float kLargestPower = 110;

// A polynomial by pairs of coefficients: half as long a chain of dependent operations as Horner's.
template <std::size_t First = 0, std::size_t N>
[[gnu::always_inline]] inline double in_pairs(double x, double square,
                                              const double (&coefficients)[N]) {
  if constexpr (First + 1 == N) {
    return coefficients[First];
  } else {
    const double pair = fused(coefficients[First + 1], x, coefficients[First]);
    if constexpr (First + 2 == N)
      return pair;
    else
      return fused(square, in_pairs<First + 2>(x, square, coefficients), pair);
  }
}

// exp(x) = scale (1 + rest).
struct Scaled {
  double scale, rest;
};

// For |x| <= 700. `coefficients` is (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2.
template <std::size_t N>
[[gnu::always_inline]] inline Scaled scaled_exponential(double x, const double (&coefficients)[N]) {
  constexpr double kBiased = kRound + static_cast<double>(kBias);
  const double shifted = fused(x, kLog2e, kBiased);  // its last bits are the biased exponent
  const double r = fused(kBiased - shifted, kLn2, x), square = r * r;
  return {std::bit_cast<double>(std::bit_cast<Bits>(shifted) << kMantissaBits),
          fused(square, in_pairs(r, square, coefficients), r)};
}

// 2^-28 of exp(r).
inline constexpr double kExpForFloat[] = {0x1.fffffb9add24cp-2, 0x1.55549167624c6p-3,
                                          0x1.5558f135d6028p-5, 0x1.1239d3f14df87p-7,
                                          0x1.6a2440b85cf23p-10};
// 2^-31 of exp(r) - 1.
inline constexpr double kExpm1ForFloat[] = {0x1.0000002d8c616p-1,  0x1.555555a64ffb4p-3,
                                            0x1.55549f0a806bfp-5,  0x1.11101dc81eca4p-7,
                                            0x1.6d8338650750fp-10, 0x1.a2a2f8da12c0ap-13};

// 2 artanh(s) from its polynomial in s^2 beyond the first term.
template <std::size_t N>
[[gnu::always_inline]] inline double twice_artanh(double s, const double (&coefficients)[N]) {
  const double square = s * s;
  return fused(s * square, in_pairs(square, square * square, coefficients), 2.0 * s);
}

// power ln 2 + log(1 + fraction).
[[gnu::always_inline]] inline double short_logarithm(double power, double fraction) {
  // |s| <= 3 - sqrt(8): 2^-30.
  constexpr double kLogForFloat[] = {0x1.55557a0cc7941p-1, 0x1.995ecf608313dp-2,
                                     0x1.31e0e8baa10d9p-2};
  return fused(power, kLn2, twice_artanh(fraction / (2.0 + fraction), kLogForFloat));
}

[[gnu::always_inline]] inline float exp(float number) {
  const double x = limited(number, kLargestPower);
  const Scaled e = scaled_exponential(x, kExpForFloat);
  return static_cast<float>(fused(e.scale, e.rest, e.scale));
}

[[gnu::always_inline]] inline float expm1(float number) {
  const double x = limited(number, kLargestPower);
  const Scaled e = scaled_exponential(x, kExpm1ForFloat);
  return static_cast<float>(with_sign(magnitude(fused(e.scale, e.rest, e.scale - 1.0)), x));
}

[[gnu::always_inline]] inline float log(float number) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double x = static_cast<double>(number);
  const Decomposition parts = decompose(x);
  const double finite = x < kInfinity ? short_logarithm(parts.power, parts.fraction) : x;
  return static_cast<float>(x > 0.0    ? finite
                            : x == 0.0 ? -kInfinity
                                       : std::numeric_limits<double>::quiet_NaN());
}

[[gnu::always_inline]] inline float log1p(float number) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const double x = static_cast<double>(number);
  const Decomposition parts = decompose(1.0 + x);
  // The sum loses digits of a small x, but needs none there.
  const double value = short_logarithm(parts.power, parts.power == 0.0 ? x : parts.fraction);
  const double finite = x < kInfinity ? with_sign(magnitude(value), x) : x;
  return static_cast<float>(x > -1.0    ? finite
                            : x == -1.0 ? -kInfinity
                                        : std::numeric_limits<double>::quiet_NaN());
}

// -u / (2 + u) with u = exp(-2 |x|) - 1, which keeps its digits near 0.
[[gnu::always_inline]] inline float tanh(float number) {
  const double x = limited(number, kLargestPower);
  const Scaled e = scaled_exponential(-2.0 * magnitude(x), kExpm1ForFloat);
  const double u = fused(e.scale, e.rest, e.scale - 1.0);
  return static_cast<float>(with_sign(magnitude(u / (2.0 + u)), x));
}

// 1 / (1 + exp(-x)).
[[gnu::always_inline]] inline float sigmoid(float number) {
  const double x = limited(number, kLargestPower);
  const Scaled e = scaled_exponential(-x, kExpForFloat);
  return static_cast<float>(1.0 / fused(e.scale, e.rest, 1.0 + e.scale));
}

// max(x, 0) + log(1 + z) with z = exp(-|x|).
[[gnu::always_inline]] inline float softplus(float number) {
  // s = z / (2 + z) <= 1/3: 2^-33.
  constexpr double kLog1p[] = {0x1.5555584cbce9cp-1, 0x1.9996af2723d76p-2, 0x1.2508bd565e310p-2,
                               0x1.b6e5bc33c3ba5p-3, 0x1.f17746108d6b3p-3};
  const double x = static_cast<double>(number);
  const Scaled e = scaled_exponential(-magnitude(limited(number, kLargestPower)), kExpForFloat);
  const double z = fused(e.scale, e.rest, e.scale);
  return static_cast<float>((x > 0.0 ? x : 0.0) + twice_artanh(z / (2.0 + z), kLog1p));
}

// 1 - exp(y) with y = log(1 - erf(x)), which near 0 is proportional to x.
[[gnu::always_inline]] inline float erf(float number) {
  // log(1 - erf(x)) / x for 0 < x <= 4: 2^-31 of erf(x).
  constexpr double kLogOfRest[] = {
      -0x1.20dd7502278a7p+0, -0x1.45f308f305d7fp-1,  -0x1.a4f37e9f5d4f5p-4, 0x1.39396bfe33decp-6,
      0x1.095aef0612507p-12, -0x1.d7b0b93873951p-10, 0x1.8455621d85e93p-11, -0x1.5f3c0346170aap-13,
      0x1.6645f0ee4db73p-16, -0x1.4053d7e108af2p-20};
  const double x = static_cast<double>(number), size = magnitude(limited(number, 4));
  const Scaled e =
      scaled_exponential(size * in_pairs(size, size * size, kLogOfRest), kExpm1ForFloat);
  return static_cast<float>(with_sign(fused(-e.scale, e.rest, 1.0 - e.scale), x));
}

}  // namespace jacquard::number::branch_free
