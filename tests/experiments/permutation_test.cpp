#include "experiments/permutation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
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
       {0xc2a9ccbd5e9a4221U, 0xa6168aacbbbde4b7U, 0x3739e8c806c19f9bU, 0x8fb6cda1cd35170aU,
        0xe86f00b257e79a3aU})
    CHECK(split.bits() == expected);
  RandomStream epoch(0xfedcba9876543210U, "epoch/3");
  for (const std::uint64_t expected :
       {0x3cc8a8ed2a7da550U, 0x22bf2f6f358a1c88U, 0x631b5fd20cd66677U})
    CHECK(epoch.bits() == expected);
}

TEST_CASE("bounded draws refuse what lies above the last whole multiple of the bound") {
  // 3 * 2^62 refuses a quarter of all draws: here the third, the fourth and the fifth.
  RandomStream stream(7, "bounds");
  for (const std::uint64_t expected :
       {13064625340678300864U, 10363208925669315229U, 3711604946251856224U, 4746507950856701547U,
        8789864344478620721U, 12674118665071113858U})
    CHECK(stream.below(std::uint64_t{3} << 62) == expected);
  CHECK(stream.below(1) == 0);
}

TEST_CASE("a permutation gives its known answers") {
  CHECK(permutation(1, "split", 10) == Indices{7, 5, 6, 1, 0, 8, 2, 9, 4, 3});
  CHECK(permutation(1, "epoch/3", 10) == Indices{1, 5, 9, 3, 6, 2, 8, 7, 0, 4});
  CHECK(permutation(2, "split", 10) == Indices{6, 8, 5, 4, 9, 7, 2, 0, 3, 1});
  CHECK(permutation((std::uint64_t{1} << 63) + 5, "split", 12) ==
        Indices{5, 8, 10, 11, 2, 0, 3, 7, 9, 6, 1, 4});
  const Indices large = permutation(1, "split", 60000);
  CHECK(Indices(large.begin(), large.begin() + 5) == Indices{2527, 54339, 8914, 49967, 688});
  CHECK(Indices(large.end() - 5, large.end()) == Indices{11414, 52369, 29967, 15541, 33473});
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
