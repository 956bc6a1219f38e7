// Code of several operations against the runs of one after the other, bit by bit.
#include "autodiff/arithmetic_code.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/runs.hpp"
#include "autodiff/simd.hpp"
#include "tests/support/random.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr std::int64_t kLongest = 77;

const Op& op_of(Arithmetic operation) {
  for (const Op* op : all_ops())
    if (op->arithmetic == operation) return *op;
  throw InternalError("no op is this instruction");
}

int arity_of(Arithmetic operation) {
  const int arity = op_of(operation).arity;
  return arity == kAnyArity ? 2 : arity;
}

std::uint8_t below(Random& random, std::size_t count) {
  return static_cast<std::uint8_t>(random.between(0, static_cast<double>(count)));
}

// Steps read what came before, rather the latest; what nothing reads is stored, and some more.
ArithmeticChain random_chain(Random& random, std::size_t most_steps) {
  ArithmeticChain chain;
  const std::size_t loads = 1 + below(random, 5), steps = 1 + below(random, most_steps);
  for (std::size_t v = 0; v < loads; ++v) chain.loads.push_back(below(random, 3) == 0);
  std::vector<bool> is_read(loads + steps, false);
  for (std::size_t i = 0; i < steps; ++i) {
    const auto operand = [&] {
      const std::size_t values = loads + i, recent = std::min<std::size_t>(values, 4);
      const std::uint8_t v = below(random, 2) == 0
                                 ? below(random, values)
                                 : static_cast<std::uint8_t>(values - 1 - below(random, recent));
      is_read[v] = true;
      return v;
    };
    const auto operation = static_cast<Arithmetic>(1 + below(random, 7));
    const std::uint8_t a = operand();
    chain.steps.push_back({operation, a, arity_of(operation) == 2 ? operand() : std::uint8_t{0}});
  }
  for (std::size_t v = loads; v < loads + steps; ++v)
    if (!is_read[v] || below(random, 4) == 0) chain.stored.push_back(static_cast<std::uint8_t>(v));
  return chain;
}

template <class T>
std::vector<std::vector<T>> random_loads(const ArithmeticChain& chain, Random& random) {
  constexpr T kInfinity = std::numeric_limits<T>::infinity();
  const std::vector<T> special{0,
                               -T(0),
                               kInfinity,
                               -kInfinity,
                               std::numeric_limits<T>::min() / 4,
                               std::numeric_limits<T>::quiet_NaN()};
  std::vector<std::vector<T>> values(chain.loads.size());
  for (auto& v : values)
    for (std::int64_t i = 0; i < kLongest; ++i)
      v.push_back(below(random, 12) == 0 ? special[below(random, special.size())]
                                         : static_cast<T>(random.between(-2, 2)));
  return values;
}

// All values, each by the run of its op.
template <class T>
std::vector<std::vector<T>> one_by_one(const ArithmeticChain& chain,
                                       std::vector<std::vector<T>> values, std::int64_t count) {
  for (const ArithmeticChain::Step& step : chain.steps) {
    const auto is_number = [&](std::size_t v) { return v < chain.loads.size() && chain.loads[v]; };
    const bool two = arity_of(step.operation) == 2;
    const std::size_t numbers =
        std::size_t{is_number(step.a)} | (two && is_number(step.b) ? std::size_t{2} : 0);
    // Runs look at the first element in any case.
    std::vector<T> result(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)));
    runs::of<T>(*op_of(step.operation).runs, Simd::kBaseline)[numbers](
        result.data(), values[step.a].data(), two ? values[step.b].data() : nullptr, nullptr,
        count);
    values.push_back(std::move(result));
  }
  return values;
}

// Which of several NaNs an addition passes on is the compiler's choice of operands.
template <class T>
bool same(const T* a, const T* b, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i)
    if (std::memcmp(a + i, b + i, sizeof(T)) != 0 && !(std::isnan(a[i]) && std::isnan(b[i])))
      return false;
  return true;
}

