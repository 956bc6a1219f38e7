#include "autodiff/philox.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "autodiff/simd.hpp"

using namespace jacquard;

namespace {

using Block = std::array<std::uint32_t, 4>;

template <class T>
std::vector<T> uniforms(std::size_t count, std::uint64_t seed, const char* stream,
                        std::uint64_t step, std::uint64_t first = 0) {
  std::vector<T> out(count);
  fill_uniform(std::span<T>(out), seed, stream, step, first);
  return out;
}

template <class T>
std::vector<T> normals(std::size_t count, std::uint64_t seed, const char* stream,
                       std::uint64_t step, std::uint64_t first = 0) {
  std::vector<T> out(count);
  fill_normal(std::span<T>(out), seed, stream, step, first);
  return out;
}

// The mapping of the header, word for word, on the generator that the known answers prove.
Block block_of(std::uint64_t key, std::uint64_t block, std::uint64_t step, bool normal) {
  return philox({static_cast<std::uint32_t>(block),
                 static_cast<std::uint32_t>(block >> 32) | (normal ? 0x80000000u : 0u),
                 static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)},
                {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)});
}

double uniform_by_definition(std::uint64_t key, std::uint64_t step, std::uint64_t index) {
  const std::uint32_t word = block_of(key, index / 4, step, false)[index % 4];
  return std::ldexp(static_cast<double>((word >> 9) * 2 + 1), -24);
}

long double normal_by_definition(std::uint64_t key, std::uint64_t step, std::uint64_t index) {
  const Block w = block_of(key, index / 2, step, true);
  const std::uint64_t first = (std::uint64_t{w[1]} << 32 | w[0]) >> 12;
  const std::uint64_t second = (std::uint64_t{w[3]} << 32 | w[2]) >> 12;
  const long double u = std::ldexp(static_cast<long double>(first * 2 + 1), -53);
  const long double radius = std::sqrt(-2 * std::log(u));
  const std::uint64_t quarter = second >> 50;
  const std::uint64_t rest = second & ((std::uint64_t{1} << 50) - 1);
  const long double f = std::ldexp(static_cast<long double>(rest * 2 + 1), -51) - 0.5L;
  const long double half_pi = std::acos(-1.0L) / 2;
  // cos(q pi/2 + x) by cases, for a product of pi with a large number loses digits.
  const long double c = std::cos(f * half_pi), s = std::sin(f * half_pi);
  const long double x[] = {c, -s, -c, s}, y[] = {s, c, -s, -c};
  return radius * (index % 2 == 0 ? x[quarter] : y[quarter]);
}

template <class T>
std::uint64_t hash_of(const std::vector<T>& values) {  // FNV-1a over the bytes
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto* bytes = reinterpret_cast<const unsigned char*>(values.data());
  for (std::size_t i = 0; i < values.size() * sizeof(T); ++i) {
    hash = (hash ^ bytes[i]) * 0x100000001b3;
  }
  return hash;
}

struct Moments {
  double mean, variance, skew, kurtosis;
};
Moments moments(const std::vector<double>& x) {
  const double n = static_cast<double>(x.size());
  double mean = 0;
  for (const double v : x) mean += v / n;
  double m2 = 0, m3 = 0, m4 = 0;
  for (const double v : x) {
    const double d = v - mean;
    m2 += d * d / n;
    m3 += d * d * d / n;
    m4 += d * d * d * d / n;
  }
  return {mean, m2, m3 / std::pow(m2, 1.5), m4 / (m2 * m2)};
}

double correlation(const std::vector<double>& x, const std::vector<double>& y) {
  const Moments mx = moments(x), my = moments(y);
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += (x[i] - mx.mean) * (y[i] - my.mean);
  return sum / static_cast<double>(x.size()) / std::sqrt(mx.variance * my.variance);
}

}  // namespace

