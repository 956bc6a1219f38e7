#include "autodiff/memory.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "tests/support/random.hpp"

using namespace jacquard;
using jacquard::testing::Random;

namespace {

std::int64_t rounded(std::int64_t bytes) {
  return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

// The most that lives at one time: no placement needs less.
std::int64_t lower_bound(const std::vector<Lifetime>& lifetimes) {
  std::map<std::int64_t, std::int64_t> change;
  for (const Lifetime& l : lifetimes) {
    change[l.first] += rounded(l.bytes);
    change[l.last + 1] -= rounded(l.bytes);
  }
  std::int64_t now = 0, most = 0;
  for (const auto& [time, bytes] : change) most = std::max(most, now += bytes);
  return most;
}

bool apart(const std::vector<Lifetime>& lifetimes, const Placement& p) {
  for (std::size_t i = 0; i < lifetimes.size(); ++i) {
    const Lifetime& a = lifetimes[i];
    if (p.offsets[i] < 0 || p.offsets[i] % kAlignment != 0 || p.offsets[i] + a.bytes > p.bytes)
      return false;
    for (std::size_t j = 0; j < i; ++j) {
      const Lifetime& b = lifetimes[j];
      const bool meet = a.first <= b.last && b.first <= a.last;
      const bool overlap = p.offsets[i] < p.offsets[j] + b.bytes &&
                           p.offsets[j] < p.offsets[i] + a.bytes && a.bytes > 0 && b.bytes > 0;
      if (meet && overlap) return false;
    }
  }
  return true;
}

std::vector<Lifetime> random_lifetimes(Random& random) {
  std::vector<Lifetime> result(static_cast<std::size_t>(random.below(80)));
  const std::int64_t end = 1 + random.below(60);
  for (Lifetime& l : result) {
    l.bytes = random.below(8) == 0 ? random.below(3) : random.below(2000);
    l.first = random.below(end);
    l.last = l.first + random.below(random.coin() ? 3 : 40);
  }
  if (random.coin()) std::ranges::sort(result, {}, &Lifetime::first);
  return result;
}

}  // namespace

TEST_CASE("memory: blocks that live at the same time never overlap") {
  Random random(1);
  double waste = 0;
  constexpr int kCases = 3000;
  for (int i = 0; i < kCases; ++i) {
    const std::vector<Lifetime> lifetimes = random_lifetimes(random);
    const Placement p = place(lifetimes);
    CAPTURE(i);
    REQUIRE(p.offsets.size() == lifetimes.size());
    REQUIRE(apart(lifetimes, p));
    const std::int64_t least = lower_bound(lifetimes);
    REQUIRE(p.bytes >= least);
    if (least > 0) waste += static_cast<double>(p.bytes) / static_cast<double>(least) - 1;
  }
  CHECK(waste / kCases < 0.1);
}

TEST_CASE("memory: simple patterns need no more than what lives at once") {
  const auto tight = [](const std::vector<Lifetime>& lifetimes) {
    const Placement p = place(lifetimes);
    return apart(lifetimes, p) && p.bytes == lower_bound(lifetimes);
  };
  CHECK(tight({}));
  CHECK(tight({{100, 0, 0}}));
  CHECK(tight({{0, 0, 5}, {0, 1, 2}}));
  SUBCASE("one after the other") {
    std::vector<Lifetime> chain;
    for (std::int64_t i = 0; i < 100; ++i) chain.push_back({1000, i, i});
    CHECK(tight(chain));
  }
  SUBCASE("each read by the next") {
    std::vector<Lifetime> chain;
    for (std::int64_t i = 0; i < 100; ++i) chain.push_back({1000, i, i + 1});
    CHECK(tight(chain));
    CHECK(place(chain).bytes == 2 * 1024);
  }
  SUBCASE("as in a network: kept forwards, given back backwards") {
    std::vector<Lifetime> nest;
    for (std::int64_t i = 0; i < 50; ++i) nest.push_back({64 * (1 + i % 7), i, 200 - i});
    CHECK(tight(nest));
  }
  SUBCASE("growing ones take the end of the arena with them") {
    std::vector<Lifetime> growing;
    for (std::int64_t i = 0; i < 20; ++i) growing.push_back({64 * (i + 1), i, i});
    CHECK(tight(growing));
  }
  SUBCASE("a large one made of the gaps that two neighbours left") {
    CHECK(tight({{640, 0, 1}, {640, 0, 1}, {64, 0, 9}, {1280, 2, 3}}));
  }
}

TEST_CASE("memory: the best gap is taken, not the first") {
  // A gap of 1024 bytes and one of 128 are free when 128 bytes are asked for.
  const Placement p = place({{1024, 0, 0}, {64, 0, 9}, {128, 0, 0}, {64, 0, 9}, {128, 1, 2}});
  CHECK(p.offsets == std::vector<std::int64_t>{0, 1024, 1088, 1216, 1088});
  CHECK(p.bytes == 1280);
}

TEST_CASE("memory: the placement does not depend on the order of equal blocks' neighbours") {
  Random random(9);
  for (int i = 0; i < 50; ++i) {
    const std::vector<Lifetime> lifetimes = random_lifetimes(random);
    CHECK(place(lifetimes).offsets == place(lifetimes).offsets);
  }
}
