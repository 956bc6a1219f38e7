#include "experiments/permutation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "experiments/random_stream.hpp"

namespace jacquard::experiments {
namespace {

using Indices = std::vector<std::int64_t>;

// The known answers were computed by a program in another language, from the published definition
// of Philox4x32-10, itself held against the three known answers of Random123.
TEST_CASE("the stream gives its known answers") {
  RandomStream split(1, "split");
  for (const std::uint64_t expected :
       {0x6dc01eb572a8ca06U, 0x08040ebd9f88bc51U, 0x40229a5df554cb6aU, 0x829bcc5dd87448a4U,
        0xc64b31ec2c69de69U})
    CHECK(split.bits() == expected);
  RandomStream epoch(0xfedcba9876543210U, "epoch/3");
  for (const std::uint64_t expected :
       {0x321f150e9b34d60eU, 0xec8011c830a95669U, 0x2f20f6bad8ccba5eU})
    CHECK(epoch.bits() == expected);
}

TEST_CASE("bounded draws refuse what lies above the last whole multiple of the bound") {
  // 3 * 2^62 refuses a quarter of all draws: here the second, the sixth and the ninth.
  RandomStream stream(7, "bounds");
  for (const std::uint64_t expected :
       {6024152063160434238U, 12599250816805969426U, 9567851937619641714U, 13341494270715657466U,
        1814045780409790726U, 7661569514377733928U})
    CHECK(stream.below(std::uint64_t{3} << 62) == expected);
  CHECK(stream.below(1) == 0);
}

TEST_CASE("uniform draws are the upper 53 bits") {
  RandomStream stream(1, "u");
  CHECK(stream.uniform() == 0.0317431160610222);
  CHECK(stream.uniform() == doctest::Approx(0.6541525433871284).epsilon(1e-15));
}

TEST_CASE("normal draws have the moments of the normal distribution") {
  RandomStream stream(3, "normal");
  const int count = 200000;
  std::array<double, 4> moments{};
  for (int i = 0; i < count; ++i) {
    const double z = stream.normal();
    for (std::size_t k = 0; k < 4; ++k) moments[k] += std::pow(z, k + 1) / count;
  }
  CHECK(std::abs(moments[0]) < 5 / std::sqrt(count));
  CHECK(std::abs(moments[1] - 1) < 5 * std::sqrt(2.0 / count));
  CHECK(std::abs(moments[2]) < 5 * std::sqrt(15.0 / count));
  CHECK(std::abs(moments[3] - 3) < 5 * std::sqrt(96.0 / count));
}

TEST_CASE("a permutation gives its known answers") {
  CHECK(permutation(1, "split", 10) == Indices{1, 6, 0, 7, 4, 5, 3, 9, 8, 2});
  CHECK(permutation(1, "epoch/3", 10) == Indices{7, 4, 5, 2, 8, 0, 3, 6, 1, 9});
  CHECK(permutation(2, "split", 10) == Indices{6, 3, 4, 7, 2, 5, 8, 9, 1, 0});
  CHECK(permutation((std::uint64_t{1} << 63) + 5, "split", 12) ==
        Indices{2, 5, 9, 4, 6, 1, 10, 0, 7, 3, 8, 11});
  const Indices large = permutation(1, "split", 60000);
  CHECK(Indices(large.begin(), large.begin() + 5) == Indices{38861, 4929, 50488, 54797, 47930});
  CHECK(Indices(large.end() - 5, large.end()) == Indices{20777, 3286, 35894, 30255, 9222});
}

TEST_CASE("a permutation holds every number once") {
  for (const std::int64_t count : {0, 1, 2, 1000}) {
    Indices order = permutation(5, "any", count);
    std::ranges::sort(order);
    for (std::int64_t i = 0; i < count; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
    CHECK(order.size() == static_cast<std::size_t>(count));
  }
}

TEST_CASE("every order of four is equally likely") {
  std::map<Indices, int> seen;
  const int draws = 24000;
  for (int seed = 0; seed < draws; ++seed)
    ++seen[permutation(static_cast<std::uint64_t>(seed), "four", 4)];
  CHECK(seen.size() == 24);
  double chi_squared = 0;
  for (const auto& [order, times] : seen) chi_squared += (times - 1000.0) * (times - 1000.0) / 1000;
  CHECK(chi_squared < 52);  // 23 degrees of freedom: exceeded once in 2000
}

}  // namespace
}  // namespace jacquard::experiments
