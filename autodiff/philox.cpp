#include "autodiff/philox.hpp"

#include <Random123/philox.h>

#include <algorithm>
#include <bit>
#include <cmath>

#include "autodiff/simd.hpp"

namespace jacquard {
namespace {

constexpr std::size_t kLanes = 32;          // blocks computed side by side
constexpr std::size_t kBlocksAtOnce = 128;  // blocks per turn of a fill, a multiple of kLanes
using Words = std::array<std::uint32_t, 4 * kBlocksAtOnce>;
using Doubles = std::array<double, kBlocksAtOnce>;

struct Draw {
  std::uint64_t key;
  std::uint64_t step;
  std::uint32_t kind;  // or-ed to the second word of the counter
};
constexpr std::uint32_t kUniform = 0;
constexpr std::uint32_t kNormal = 0x80000000;

// Philox of kLanes consecutive blocks, four words each. Random123 computes one block after the
// other and does not vectorise; a test holds this against it.
[[gnu::always_inline]] inline void lanes_of_philox(const Draw& draw, std::uint64_t first_block,
                                                   std::uint32_t* words) {
  std::uint32_t x0[kLanes], x1[kLanes], x2[kLanes], x3[kLanes];
  for (std::size_t i = 0; i < kLanes; ++i) {
    const std::uint64_t block = first_block + i;
    x0[i] = static_cast<std::uint32_t>(block);
    x1[i] = static_cast<std::uint32_t>(block >> 32) | draw.kind;
    x2[i] = static_cast<std::uint32_t>(draw.step);
    x3[i] = static_cast<std::uint32_t>(draw.step >> 32);
  }
  std::uint32_t key0 = static_cast<std::uint32_t>(draw.key);
  std::uint32_t key1 = static_cast<std::uint32_t>(draw.key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      const std::uint64_t product0 = std::uint64_t{PHILOX_M4x32_0} * x0[i];
      const std::uint64_t product1 = std::uint64_t{PHILOX_M4x32_1} * x2[i];
      x0[i] = static_cast<std::uint32_t>(product1 >> 32) ^ x1[i] ^ key0;
      x1[i] = static_cast<std::uint32_t>(product1);
      x2[i] = static_cast<std::uint32_t>(product0 >> 32) ^ x3[i] ^ key1;
      x3[i] = static_cast<std::uint32_t>(product0);
    }
    key0 += PHILOX_W32_0;
    key1 += PHILOX_W32_1;
  }
  for (std::size_t i = 0; i < kLanes; ++i) {
    words[4 * i] = x0[i];
    words[4 * i + 1] = x1[i];
    words[4 * i + 2] = x2[i];
    words[4 * i + 3] = x3[i];
  }
}

[[gnu::always_inline]] inline void words_body(const Draw& draw, std::uint64_t first_block,
                                              std::size_t blocks, Words& words) {
  for (std::size_t i = 0; i < blocks; i += kLanes) {
    lanes_of_philox(draw, first_block + i, words.data() + 4 * i);
  }
}

// log(x) for x in (0, 1), to 2 ulp: x = m 2^e with m in [sqrt(1/2), sqrt(2)), and
// log m = 2 artanh s, s = (m - 1) / (m + 1), by its series: s^2 < 0.0295. The C library's log is
// not used, for its bits differ between versions and processors.
[[gnu::always_inline]] inline double log_of_fraction(double x) {
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  constexpr std::uint64_t kSqrtHalf = 0x3fe6a09e667f3bcd;
  constexpr std::uint64_t kBias = 1024;  // keeps the shifted exponent positive
  const std::uint64_t exponent = (bits - kSqrtHalf + (kBias << 52)) >> 52;
  const double m = std::bit_cast<double>(bits - ((exponent - kBias) << 52));
  // An integer below 2^52 to double by its bits: AVX2 has no instruction for it.
  const double e = std::bit_cast<double>(exponent | 0x4330000000000000) - (0x1p52 + kBias);
  const double s = (m - 1) / (m + 1);
  const double z = s * s;
  double series = 1.0 / 21;
  series = series * z + 1.0 / 19;
  series = series * z + 1.0 / 17;
  series = series * z + 1.0 / 15;
  series = series * z + 1.0 / 13;
  series = series * z + 1.0 / 11;
  series = series * z + 1.0 / 9;
  series = series * z + 1.0 / 7;
  series = series * z + 1.0 / 5;
  series = series * z + 1.0 / 3;
  constexpr double kLn2High = 0x1.62e42fefa38p-1;  // 11 zero bits at the end: e * kLn2High is exact
  constexpr double kLn2Low = 0x1.ef35793c7673p-45;
  return e * kLn2High + (2 * s + (2 * s * (z * series) + e * kLn2Low));
}

// Taylor series on [-pi/4, pi/4]; the next terms are below 1e-17.
[[gnu::always_inline]] inline double sine(double x) {
  const double z = x * x;
  double series = 1.0 / 355687428096000.0;  // 1/17!
  series = series * z - 1.0 / 1307674368000.0;
  series = series * z + 1.0 / 6227020800.0;
  series = series * z - 1.0 / 39916800.0;
  series = series * z + 1.0 / 362880.0;
  series = series * z - 1.0 / 5040.0;
  series = series * z + 1.0 / 120.0;
  series = series * z - 1.0 / 6.0;
  return x + x * (z * series);
}

[[gnu::always_inline]] inline double cosine(double x) {
  const double z = x * x;
  double series = 1.0 / 20922789888000.0;  // 1/16!
  series = series * z - 1.0 / 87178291200.0;
  series = series * z + 1.0 / 479001600.0;
  series = series * z - 1.0 / 3628800.0;
  series = series * z + 1.0 / 40320.0;
  series = series * z - 1.0 / 720.0;
  series = series * z + 1.0 / 24.0;
  return 1 - (0.5 * z - z * (z * series));
}

// ((v >> 12) * 2 + 1) * 2^-53, exact: the upper 52 bits become the mantissa of a number in [1, 2).
[[gnu::always_inline]] inline double open_fraction(std::uint64_t v) {
  return (std::bit_cast<double>(v >> 12 | 0x3ff0000000000000) - 1) + 0x1p-53;
}

// -2 log u and the unit vector of each pair's angle.
[[gnu::always_inline]] inline void pairs_body(const Words& words, std::size_t blocks,
                                              Doubles& squared_radius, Doubles& x, Doubles& y) {
  for (std::size_t i = 0; i < blocks; ++i) {
    const std::uint64_t first = std::uint64_t{words[4 * i + 1]} << 32 | words[4 * i];
    const std::uint64_t second = std::uint64_t{words[4 * i + 3]} << 32 | words[4 * i + 2];
    squared_radius[i] = -2 * log_of_fraction(open_fraction(first));
    const std::uint64_t quarter = second >> 62;
    // The lower 62 bits, moved up, are a fraction with a step of 2^-50.
    const double turn =
        (std::bit_cast<double>((second << 2 >> 14 << 2) | 0x3ff0000000000000) - 1) + 0x1p-51;
    constexpr double kHalfPi = 0x1.921fb54442d18p0;
    const double angle = (turn - 0.5) * kHalfPi;
    const std::uint64_t c = std::bit_cast<std::uint64_t>(cosine(angle));
    const std::uint64_t s = std::bit_cast<std::uint64_t>(sine(angle));
    // Quarter turns: (c, s), (-s, c), (-c, -s), (s, -c).
    const std::uint64_t odd = 0 - (quarter & 1);  // all ones for odd quarters
    const std::uint64_t x_sign = (quarter + 1) >> 1 << 63;
    const std::uint64_t y_sign = quarter >> 1 << 63;
    x[i] = std::bit_cast<double>(((c & ~odd) | (s & odd)) ^ x_sign);
    y[i] = std::bit_cast<double>(((s & ~odd) | (c & odd)) ^ y_sign);
  }
}

JACQUARD_TARGET_AVX2 void words_avx2(const Draw& draw, std::uint64_t first_block,
                                     std::size_t blocks, Words& words) {
  words_body(draw, first_block, blocks, words);
}
JACQUARD_TARGET_AVX512 void words_avx512(const Draw& draw, std::uint64_t first_block,
                                         std::size_t blocks, Words& words) {
  words_body(draw, first_block, blocks, words);
}
void fill_words(const Draw& draw, std::uint64_t first_block, std::size_t blocks, Words& words) {
  switch (simd()) {
    case Simd::kAvx512:
      return words_avx512(draw, first_block, blocks, words);
    case Simd::kAvx2:
      return words_avx2(draw, first_block, blocks, words);
    case Simd::kBaseline:
      return words_body(draw, first_block, blocks, words);
  }
}

JACQUARD_TARGET_AVX2 void pairs_avx2(const Words& words, std::size_t blocks, Doubles& squared,
                                     Doubles& x, Doubles& y) {
  pairs_body(words, blocks, squared, x, y);
}
JACQUARD_TARGET_AVX512 void pairs_avx512(const Words& words, std::size_t blocks, Doubles& squared,
                                         Doubles& x, Doubles& y) {
  pairs_body(words, blocks, squared, x, y);
}
void fill_pairs(const Words& words, std::size_t blocks, Doubles& squared, Doubles& x, Doubles& y) {
  switch (simd()) {
    case Simd::kAvx512:
      return pairs_avx512(words, blocks, squared, x, y);
    case Simd::kAvx2:
      return pairs_avx2(words, blocks, squared, x, y);
    case Simd::kBaseline:
      return pairs_body(words, blocks, squared, x, y);
  }
}

// Walks over the blocks that hold the elements of `out`, kBlocksAtOnce at a time. `convert` is
// called with the words, the number of blocks, and where their elements go: skip the first `skip`
// elements of the words, write `count`.
template <class T, class Convert>
void fill(std::span<T> out, const Draw& draw, std::uint64_t first_index,
          std::size_t elements_of_block, Convert convert) {
  Words words;
  std::uint64_t block = first_index / elements_of_block;
  std::size_t skip = static_cast<std::size_t>(first_index % elements_of_block);
  while (!out.empty()) {
    const std::size_t needed = (skip + out.size() + elements_of_block - 1) / elements_of_block;
    const std::size_t blocks = std::min(kBlocksAtOnce, needed);
    const std::size_t count = std::min(out.size(), blocks * elements_of_block - skip);
    fill_words(draw, block, blocks, words);
    convert(words, blocks, skip, out.first(count));
    out = out.subspan(count);
    block += blocks;
    skip = 0;
  }
}

std::uint64_t mix(std::uint64_t x) {  // the finaliser of splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

std::array<std::uint32_t, 4> philox(const std::array<std::uint32_t, 4>& counter,
                                    const std::array<std::uint32_t, 2>& key) {
  const philox4x32_ctr_t block = {{counter[0], counter[1], counter[2], counter[3]}};
  const philox4x32_key_t words = {{key[0], key[1]}};
  const philox4x32_ctr_t result = philox4x32_R(10, block, words);
  return {result.v[0], result.v[1], result.v[2], result.v[3]};
}

std::uint64_t stream_key(std::uint64_t seed, std::string_view stream) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : stream) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return mix(hash + mix(seed + 0x9e3779b97f4a7c15));
}

