// Exponentials, logarithms and activations of float and double without branches, tables or calls,
// so that a loop over them becomes vector instructions, and with the same bits from every compiler,
// C library and kind of vector: only operations that IEEE 754 rounds in one way are used, and
// nothing is contracted (-ffp-contract=off).
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

template <class T>
struct Format;

template <>
struct Format<float> {
  using Bits = std::uint32_t;
  static constexpr int kMantissaBits = 23;
  static constexpr Bits kBias = 127;
  static constexpr Bits kUpperHalf = 0xfffff000;  // of the mantissa: 12 bits, products are exact
  static constexpr Bits kSqrtHalf = 0x3f3504f3;
  static constexpr float kUnsubnormal = 0x1p25f;  // makes every subnormal number a normal one
  static constexpr int kUnsubnormalPower = 25;
  static constexpr float kRound = 0x1.8p23f;  // x + kRound has the spacing 1
  static constexpr float kLog2e = 0x1.715476p0f;
  static constexpr float kLn2High = 0x1.62e4p-1f;  // 16 bits: times an exponent it is exact
  static constexpr float kLn2Low = 0x1.7f7d1cp-20f;
  static constexpr float kExpLowest = -104, kExpHighest = 89;  // 0 and infinity from here on
  static constexpr float kHalfOf = 80;                         // expm1 keeps half its value above
  static constexpr float kNegligible = 20;  // exp(-20) does not change a number next to 1
  static constexpr float kErfHighest = 4;   // 1 from here on
  // (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2: 2^-29.
  static constexpr float kExp[] = {0x1p-1f,        0x1.555556p-3f,  0x1.55551ap-5f,
                                   0x1.1110f6p-7f, 0x1.6d113cp-10f, 0x1.a0f89ap-13f};
  // (2 artanh(s) / s - 2) / s^2 as a polynomial in s^2, |s| <= 3 - sqrt(8): 2^-30.
  static constexpr float kLog[] = {0x1.55557ap-1f, 0x1.995ed4p-2f, 0x1.31e0d8p-2f};
  // erf(x) / x - 1 as a polynomial in x^2, 0 <= x < 1: 2^-29.
  static constexpr float kErfNear[] = {0x1.06eba8p-3f,  -0x1.81273ep-2f, 0x1.ce2ce6p-4f,
                                       -0x1.b7f71ap-6f, 0x1.53f224p-8f,  -0x1.a3515ep-11f,
                                       0x1.477206p-14f};
  // log(1 - erf(x)) as a polynomial in x - 1, 1 <= x <= 4: 2^-27.
  static constexpr float kErfFar[] = {-0x1.d97fcp+0f,  -0x1.51c988p+1f, -0x1.afb44ap-1f,
                                      -0x1.520a78p-5f, 0x1.3633fcp-7f,  -0x1.89f814p-10f,
                                      0x1.a3e9e6p-14f};
};

