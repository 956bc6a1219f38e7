// Exponentials, logarithms and activations of double without branches, tables or calls, so that a
// loop over them becomes vector instructions, and with the same bits from every compiler, C library
// and kind of vector: only operations that IEEE 754 rounds in one way are used, and nothing is
// contracted (-ffp-contract=off). float_functions.hpp has those of float.
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

#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

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
struct Pair {
  double high, low;
};

// Coefficient 0 first. Recursion, for a loop inside the loop over elements would have to be
// unrolled before that one can become vector instructions.
template <std::size_t First = 0, std::size_t N>
[[gnu::always_inline]] inline double polynomial(double x, const double (&coefficients)[N]) {
  if constexpr (First + 1 == N)
    return coefficients[First];
  else
    return coefficients[First] + x * polynomial<First + 1>(x, coefficients);
}

[[gnu::always_inline]] inline double magnitude(double x) {
  return std::bit_cast<double>(std::bit_cast<Bits>(x) & (~Bits{0} >> 1));
}

// `x`, which is not negative, with the sign of `from`.
[[gnu::always_inline]] inline double with_sign(double x, double from) {
  constexpr Bits kSign = ~(~Bits{0} >> 1);
  return std::bit_cast<double>(std::bit_cast<Bits>(x) | (std::bit_cast<Bits>(from) & kSign));
}

[[gnu::always_inline]] inline double at_least(double lowest, double x) {  // NaN stays
  return x < lowest ? lowest : x;
}

[[gnu::always_inline]] inline double at_most(double highest, double x) {  // NaN stays
  return x > highest ? highest : x;
}

// The upper half of the mantissa: products of two of them are exact.
[[gnu::always_inline]] inline double upper_half(double x) {
  return std::bit_cast<double>(std::bit_cast<Bits>(x) & kUpperHalf);
}

// 2^power for a whole number among the exponents of normal numbers.
[[gnu::always_inline]] inline double power_of_two(double power) {
  // The sum has the spacing 1, so that its last bits are the biased exponent.
  const double shifted = power + (kRound + static_cast<double>(kBias));
  return std::bit_cast<double>(std::bit_cast<Bits>(shifted) << kMantissaBits);
}

// a + b where |a| >= |b| or a is 0, without error.
[[gnu::always_inline]] inline Pair ordered_sum(double a, double b) {
  const double sum = a + b;
  return {sum, (a - sum) + b};
}

// a + b without error.
[[gnu::always_inline]] inline Pair exact_sum(double a, double b) {
  const double sum = a + b, added = sum - a;
  return {sum, (a - (sum - added)) + (b - added)};
}

// a / b, rounded once: the remainder of a first quotient of half the length is exact.
[[gnu::always_inline]] inline double quotient(Pair a, Pair b) {
  const double inverse = 1.0 / b.high;
  const double first = upper_half(a.high * inverse), upper = upper_half(b.high);
  const double lower = (b.high - upper) + b.low;
  const double remainder = ((a.high - first * upper) - first * lower) + a.low;
  return first + remainder * inverse;
}

// exp(x) = 2^power (1 + reduced + tail) with |reduced| <= ln(2) / 2 (and a little more).
struct Exponential {
  double power, reduced, tail;
};

[[gnu::always_inline]] inline Exponential exponential(double x) {
  const double power = (x * kLog2e + kRound) - kRound;
  const double high = x - power * kLn2High, low = power * kLn2Low;
  const double reduced = high - low;
  const double lost = (high - reduced) - low;
  return {power, reduced, (reduced * reduced) * polynomial(reduced, kExp) + lost};
}

// The value and, if asked for, what its rounding lost, times a power of two that is split in two,
// as neither 2^1024 nor 2^-1074 is a normal double.
[[gnu::always_inline]] inline Pair value(const Exponential& e) {
  const Pair sum = ordered_sum(1.0, e.reduced);
  const Pair rounded = ordered_sum(sum.high, sum.low + e.tail);
  const double half = (e.power * 0.5 + kRound) - kRound;
  const double first = power_of_two(half), second = power_of_two(e.power - half);
  return {rounded.high * first * second, rounded.low * first * second};
}

// exp(x) - 1 = (scale / one) exp(reduced) - 1, times `one`.
[[gnu::always_inline]] inline Pair minus_one(const Exponential& e, double scale, double one) {
  const Pair whole = exact_sum(scale, -one);
  const Pair sum = ordered_sum(whole.high, scale * e.reduced);
  return ordered_sum(sum.high, sum.low + (whole.low + scale * e.tail));
}

// exp(-|x|).
[[gnu::always_inline]] inline Pair decay(double x) {
  return value(exponential(at_least(kExpLowest, -magnitude(x))));
}

// x = 2^power (1 + fraction), fraction in [sqrt(1/2) - 1, sqrt(2) - 1), for normal x > 0.
struct Decomposition {
  double power, fraction;
  double inverse;  // 2^-power; 0 where that is no normal number
};