TEST_CASE("philox gives the known answers of Random123") {
  CHECK(philox({0, 0, 0, 0}, {0, 0}) == Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint32_t ones = 0xffffffff;
  CHECK(philox({ones, ones, ones, ones}, {ones, ones}) ==
        Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
        Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("draws: uniforms and normals are those of the documented mapping") {
  const std::uint64_t key = stream_key(5, "noise");
  const std::uint64_t step = 0x123456789abcdef;
  // The last two cross from one half of the block counter to the other.
  for (const std::uint64_t first : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{4001},
                                    (std::uint64_t{1} << 34) - 600, (std::uint64_t{1} << 33) - 5}) {
    const auto u = uniforms<double>(1500, 5, "noise", step, first);
    const auto z = normals<double>(1500, 5, "noise", step, first);
    bool same = true;
    long double worst = 0;
    for (std::size_t i = 0; i < u.size(); ++i) {
      same = same && u[i] == uniform_by_definition(key, step, first + i);
      const long double exact = normal_by_definition(key, step, first + i);
      worst = std::max(worst, std::abs((static_cast<long double>(z[i]) - exact) / exact));
    }
    CHECK(same);
    CHECK(worst < 4 * 0x1p-53L);
  }
}

TEST_CASE("draws: the key is the documented hash of seed and stream") {
  // FNV-1a (64 bit) of "" and of "a" from its published test vectors; splitmix64 seeded with 0
  // gives e220a8397b1dcdaf first, which is mix(0x9e3779b97f4a7c15).
  const auto mix = [](std::uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
  };
  CHECK(mix(0x9e3779b97f4a7c15) == 0xe220a8397b1dcdaf);
  CHECK(stream_key(0, "") == mix(0xcbf29ce484222325 + 0xe220a8397b1dcdaf));
  CHECK(stream_key(0, "a") == mix(0xaf63dc4c8601ec8c + 0xe220a8397b1dcdaf));
  std::set<std::uint64_t> keys;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    for (const char* stream : {"", "a", "b", "ab", "ba", "hidden/1", "hidden/2"}) {
      keys.insert(stream_key(seed, stream));
    }
  }
  CHECK(keys.size() == 700);
}

TEST_CASE("draws: the first thousand numbers of a stream never change") {
  CHECK(hash_of(uniforms<float>(1000, 1, "frozen", 2)) == 0x11caa22bfce31103);
  CHECK(hash_of(normals<double>(1000, 1, "frozen", 2)) == 0x37331740a058fce3);
  CHECK(hash_of(normals<float>(1000, 1, "frozen", 2)) == 0x16aa58ecffb9c19f);
}

TEST_CASE("draws: an element depends on its index alone, however a range is cut") {
  const auto u = uniforms<float>(2000, 3, "s", 1, 7);
  const auto z = normals<float>(2000, 3, "s", 1, 7);
  for (const std::size_t piece : {1u, 2u, 3u, 5u, 64u, 511u, 513u, 1999u}) {
    std::vector<float> cut_u(2000), cut_z(2000);
    for (std::size_t at = 0; at < 2000; at += piece) {
      const std::size_t count = std::min<std::size_t>(piece, 2000 - at);
      fill_uniform(std::span<float>(cut_u).subspan(at, count), 3, "s", 1, 7 + at);
      fill_normal(std::span<float>(cut_z).subspan(at, count), 3, "s", 1, 7 + at);
    }
    CHECK(cut_u == u);
    CHECK(cut_z == z);
  }
  std::vector<float> none;
  fill_uniform(std::span<float>(none), 3, "s", 1);
  fill_normal(std::span<float>(none), 3, "s", 1);
}

TEST_CASE("draws: float, double and quad see the same noise") {
  const auto u = uniforms<double>(3000, 11, "s", 4);
  const auto z = normals<double>(3000, 11, "s", 4);
  const auto u_float = uniforms<float>(3000, 11, "s", 4);
  const auto z_float = normals<float>(3000, 11, "s", 4);
  const auto u_quad = uniforms<__float128>(3000, 11, "s", 4);
  const auto z_quad = normals<__float128>(3000, 11, "s", 4);
  bool same = true;
  for (std::size_t i = 0; i < u.size(); ++i) {
    same = same && static_cast<double>(u_float[i]) == u[i] && u_quad[i] == u[i];
    same = same && z_float[i] == static_cast<float>(z[i]) && z_quad[i] == z[i];
  }
  CHECK(same);
}

TEST_CASE("draws: every processor gives the same bits") {
  const auto u = uniforms<double>(5000, 2, "s", 6);
  const auto z = normals<double>(5000, 2, "s", 6);
  for (const Simd most : {Simd::kBaseline, Simd::kAvx2}) {
    limit_simd(most);
    CHECK(uniforms<double>(5000, 2, "s", 6) == u);
    CHECK(normals<double>(5000, 2, "s", 6) == z);
  }
  limit_simd(Simd::kAvx512);
}

TEST_CASE("draws: uniforms lie inside (0, 1) and are spread evenly") {
  const auto u = uniforms<double>(1 << 20, 42, "u", 0);
  CHECK(*std::min_element(u.begin(), u.end()) >= 0x1p-24);
  CHECK(*std::max_element(u.begin(), u.end()) <= 1 - 0x1p-24);
  const Moments m = moments(u);  // tolerances: five standard errors
  CHECK(std::abs(m.mean - 0.5) < 5 * std::sqrt(1 / 12.0) / 1024);
  CHECK(std::abs(m.variance - 1 / 12.0) < 5 * std::sqrt(1 / 180.0) / 1024);
  std::vector<double> counts(1024, 0);
  for (const double v : u) counts[static_cast<std::size_t>(v * 1024)] += 1;
  double chi_square = 0;
  for (const double c : counts) chi_square += (c - 1024) * (c - 1024) / 1024;
  CHECK(std::abs(chi_square - 1023) < 5 * std::sqrt(2 * 1023.0));
}

TEST_CASE("draws: normals have the moments and tails of the normal distribution") {
  const auto z = normals<double>(1 << 20, 42, "z", 0);
  const double n = static_cast<double>(z.size());
  const Moments m = moments(z);  // tolerances: five standard errors
  CHECK(std::abs(m.mean) < 5 * std::sqrt(1 / n));
  CHECK(std::abs(m.variance - 1) < 5 * std::sqrt(2 / n));
  CHECK(std::abs(m.skew) < 5 * std::sqrt(6 / n));
  CHECK(std::abs(m.kurtosis - 3) < 5 * std::sqrt(24 / n));
  for (const double limit : {0.1, 0.5, 1.0, 2.0, 3.0, 4.0}) {
    const double expected = n * std::erfc(limit / std::sqrt(2.0));
    const auto beyond = static_cast<double>(
        std::count_if(z.begin(), z.end(), [&](double v) { return std::abs(v) > limit; }));
    CHECK(std::abs(beyond - expected) < 5 * std::sqrt(expected));
  }
}

TEST_CASE("draws: neighbours, steps, streams, seeds and kinds are not correlated") {
  const std::size_t n = 1 << 16;
  const double allowed = 5 / std::sqrt(static_cast<double>(n));
  const auto z = normals<double>(n, 1, "a", 0);
  CHECK(std::abs(correlation(z, normals<double>(n, 1, "a", 0, 1))) < allowed);
  CHECK(std::abs(correlation(z, normals<double>(n, 1, "a", 0, 2))) < allowed);
  CHECK(std::abs(correlation(z, normals<double>(n, 1, "a", 1))) < allowed);
  CHECK(std::abs(correlation(z, normals<double>(n, 1, "b", 0))) < allowed);
  CHECK(std::abs(correlation(z, normals<double>(n, 2, "a", 0))) < allowed);
  std::vector<double> squares(n);
  for (std::size_t i = 0; i < n; ++i) squares[i] = z[i] * z[i];
  const auto u = uniforms<double>(n, 1, "a", 0);
  CHECK(std::abs(correlation(z, u)) < allowed);
  CHECK(std::abs(correlation(squares, u)) < allowed);
  std::vector<double> next_squares(squares.begin() + 1, squares.end());
  squares.pop_back();
  CHECK(std::abs(correlation(squares, next_squares)) < allowed);
}
