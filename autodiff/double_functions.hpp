// Exponentials, logarithms and activations of double without branches, tables or calls, so that
// they can be recorded as instructions of vectors (recorded.hpp), and with the same bits from every
// compiler, C library and kind of processor: only operations that IEEE 754 rounds in one way are
// used, and nothing is contracted (-ffp-contract=off). float_functions.hpp has those of float.
//
// Each function keeps its value as an unevaluated sum of two numbers and rounds it once, at the
// end. That costs few operations where the error of an addition is known (Dekker 1971, "A
// floating-point technique for extending the available precision"); the errors are listed in
// tests/autodiff/number_functions_test.cpp. The coefficients are minimax approximations of our own;
// the error stated next to each is relative to the function's value.
//
// sin, cos and pow are not among them. The first two need as many digits of 2/pi as the argument
// has exponent bits, which means a table, and no autoencoder calls them often; pow needs a
// logarithm to 65 bits and a dozen special cases.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "autodiff/lanes.hpp"

namespace jacquard::number::branch_free {

using Bits = std::uint64_t;
inline constexpr int kMantissaBits = 52;
inline constexpr Bits kBias = 1023;
inline constexpr Bits kUpperHalf = 0xfffffffff8000000;  // of the mantissa: 26 bits
inline constexpr Bits kSqrtHalf = 0x3fe6a09e667f3bcd;
inline constexpr double kUnsubnormal = 0x1p54;  // makes every subnormal number a normal one
inline constexpr double kUnsubnormalPower = 54;
inline constexpr double kRound = 0x1.8p52;  // x + kRound has the spacing 1
inline constexpr double kLog2e = 0x1.71547652b82fep0;
inline constexpr double kLn2High = 0x1.62e42fefa38p-1;  // 42 bits: times an exponent it is exact
inline constexpr double kLn2Low = 0x1.ef35793c7673p-45;
inline constexpr double kExpLowest = -746, kExpHighest = 710;  // 0 and infinity from here on
inline constexpr double kHalfOf = 700;                         // expm1 keeps half its value above
inline constexpr double kNegligible = 40;    // exp(-40) does not change a number next to 1
inline constexpr double kErfHighest = 5.95;  // 1 from here on
// (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2: 2^-60.
inline constexpr double kExp[] = {0x1p-1,
                                  0x1.5555555555559p-3,
                                  0x1.5555555555556p-5,
                                  0x1.111111110f5e8p-7,
                                  0x1.6c16c16c166f7p-10,
                                  0x1.a01a01b03dfe3p-13,
                                  0x1.a01a01a4ada1dp-16,
                                  0x1.71ddf75d1324ap-19,
                                  0x1.27e4e211d2344p-22,
                                  0x1.af6090b484b9ep-26,
                                  0x1.1f656c7cacc22p-29};
// (2 artanh(s) / s - 2) / s^2 as a polynomial in s^2, |s| <= 3 - sqrt(8): 2^-59.
inline constexpr double kLog[] = {0x1.5555555555592p-1, 0x1.999999997ff03p-2, 0x1.24924941e3875p-2,
                                  0x1.c71c5211de723p-3, 0x1.74663d8c1b59ep-3, 0x1.39a1d619cb8a1p-3,
                                  0x1.2f048ee590078p-3};
// erf(x) / x - 1 as a polynomial in x^2, 0 <= x < 1: 2^-56.
inline constexpr double kErfNear[] = {
    0x1.06eba8214db68p-3,  -0x1.812746b03799dp-2,  0x1.ce2f21a03f8b2p-4,  -0x1.b82ce311a93c7p-6,
    0x1.565bcceeccc2fp-8,  -0x1.c02daeb4343a2p-11, 0x1.f9a2965def94ap-14, -0x1.f4c828a855478p-17,
    0x1.b96b0d7204d93p-20, -0x1.5b8a63a2e87b4p-23, 0x1.d3cdcd865eb6ep-27, -0x1.a20990bf96232p-31};
// log(1 - erf(x)) as a polynomial in x - 1, 1 <= x < 5.95: 2^-58.
inline constexpr double kErfFar[] = {
    -0x1.d97fbf27aa2a1p+0,  -0x1.51c9b0006c244p+1,  -0x1.afabc11a28a7ep-1,  -0x1.5477f09cf1f66p-5,
    0x1.48c9d4135969cp-7,   -0x1.033f69be4a891p-9,  0x1.f1b4999b66d6fp-13,  0x1.b8c626fa81b66p-16,
    -0x1.c77576a3f9647p-16, 0x1.41d6be476d53fp-17,  -0x1.11e4532c090bfp-19, 0x1.111ef7e07a67ap-23,
    0x1.cc38cc9d814c7p-24,  -0x1.e468f6babf748p-25, 0x1.18e1d46609985p-26,  -0x1.b7b98486f775dp-29,
    0x1.ce53bd9ec3360p-32,  -0x1.284485b9d2950p-35, 0x1.5e195dec1027ap-40};

// An unevaluated sum; low is small against high.
template <class D>
struct Pair {
  D high, low;
};

// Coefficient 0 first.
template <std::size_t First = 0, AnyDouble D, std::size_t N>
[[gnu::always_inline]] inline D polynomial(D x, const double (&coefficients)[N]) {
  if constexpr (First + 1 == N)
    return D(coefficients[First]);
  else
    return coefficients[First] + x * polynomial<First + 1>(x, coefficients);
}

template <AnyDouble D>
[[gnu::always_inline]] inline D magnitude(D x) {
  return number_of(bits_of(x) & (~Bits{0} >> 1));
}

// `x`, which is not negative, with the sign of `from`.
template <AnyDouble D>
[[gnu::always_inline]] inline D with_sign(D x, D from) {
  constexpr Bits kSign = ~(~Bits{0} >> 1);
  return number_of(bits_of(x) | (bits_of(from) & kSign));
}

// The upper half of the mantissa: products of two of them are exact.
template <AnyDouble D>
[[gnu::always_inline]] inline D upper_half(D x) {
  return number_of(bits_of(x) & kUpperHalf);
}

// 2^power for a whole number among the exponents of normal numbers.
template <AnyDouble D>
[[gnu::always_inline]] inline D power_of_two(D power) {
  // The sum has the spacing 1, so that its last bits are the biased exponent.
  const D shifted = power + (kRound + static_cast<double>(kBias));
  return number_of(bits_of(shifted) << kMantissaBits);
}

// a + b where |a| >= |b| or a is 0, without error.
template <AnyDouble D>
[[gnu::always_inline]] inline Pair<D> ordered_sum(std::type_identity_t<D> a, D b) {
  const D sum = a + b;
  return {sum, (a - sum) + b};
}

// a + b without error.
template <AnyDouble D>
[[gnu::always_inline]] inline Pair<D> exact_sum(std::type_identity_t<D> a, D b) {
  const D sum = a + b, added = sum - a;
  return {sum, (a - (sum - added)) + (b - added)};
}

// a / b, rounded once: the remainder of a first quotient of half the length is exact.
template <AnyDouble D>
[[gnu::always_inline]] inline D quotient(Pair<D> a, Pair<D> b) {
  const D inverse = 1.0 / b.high;
  const D first = upper_half(a.high * inverse), upper = upper_half(b.high);
  const D lower = (b.high - upper) + b.low;
  const D remainder = ((a.high - first * upper) - first * lower) + a.low;
  return first + remainder * inverse;
}

// exp(x) = 2^power (1 + reduced + tail) with |reduced| <= ln(2) / 2 (and a little more).
template <class D>
struct Exponential {
  D power, reduced, tail;
};

template <AnyDouble D>
[[gnu::always_inline]] inline Exponential<D> exponential(D x) {
  const D power = (x * kLog2e + kRound) - kRound;
  const D high = x - power * kLn2High, low = power * kLn2Low;
  const D reduced = high - low;
  const D lost = (high - reduced) - low;
  return {power, reduced, (reduced * reduced) * polynomial(reduced, kExp) + lost};
}

// The value and, if asked for, what its rounding lost, times a power of two that is split in two,
// as neither 2^1024 nor 2^-1074 is a normal double.
template <AnyDouble D>
[[gnu::always_inline]] inline Pair<D> value(const Exponential<D>& e) {
  const Pair<D> sum = ordered_sum(1.0, e.reduced);
  const Pair<D> rounded = ordered_sum(sum.high, sum.low + e.tail);
  const D half = (e.power * 0.5 + kRound) - kRound;
  const D first = power_of_two(half), second = power_of_two(e.power - half);
  return {rounded.high * first * second, rounded.low * first * second};
}

// exp(x) - 1 = (scale / one) exp(reduced) - 1, times `one`.
template <AnyDouble D>
[[gnu::always_inline]] inline Pair<D> minus_one(const Exponential<D>& e, D scale, D one) {
  const Pair<D> whole = exact_sum(scale, -one);
  const Pair<D> sum = ordered_sum(whole.high, scale * e.reduced);
  return ordered_sum(sum.high, sum.low + (whole.low + scale * e.tail));
}

// exp(-|x|).
template <AnyDouble D>
[[gnu::always_inline]] inline Pair<D> decay(D x) {
  return value(exponential(at_least(kExpLowest, -magnitude(x))));
}

// x = 2^power (1 + fraction), fraction in [sqrt(1/2) - 1, sqrt(2) - 1), for normal x > 0.
template <class D>
struct Decomposition {
  D power, fraction;
  D inverse;  // 2^-power; 0 where that is no normal number
};

template <AnyDouble D>
[[gnu::always_inline]] inline Decomposition<D> decompose(D x) {
  constexpr Bits kOffset = kBias + 1;  // keeps the shifted power positive
  // A whole number below 2^kMantissaBits becomes a double by its bits: vectors of AVX2 have no
  // instruction for it.
  constexpr Bits kWhole = (kBias + kMantissaBits) << kMantissaBits;
  constexpr double kWholeOffset = 0x1p52 + static_cast<double>(kOffset);
  const auto bits = bits_of(x);
  const auto power = (bits + ((kOffset << kMantissaBits) - kSqrtHalf)) >> kMantissaBits;
  const D fraction = number_of(bits - ((power - kOffset) << kMantissaBits)) - 1.0;
  const auto twice_inverse = (kBias + kOffset + 1 - power) << kMantissaBits;
  return {number_of(power | kWhole) - kWholeOffset, fraction, number_of(twice_inverse) * 0.5};
}

// power ln 2 + log(1 + fraction) + correction: log(1 + f) = 2 artanh s with s = f / (2 + f),
// written as f - (f^2 / 2 - s (f^2 / 2 + ...)), whose first term is exact.
template <AnyDouble D>
[[gnu::always_inline]] inline Pair<D> logarithm(D power, D f, D s,
                                                std::type_identity_t<D> correction) {
  const D z = s * s, half_square = 0.5 * f * f;
  const Pair<D> sum = ordered_sum(power * kLn2High, f);
  const D low = s * (half_square + z * polynomial(z, kLog)) + (power * kLn2Low + correction);
  return {sum.high, sum.low - (half_square - low)};
}

// log of a sum that is a normal number.
template <AnyDouble D>
[[gnu::always_inline]] inline Pair<D> logarithm(Pair<D> x) {
  const Decomposition<D> parts = decompose(x.high);
  const D s = parts.fraction / (2.0 + parts.fraction);
  // The slope 1 / (1 + fraction) = (1 - s) / (1 + s) to second order.
  return logarithm(parts.power, parts.fraction, s,
                   x.low * parts.inverse * (1.0 - 2.0 * (s - s * s)));
}

// A logarithm's `value` between `lowest`, its pole, and infinity; what it is elsewhere.
template <AnyDouble D>
[[gnu::always_inline]] inline D limited_logarithm(D value, D x, double lowest) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const D up = choose(x < kInfinity, value, x);
  const D down = choose(x == lowest, D(-kInfinity), D(std::numeric_limits<double>::quiet_NaN()));
  return choose(x > lowest, up, down);
}