template <class T>
void check_chain(const ArithmeticChain& chain, Random& random) {
  const ArithmeticCode<T> code = arithmetic_code<T>(chain);
  REQUIRE((code != nullptr));
  auto loads = random_loads<T>(chain, random);
  for (const std::int64_t count : {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 64, 77}) {
    const auto expected = one_by_one<T>(chain, loads, count);
    std::vector<std::vector<T>> stored(chain.stored.size(), std::vector<T>(kLongest + 1, T(-7)));
    std::vector<T*> places;
    for (auto& v : loads) places.push_back(v.data());
    for (auto& v : stored) places.push_back(v.data());
    code(places.data(), count);
    bool right = true;
    for (std::size_t s = 0; s < stored.size(); ++s) {
      right = right && same(stored[s].data(), expected[chain.stored[s]].data(), count);
      for (std::size_t i = static_cast<std::size_t>(count); i < stored[s].size(); ++i)
        right = right && stored[s][i] == T(-7);  // nothing behind the last element
    }
    CAPTURE(count);
    CHECK(right);
  }
}

bool has_code() { return simd() != Simd::kBaseline; }

}  // namespace

TEST_CASE("code of random chains gives the bits of one operation after the other") {
  if (!has_code()) return;
  Random random(11);
  int checked = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const ArithmeticChain chain = random_chain(random, trial % 2 == 0 ? 4 : 30);
    CAPTURE(trial);
    if (chain.loads.size() + chain.stored.size() > kMostPlaces || !fits_registers(chain)) continue;
    check_chain<float>(chain, random);
    check_chain<double>(chain, random);
    ++checked;
  }
  CHECK(checked > 200);
}

TEST_CASE("code writes over what it has loaded") {
  if (!has_code()) return;
  // m' = a m + b g; w' = w - m' / sqrt(v): over m and over w.
  using enum Arithmetic;
  const ArithmeticChain chain{{true, false, true, false, false, false},
                              {{kMultiply, 0, 1},
                               {kMultiply, 2, 3},
                               {kAdd, 6, 7},
                               {kSqrt, 4, 0},
                               {kDivide, 8, 9},
                               {kSubtract, 5, 10}},
                              {8, 11}};
  std::vector<std::vector<float>> loads(6, std::vector<float>(kLongest));
  Random random(3);
  for (auto& v : loads)
    for (float& x : v) x = static_cast<float>(random.between(0.1, 2));
  const auto expected = one_by_one<float>(chain, loads, kLongest);
  std::vector<float*> places;
  for (auto& v : loads) places.push_back(v.data());
  places.push_back(loads[1].data());
  places.push_back(loads[5].data());
  arithmetic_code<float>(chain)(places.data(), kLongest);
  CHECK(loads[1] == expected[8]);
  CHECK(loads[5] == expected[11]);
}

TEST_CASE("chains that need too much are known, and refused") {
  // All loads are needed again after all were loaded: one register each, and the sum's.
  const auto wide = [](std::size_t loads) {
    ArithmeticChain chain{std::vector<bool>(loads, false), {}, {}};
    for (const bool again : {false, true})
      for (std::size_t v = 0; v < loads; ++v) {
        const std::size_t last = chain.steps.empty() ? 0 : loads + chain.steps.size() - 1;
        chain.steps.push_back({again ? Arithmetic::kMultiply : Arithmetic::kAdd,
                               static_cast<std::uint8_t>(v), static_cast<std::uint8_t>(last)});
      }
    chain.stored = {static_cast<std::uint8_t>(3 * loads - 1)};
    return chain;
  };
  CHECK(fits_registers(wide(11)));
  CHECK(!fits_registers(wide(14)));
  if (!has_code()) return;
  CHECK((arithmetic_code<float>(wide(11)) != nullptr));
  CHECK((arithmetic_code<float>(wide(11)) == arithmetic_code<float>(wide(11))));
  CHECK_THROWS_AS(arithmetic_code<float>(wide(14)), InternalError);
  limit_simd(Simd::kBaseline);
  CHECK((arithmetic_code<float>(wide(11)) == nullptr));
  limit_simd(Simd::kAvx512);
}