[[gnu::always_inline]] inline Decomposition decompose(double x) {
  constexpr Bits kOffset = kBias + 1;  // keeps the shifted power positive
  // A whole number below 2^kMantissaBits becomes a double by its bits: not every kind of vector has
  // an instruction for it.
  constexpr Bits kWhole = (kBias + kMantissaBits) << kMantissaBits;
  const Bits bits = std::bit_cast<Bits>(x);
  const Bits power = (bits - kSqrtHalf + (kOffset << kMantissaBits)) >> kMantissaBits;
  const double fraction = std::bit_cast<double>(bits - ((power - kOffset) << kMantissaBits)) - 1.0;
  const Bits twice_inverse = (kBias + kOffset + 1 - power) << kMantissaBits;
  return {std::bit_cast<double>(power | kWhole) -
              (std::bit_cast<double>(kWhole) + static_cast<double>(kOffset)),
          fraction, std::bit_cast<double>(twice_inverse) * 0.5};
}

// power ln 2 + log(1 + fraction) + correction: log(1 + f) = 2 artanh s with s = f / (2 + f),
// written as f - (f^2 / 2 - s (f^2 / 2 + ...)), whose first term is exact.
[[gnu::always_inline]] inline Pair logarithm(double power, double f, double s, double correction) {
  const double z = s * s, half_square = 0.5 * f * f;
  const Pair sum = ordered_sum(power * kLn2High, f);
  const double low = s * (half_square + z * polynomial(z, kLog)) + (power * kLn2Low + correction);
  return {sum.high, sum.low - (half_square - low)};
}

// log of a sum that is a normal number.
[[gnu::always_inline]] inline Pair logarithm(Pair x) {
  const Decomposition parts = decompose(x.high);
  const double s = parts.fraction / (2.0 + parts.fraction);
  // The slope 1 / (1 + fraction) = (1 - s) / (1 + s) to second order.
  return logarithm(parts.power, parts.fraction, s,
                   x.low * parts.inverse * (1.0 - 2.0 * (s - s * s)));
}

[[gnu::always_inline]] inline double exp(double x) {
  return value(exponential(at_most(kExpHighest, at_least(kExpLowest, x)))).high;
}

[[gnu::always_inline]] inline double expm1(double x) {
  const auto e = exponential(at_most(kExpHighest, at_least(-kNegligible, x)));
  const bool halved = x > kHalfOf;  // 2^1024 is no double
  const double result =
      minus_one(e, power_of_two(e.power - (halved ? 1.0 : 0.0)), halved ? 0.5 : 1.0).high;
  return with_sign(magnitude(result * (halved ? 2.0 : 1.0)), x);
}

[[gnu::always_inline]] inline double log(double x) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const bool subnormal = x < std::numeric_limits<double>::min();
  const auto parts = decompose(subnormal ? x * kUnsubnormal : x);
  const double power = parts.power - (subnormal ? kUnsubnormalPower : 0.0);
  const double f = parts.fraction;
  const Pair sum = logarithm(power, f, f / (2.0 + f), 0.0);
  const double finite = x < kInfinity ? sum.high + sum.low : x;
  return x > 0.0 ? finite : x == 0.0 ? -kInfinity : std::numeric_limits<double>::quiet_NaN();
}

[[gnu::always_inline]] inline double log1p(double x) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Pair sum = logarithm(exact_sum(1.0, x));
  const double finite = with_sign(magnitude(sum.high + sum.low), x);
  const double up = x < kInfinity ? finite : x;
  return x > -1.0 ? up : x == -1.0 ? -kInfinity : std::numeric_limits<double>::quiet_NaN();
}

// -u / (2 + u) with u = exp(-2 |x|) - 1, which keeps its digits near 0.
[[gnu::always_inline]] inline double tanh(double x) {
  const auto e = exponential(-2.0 * at_most(kNegligible / 2, magnitude(x)));
  const Pair u = minus_one(e, power_of_two(e.power), 1.0);
  Pair below = ordered_sum(2.0, u.high);
  below.low += u.low;
  return with_sign(magnitude(quotient(u, below)), x);
}

// z / (1 + z) with z = exp(-|x|) for negative x, and 1 less that for the others.
[[gnu::always_inline]] inline double sigmoid(double x) {
  const Pair z = decay(x);
  Pair below = ordered_sum(1.0, z.high);
  below.low += z.low;
  const double smaller = quotient(z, below);
  return x < 0.0 ? smaller : 1.0 - smaller;
}

// max(x, 0) + log(1 + exp(-|x|)).
[[gnu::always_inline]] inline double softplus(double x) {
  const Pair z = decay(x);
  Pair inner = ordered_sum(1.0, z.high);
  inner.low += z.low;
  const Pair rest = logarithm(inner);
  const Pair sum = exact_sum(x > 0.0 ? x : 0.0, rest.high);
  // Beyond, x itself: the sums above know no infinity.
  return x < kNegligible ? sum.high + (sum.low + rest.low) : x;
}

// A polynomial below 1; 1 less the exponential of another one above.
[[gnu::always_inline]] inline double erf(double x) {
  const double size = at_most(kErfHighest, magnitude(x));
  const double near = size + size * polynomial(size * size, kErfNear);
  const auto e = exponential(polynomial(size - 1.0, kErfFar));
  const double far = 1.0 - (1.0 + (e.reduced + e.tail)) * power_of_two(e.power);
  return with_sign(size < 1.0 ? near : far, x);
}

}  // namespace jacquard::number::branch_free