template <AnyDouble D>
[[gnu::always_inline]] inline D exp(D x) {
  return value(exponential(at_most(kExpHighest, at_least(kExpLowest, x)))).high;
}

template <AnyDouble D>
[[gnu::always_inline]] inline D expm1(D x) {
  const auto e = exponential(at_most(kExpHighest, at_least(-kNegligible, x)));
  const auto halved = x > kHalfOf;  // 2^1024 is no double
  const D scale = power_of_two(e.power - choose(halved, D(1.0), D(0.0)));
  const D result = minus_one(e, scale, choose(halved, D(0.5), D(1.0))).high;
  return with_sign(magnitude(result * choose(halved, D(2.0), D(1.0))), x);
}

template <AnyDouble D>
[[gnu::always_inline]] inline D log(D x) {
  const auto subnormal = x < std::numeric_limits<double>::min();
  const Decomposition<D> parts = decompose(choose(subnormal, x * kUnsubnormal, x));
  const D power = parts.power - choose(subnormal, D(kUnsubnormalPower), D(0.0));
  const D f = parts.fraction;
  const Pair<D> sum = logarithm(power, f, f / (2.0 + f), 0.0);
  return limited_logarithm(sum.high + sum.low, x, 0.0);
}

template <AnyDouble D>
[[gnu::always_inline]] inline D log1p(D x) {
  const Pair<D> sum = logarithm(exact_sum(1.0, x));
  return limited_logarithm(with_sign(magnitude(sum.high + sum.low), x), x, -1.0);
}