template <class T>
void fill_uniform(std::span<T> out, std::uint64_t key, std::uint64_t step,
                  std::uint64_t first_index) {
  fill(out, Draw{key, step, kUniform}, first_index, 4,
       [](const Words& words, std::size_t, std::size_t skip, std::span<T> to) {
         const std::uint32_t* from = words.data() + skip;
         for (std::size_t i = 0; i < to.size(); ++i) {
           const auto odd = static_cast<std::int32_t>((from[i] >> 9) * 2 + 1);
           to[i] = static_cast<T>(static_cast<float>(odd) * 0x1p-24f);
         }
       });
}

template <class T>
void fill_normal(std::span<T> out, std::uint64_t key, std::uint64_t step,
                 std::uint64_t first_index) {
  fill(out, Draw{key, step, kNormal}, first_index, 2,
       [](const Words& words, std::size_t blocks, std::size_t skip, std::span<T> to) {
         Doubles squared_radius, x, y;
         fill_pairs(words, blocks, squared_radius, x, y);
         std::array<double, 2 * kBlocksAtOnce> normals;
         for (std::size_t i = 0; i < blocks; ++i) {
           const double radius = std::sqrt(squared_radius[i]);
           normals[2 * i] = radius * x[i];
           normals[2 * i + 1] = radius * y[i];
         }
         for (std::size_t i = 0; i < to.size(); ++i) to[i] = static_cast<T>(normals[skip + i]);
       });
}

template void fill_uniform(std::span<float>, std::uint64_t, std::uint64_t, std::uint64_t);
template void fill_uniform(std::span<double>, std::uint64_t, std::uint64_t, std::uint64_t);
template void fill_uniform(std::span<__float128>, std::uint64_t, std::uint64_t, std::uint64_t);
template void fill_normal(std::span<float>, std::uint64_t, std::uint64_t, std::uint64_t);
template void fill_normal(std::span<double>, std::uint64_t, std::uint64_t, std::uint64_t);
template void fill_normal(std::span<__float128>, std::uint64_t, std::uint64_t, std::uint64_t);

}  // namespace jacquard