template <>
struct Format<double> {
  using Bits = std::uint64_t;
  static constexpr int kMantissaBits = 52;
  static constexpr Bits kBias = 1023;
  static constexpr Bits kUpperHalf = 0xfffffffff8000000;  // 26 bits
  static constexpr Bits kSqrtHalf = 0x3fe6a09e667f3bcd;
  static constexpr double kUnsubnormal = 0x1p54;
  static constexpr int kUnsubnormalPower = 54;
  static constexpr double kRound = 0x1.8p52;
  static constexpr double kLog2e = 0x1.71547652b82fep0;
  static constexpr double kLn2High = 0x1.62e42fefa38p-1;  // 42 bits
  static constexpr double kLn2Low = 0x1.ef35793c7673p-45;
  static constexpr double kExpLowest = -746, kExpHighest = 710;
  static constexpr double kHalfOf = 700;
  static constexpr double kNegligible = 40;
  static constexpr double kErfHighest = 5.95;
  // As above: 2^-60.
  static constexpr double kExp[] = {0x1p-1,
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
  // 2^-59.
  static constexpr double kLog[] = {
      0x1.5555555555592p-1, 0x1.999999997ff03p-2, 0x1.24924941e3875p-2, 0x1.c71c5211de723p-3,
      0x1.74663d8c1b59ep-3, 0x1.39a1d619cb8a1p-3, 0x1.2f048ee590078p-3};
  // 2^-56.
  static constexpr double kErfNear[] = {
      0x1.06eba8214db68p-3,  -0x1.812746b03799dp-2,  0x1.ce2f21a03f8b2p-4,  -0x1.b82ce311a93c7p-6,
      0x1.565bcceeccc2fp-8,  -0x1.c02daeb4343a2p-11, 0x1.f9a2965def94ap-14, -0x1.f4c828a855478p-17,
      0x1.b96b0d7204d93p-20, -0x1.5b8a63a2e87b4p-23, 0x1.d3cdcd865eb6ep-27, -0x1.a20990bf96232p-31};
  // 2^-58.
  static constexpr double kErfFar[] = {
      -0x1.d97fbf27aa2a1p+0,  -0x1.51c9b0006c244p+1,  -0x1.afabc11a28a7ep-1,
      -0x1.5477f09cf1f66p-5,  0x1.48c9d4135969cp-7,   -0x1.033f69be4a891p-9,
      0x1.f1b4999b66d6fp-13,  0x1.b8c626fa81b66p-16,  -0x1.c77576a3f9647p-16,
      0x1.41d6be476d53fp-17,  -0x1.11e4532c090bfp-19, 0x1.111ef7e07a67ap-23,
      0x1.cc38cc9d814c7p-24,  -0x1.e468f6babf748p-25, 0x1.18e1d46609985p-26,
      -0x1.b7b98486f775dp-29, 0x1.ce53bd9ec3360p-32,  -0x1.284485b9d2950p-35,
      0x1.5e195dec1027ap-40};
};

template <class T>
using Bits = typename Format<T>::Bits;

// An unevaluated sum; low is small against high.
template <class T>
struct Pair {
  T high, low;
};

// Coefficient 0 first. Recursion, for a loop inside the loop over elements would have to be
// unrolled before that one can become vector instructions.
template <std::size_t First = 0, class T, std::size_t N>
[[gnu::always_inline]] inline T polynomial(T x, const T (&coefficients)[N]) {
  if constexpr (First + 1 == N)
    return coefficients[First];
  else
    return coefficients[First] + x * polynomial<First + 1>(x, coefficients);
}

template <class T>
[[gnu::always_inline]] inline T magnitude(T x) {
  return std::bit_cast<T>(std::bit_cast<Bits<T>>(x) & (~Bits<T>{0} >> 1));
}

// `x`, which is not negative, with the sign of `from`.
template <class T>
[[gnu::always_inline]] inline T with_sign(T x, T from) {
  constexpr Bits<T> kSign = ~(~Bits<T>{0} >> 1);
  return std::bit_cast<T>(std::bit_cast<Bits<T>>(x) | (std::bit_cast<Bits<T>>(from) & kSign));
}

template <class T>
[[gnu::always_inline]] inline T at_least(T lowest, T x) {  // NaN stays
  return x < lowest ? lowest : x;
}

template <class T>
[[gnu::always_inline]] inline T at_most(T highest, T x) {  // NaN stays
  return x > highest ? highest : x;
}

// The upper half of the mantissa: products of two of them are exact.
template <class T>
[[gnu::always_inline]] inline T upper_half(T x) {
  return std::bit_cast<T>(std::bit_cast<Bits<T>>(x) & Format<T>::kUpperHalf);
}

// 2^power for a whole number among the exponents of normal numbers.
template <class T>
[[gnu::always_inline]] inline T power_of_two(T power) {
  // The sum has the spacing 1, so that its last bits are the biased exponent.
  const T shifted = power + (Format<T>::kRound + static_cast<T>(Format<T>::kBias));
  return std::bit_cast<T>(std::bit_cast<Bits<T>>(shifted) << Format<T>::kMantissaBits);
}

// a + b where |a| >= |b| or a is 0, without error.
template <class T>
[[gnu::always_inline]] inline Pair<T> ordered_sum(T a, T b) {
  const T sum = a + b;
  return {sum, (a - sum) + b};
}

// a + b without error.
template <class T>
[[gnu::always_inline]] inline Pair<T> exact_sum(T a, T b) {
  const T sum = a + b, added = sum - a;
  return {sum, (a - (sum - added)) + (b - added)};
}

// a / b, rounded once: the remainder of a first quotient of half the length is exact.
template <class T>
[[gnu::always_inline]] inline T quotient(Pair<T> a, Pair<T> b) {
  const T inverse = T(1) / b.high;
  const T first = upper_half(a.high * inverse), upper = upper_half(b.high);
  const T lower = (b.high - upper) + b.low;
  const T remainder = ((a.high - first * upper) - first * lower) + a.low;
  return first + remainder * inverse;
}

// exp(x) = 2^power (1 + reduced + tail) with |reduced| <= ln(2) / 2 (and a little more).
template <class T>
struct Exponential {
  T power, reduced, tail;
};

template <class T>
[[gnu::always_inline]] inline Exponential<T> exponential(T x) {
  using F = Format<T>;
  const T power = (x * F::kLog2e + F::kRound) - F::kRound;
  const T high = x - power * F::kLn2High, low = power * F::kLn2Low;
  const T reduced = high - low;
  const T lost = (high - reduced) - low;
  return {power, reduced, (reduced * reduced) * polynomial(reduced, F::kExp) + lost};
}

// The value and, if asked for, what its rounding lost, times a power of two that is split in two,
// as neither 2^1024 nor 2^-1074 is a normal double.
template <class T>
[[gnu::always_inline]] inline Pair<T> value(const Exponential<T>& e) {
  using F = Format<T>;
  const Pair<T> sum = ordered_sum(T(1), e.reduced);
  const Pair<T> rounded = ordered_sum(sum.high, sum.low + e.tail);
  const T half = (e.power * T(0.5) + F::kRound) - F::kRound;
  const T first = power_of_two(half), second = power_of_two(e.power - half);
  return {rounded.high * first * second, rounded.low * first * second};
}

// exp(x) - 1 = (scale / one) exp(reduced) - 1, times `one`.
template <class T>
[[gnu::always_inline]] inline Pair<T> minus_one(const Exponential<T>& e, T scale, T one) {
  const Pair<T> whole = exact_sum(scale, -one);
  const Pair<T> sum = ordered_sum(whole.high, scale * e.reduced);
  return ordered_sum(sum.high, sum.low + (whole.low + scale * e.tail));
}

// exp(-|x|).
template <class T>
[[gnu::always_inline]] inline Pair<T> decay(T x) {
  return value(exponential(at_least(Format<T>::kExpLowest, -magnitude(x))));
}

// x = 2^power (1 + fraction), fraction in [sqrt(1/2) - 1, sqrt(2) - 1), for normal x > 0.
template <class T>
struct Decomposition {
  T power, fraction;
  T inverse;  // 2^-power; 0 where that is no normal number
};

template <class T>
[[gnu::always_inline]] inline Decomposition<T> decompose(T x) {
  using F = Format<T>;
  constexpr Bits<T> kOffset = F::kBias + 1;  // keeps the shifted power positive
  // A whole number below 2^kMantissaBits becomes a T by its bits: not every kind of vector has an
  // instruction for it.
  constexpr Bits<T> kWhole = (F::kBias + F::kMantissaBits) << F::kMantissaBits;
  const Bits<T> bits = std::bit_cast<Bits<T>>(x);
  const Bits<T> power = (bits - F::kSqrtHalf + (kOffset << F::kMantissaBits)) >> F::kMantissaBits;
  const T fraction = std::bit_cast<T>(bits - ((power - kOffset) << F::kMantissaBits)) - T(1);
  const Bits<T> twice_inverse = (F::kBias + kOffset + 1 - power) << F::kMantissaBits;
  return {std::bit_cast<T>(power | kWhole) - (std::bit_cast<T>(kWhole) + static_cast<T>(kOffset)),
          fraction, std::bit_cast<T>(twice_inverse) * T(0.5)};
}

// power ln 2 + log(1 + fraction) + correction: log(1 + f) = 2 artanh s with s = f / (2 + f),
// written as f - (f^2 / 2 - s (f^2 / 2 + ...)), whose first term is exact.
template <class T>
[[gnu::always_inline]] inline Pair<T> logarithm(T power, T f, T s, T correction) {
  using F = Format<T>;
  const T z = s * s, half_square = T(0.5) * f * f;
  const Pair<T> sum = ordered_sum(power * F::kLn2High, f);
  const T low = s * (half_square + z * polynomial(z, F::kLog)) + (power * F::kLn2Low + correction);
  return {sum.high, sum.low - (half_square - low)};
}

// log of a sum that is a normal number.
template <class T>
[[gnu::always_inline]] inline Pair<T> logarithm(Pair<T> x) {
  const Decomposition<T> parts = decompose(x.high);
  const T s = parts.fraction / (T(2) + parts.fraction);
  // The slope 1 / (1 + fraction) = (1 - s) / (1 + s) to second order.
  return logarithm(parts.power, parts.fraction, s,
                   x.low * parts.inverse * (T(1) - T(2) * (s - s * s)));
}

template <class T>
[[gnu::always_inline]] inline T exp(T x) {
  using F = Format<T>;
  return value(exponential(at_most(F::kExpHighest, at_least(F::kExpLowest, x)))).high;
}

template <class T>
[[gnu::always_inline]] inline T expm1(T x) {
  using F = Format<T>;
  const auto e = exponential(at_most(F::kExpHighest, at_least(-F::kNegligible, x)));
  const bool halved = x > F::kHalfOf;  // 2^1024 is no double
  const T result =
      minus_one(e, power_of_two(e.power - (halved ? T(1) : T(0))), halved ? T(0.5) : T(1)).high;
  return with_sign(magnitude(result * (halved ? T(2) : T(1))), x);
}

template <class T>
[[gnu::always_inline]] inline T log(T x) {
  using F = Format<T>;
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const bool subnormal = x < std::numeric_limits<T>::min();
  const auto parts = decompose(subnormal ? x * F::kUnsubnormal : x);
  const T power = parts.power - (subnormal ? static_cast<T>(F::kUnsubnormalPower) : T(0));
  const T f = parts.fraction;
  const Pair<T> sum = logarithm(power, f, f / (T(2) + f), T(0));
  const T finite = x < kInfinity ? sum.high + sum.low : x;
  return x > T(0) ? finite : x == T(0) ? -kInfinity : std::numeric_limits<T>::quiet_NaN();
}

template <class T>
[[gnu::always_inline]] inline T log1p(T x) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const Pair<T> sum = logarithm(exact_sum(T(1), x));
  const T finite = with_sign(magnitude(sum.high + sum.low), x);
  const T up = x < kInfinity ? finite : x;
  return x > T(-1) ? up : x == T(-1) ? -kInfinity : std::numeric_limits<T>::quiet_NaN();
}