// -u / (2 + u) with u = exp(-2 |x|) - 1, which keeps its digits near 0.
template <AnyDouble D>
[[gnu::always_inline]] inline D tanh(D x) {
  const auto e = exponential(-2.0 * at_most(kNegligible / 2, magnitude(x)));
  const Pair<D> u = minus_one(e, power_of_two(e.power), D(1.0));
  Pair<D> below = ordered_sum(2.0, u.high);
  below.low = below.low + u.low;
  return with_sign(magnitude(quotient(u, below)), x);
}

// z / (1 + z) with z = exp(-|x|) for negative x, and 1 less that for the others.
template <AnyDouble D>
[[gnu::always_inline]] inline D sigmoid(D x) {
  const Pair<D> z = decay(x);
  Pair<D> below = ordered_sum(1.0, z.high);
  below.low = below.low + z.low;
  const D smaller = quotient(z, below);
  return choose(x < 0.0, smaller, 1.0 - smaller);
}

// max(x, 0) + log(1 + exp(-|x|)).
template <AnyDouble D>
[[gnu::always_inline]] inline D softplus(D x) {
  const Pair<D> z = decay(x);
  Pair<D> inner = ordered_sum(1.0, z.high);
  inner.low = inner.low + z.low;
  const Pair<D> rest = logarithm(inner);
  const Pair<D> sum = exact_sum(choose(x > 0.0, x, D(0.0)), rest.high);
  // Beyond, x itself: the sums above know no infinity.
  return choose(x < kNegligible, sum.high + (sum.low + rest.low), x);
}

// A polynomial below 1; 1 less the exponential of another one above.
template <AnyDouble D>
[[gnu::always_inline]] inline D erf(D x) {
  const D size = at_most(kErfHighest, magnitude(x));
  const D near = size + size * polynomial(size * size, kErfNear);
  const auto e = exponential(polynomial(size - 1.0, kErfFar));
  const D far = 1.0 - (1.0 + (e.reduced + e.tail)) * power_of_two(e.power);
  return with_sign(choose(size < 1.0, near, far), x);
}

}  // namespace jacquard::number::branch_free
