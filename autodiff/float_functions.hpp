// The functions of double_functions.hpp for float, under the same rules but for one. Each is
// computed in double and rounded once, at the end: within 0.55 units in the last place, in order
// wherever the function is, and in fewer operations than sums of two floats take, though a vector
// holds half as many doubles. Every float is a normal double, which spares the cases at both ends
// of the range.
//
// Multiplications and additions are fused by name, into one operation that rounds once. Where the
// processor has none, the C library computes the same number, slowly.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "autodiff/double_functions.hpp"

namespace jacquard::number::branch_free {

inline constexpr double kLn2 = 0x1.62e42fefa39efp-1;

// x, but no further from 0 than `most`; NaN stays.
template <AnyFloat F>
[[gnu::always_inline]] inline auto limited(F x, float most) {
  return widened(at_most(most, at_least(-most, x)));
}

// e to powers beyond it is no float but 0 or infinity, and well within the range of double.
inline constexpr float kLargestPower = 110;

// A polynomial by pairs of coefficients: half as long a chain of dependent operations as Horner's.
template <std::size_t First = 0, AnyDouble D, std::size_t N>
[[gnu::always_inline]] inline D in_pairs(D x, D square, const double (&coefficients)[N]) {
  if constexpr (First + 1 == N) {
    return D(coefficients[First]);
  } else if constexpr (First + 2 == N) {
    return fused(D(coefficients[First + 1]), x, D(coefficients[First]));
  } else {
    const D rest = in_pairs<First + 2>(x, square, coefficients);
    return fused(square, rest, fused(D(coefficients[First + 1]), x, D(coefficients[First])));
  }
}

// exp(x) = scale (1 + rest).
template <class D>
struct Scaled {
  D scale, rest;
};

// For |x| <= 700. `coefficients` is (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2.
template <AnyDouble D, std::size_t N>
[[gnu::always_inline]] inline Scaled<D> scaled_exponential(D x, const double (&coefficients)[N]) {
  constexpr double kBiased = kRound + static_cast<double>(kBias);
  const D shifted = fused(x, D(kLog2e), D(kBiased));  // its last bits are the biased exponent
  const D r = fused(kBiased - shifted, D(kLn2), x), square = r * r;
  return {number_of(bits_of(shifted) << kMantissaBits),
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
template <AnyDouble D, std::size_t N>
[[gnu::always_inline]] inline D twice_artanh(D s, const double (&coefficients)[N]) {
  const D square = s * s;
  return fused(s * square, in_pairs(square, square * square, coefficients), 2.0 * s);
}

// power ln 2 + log(1 + fraction).
template <AnyDouble D>
[[gnu::always_inline]] inline D short_logarithm(D power, D fraction) {
  // |s| <= 3 - sqrt(8): 2^-30.
  constexpr double kLogForFloat[] = {0x1.55557a0cc7941p-1, 0x1.995ecf608313dp-2,
                                     0x1.31e0e8baa10d9p-2};
  return fused(power, D(kLn2), twice_artanh(fraction / (2.0 + fraction), kLogForFloat));
}

template <AnyFloat F>
[[gnu::always_inline]] inline F exp(F number) {
  const auto e = scaled_exponential(limited(number, kLargestPower), kExpForFloat);
  return narrowed(fused(e.scale, e.rest, e.scale));
}

template <AnyFloat F>
[[gnu::always_inline]] inline F expm1(F number) {
  const auto x = limited(number, kLargestPower);
  const auto e = scaled_exponential(x, kExpm1ForFloat);
  return narrowed(with_sign(magnitude(fused(e.scale, e.rest, e.scale - 1.0)), x));
}

template <AnyFloat F>
[[gnu::always_inline]] inline F log(F number) {
  const auto x = widened(number);
  const auto parts = decompose(x);
  return narrowed(limited_logarithm(short_logarithm(parts.power, parts.fraction), x, 0.0));
}

template <AnyFloat F>
[[gnu::always_inline]] inline F log1p(F number) {
  const auto x = widened(number);
  const auto parts = decompose(1.0 + x);
  // The sum loses digits of a small x, but needs none there.
  const auto fraction = choose(parts.power == 0.0, x, parts.fraction);
  const auto value = short_logarithm(parts.power, fraction);
  return narrowed(limited_logarithm(with_sign(magnitude(value), x), x, -1.0));
}

// -u / (2 + u) with u = exp(-2 |x|) - 1, which keeps its digits near 0.
template <AnyFloat F>
[[gnu::always_inline]] inline F tanh(F number) {
  const auto x = limited(number, kLargestPower);
  const auto e = scaled_exponential(-2.0 * magnitude(x), kExpm1ForFloat);
  const auto u = fused(e.scale, e.rest, e.scale - 1.0);
  return narrowed(with_sign(magnitude(u / (2.0 + u)), x));
}

// 1 / (1 + exp(-x)).
template <AnyFloat F>
[[gnu::always_inline]] inline F sigmoid(F number) {
  const auto e = scaled_exponential(limited(-number, kLargestPower), kExpForFloat);
  return narrowed(1.0 / fused(e.scale, e.rest, 1.0 + e.scale));
}

// max(x, 0) + log(1 + z) with z = exp(-|x|).
template <AnyFloat F>
[[gnu::always_inline]] inline F softplus(F number) {
  // s = z / (2 + z) <= 1/3: 2^-33.
  constexpr double kLog1p[] = {0x1.5555584cbce9cp-1, 0x1.9996af2723d76p-2, 0x1.2508bd565e310p-2,
                               0x1.b6e5bc33c3ba5p-3, 0x1.f17746108d6b3p-3};
  const auto e = scaled_exponential(-magnitude(limited(number, kLargestPower)), kExpForFloat);
  const auto z = fused(e.scale, e.rest, e.scale);
  return narrowed(at_least(0.0, widened(number)) + twice_artanh(z / (2.0 + z), kLog1p));
}

// 1 - exp(y) with y = log(1 - erf(x)), which near 0 is proportional to x.
template <AnyFloat F>
[[gnu::always_inline]] inline F erf(F number) {
  // log(1 - erf(x)) / x for 0 < x <= 4: 2^-31 of erf(x).
  constexpr double kLogOfRest[] = {
      -0x1.20dd7502278a7p+0, -0x1.45f308f305d7fp-1,  -0x1.a4f37e9f5d4f5p-4, 0x1.39396bfe33decp-6,
      0x1.095aef0612507p-12, -0x1.d7b0b93873951p-10, 0x1.8455621d85e93p-11, -0x1.5f3c0346170aap-13,
      0x1.6645f0ee4db73p-16, -0x1.4053d7e108af2p-20};
  const auto size = magnitude(limited(number, 4.0f));
  const auto e = scaled_exponential(size * in_pairs(size, size * size, kLogOfRest), kExpm1ForFloat);
  return narrowed(with_sign(fused(-e.scale, e.rest, 1.0 - e.scale), widened(number)));
}

}  // namespace jacquard::number::branch_free