// -u / (2 + u) with u = exp(-2 |x|) - 1, which keeps its digits near 0.
template <class T>
[[gnu::always_inline]] inline T tanh(T x) {
  const auto e = exponential(T(-2) * at_most(Format<T>::kNegligible / 2, magnitude(x)));
  const Pair<T> u = minus_one(e, power_of_two(e.power), T(1));
  Pair<T> below = ordered_sum(T(2), u.high);
  below.low += u.low;
  return with_sign(magnitude(quotient(u, below)), x);
}

// z / (1 + z) with z = exp(-|x|) for negative x, and 1 less that for the others.
template <class T>
[[gnu::always_inline]] inline T sigmoid(T x) {
  const Pair<T> z = decay(x);
  Pair<T> below = ordered_sum(T(1), z.high);
  below.low += z.low;
  const T smaller = quotient(z, below);
  return x < T(0) ? smaller : T(1) - smaller;
}

// The same of a float in double, rounded once: fewer operations than sums of two floats take,
// though a vector holds half as many numbers. exp(-x) = scale (1 + rest).
template <>
[[gnu::always_inline]] inline float sigmoid(float number) {
  using F = Format<double>;
  constexpr float kLimit = 110;  // 0 and 1 from here on
  constexpr double kRound = F::kRound + static_cast<double>(F::kBias);
  constexpr double kLn2 = 0x1.62e42fefa39efp-1;
  // (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2: 2^-28.
  constexpr double kExp[] = {0x1.fffffb9add24cp-2, 0x1.55549167624c6p-3, 0x1.5558f135d6028p-5,
                             0x1.1239d3f14df87p-7, 0x1.6a2440b85cf23p-10};
  const double x = static_cast<double>(at_most(kLimit, at_least(-kLimit, number)));
  const double shifted = kRound - x * F::kLog2e;  // its last bits are the biased exponent
  const double r = (kRound - shifted) * kLn2 - x, square = r * r;
  const double low = kExp[0] + kExp[1] * r, high = kExp[2] + kExp[3] * r + square * kExp[4];
  const double rest = r + square * (low + square * high);
  const double scale =
      std::bit_cast<double>(std::bit_cast<Bits<double>>(shifted) << F::kMantissaBits);
  return static_cast<float>(1.0 / ((1.0 + scale) + scale * rest));
}

// max(x, 0) + log(1 + exp(-|x|)).
template <class T>
[[gnu::always_inline]] inline T softplus(T x) {
  const Pair<T> z = decay(x);
  Pair<T> inner = ordered_sum(T(1), z.high);
  inner.low += z.low;
  const Pair<T> rest = logarithm(inner);
  const Pair<T> sum = exact_sum(x > T(0) ? x : T(0), rest.high);
  // Beyond, x itself: the sums above know no infinity.
  return x < Format<T>::kNegligible ? sum.high + (sum.low + rest.low) : x;
}

// A polynomial below 1; 1 less the exponential of another one above.
template <class T>
[[gnu::always_inline]] inline T erf(T x) {
  using F = Format<T>;
  const T size = at_most(F::kErfHighest, magnitude(x));
  const T near = size + size * polynomial(size * size, F::kErfNear);
  const auto e = exponential(polynomial(size - T(1), F::kErfFar));
  const T far = T(1) - (T(1) + (e.reduced + e.tail)) * power_of_two(e.power);
  return with_sign(size < T(1) ? near : far, x);
}

}  // namespace jacquard::number::branch_free
