// Runs of two ops against the runs of one after the other, bit by bit.
#include "autodiff/pair_runs.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstring>
#include <vector>

#include "autodiff/runs.hpp"
#include "tests/support/random.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr std::int64_t kLongest = 70;

int arity(const Op& op) { return op.arity == kAnyArity ? 2 : op.arity; }

template <class T>
struct Operands {
  std::array<std::vector<T>, 3> values;
  explicit Operands(std::uint64_t seed) {
    Random random(seed);
    for (auto& v : values)
      for (std::int64_t i = 0; i < kLongest; ++i)
        v.push_back(static_cast<T>(random.between(-2, 2)));
  }
  const T* at(std::size_t i) const { return values[i].data(); }
};

// The same by two runs, with what lies between in memory.
template <class T>
std::vector<T> one_by_one(const Op& inner, const Op& outer, std::size_t side, std::size_t numbers,
                          const Operands<T>& in, std::int64_t count, Simd kind) {
  std::vector<T> between(kLongest), result(kLongest, T(-1));
  const auto first = static_cast<std::size_t>(arity(inner));
  const std::size_t of_first = numbers & ((std::size_t{1} << first) - 1);
  runs::of<T>(*inner.runs, kind)[of_first](between.data(), in.at(0), first > 1 ? in.at(1) : nullptr,
                                           nullptr, count);
  std::array<const T*, 2> operands{between.data(), nullptr};
  std::size_t of_second = 0;
  if (arity(outer) == 2) {
    operands = {in.at(first), in.at(first)};
    operands[side] = between.data();
    if ((numbers >> first & 1) != 0) of_second = std::size_t{1} << (1 - side);
  }
  runs::of<T>(*outer.runs, kind)[of_second](result.data(), operands[0], operands[1], nullptr,
                                            count);
  return result;
}

template <class T>
void check_pair(const Op& inner, const Op& outer, std::size_t side, const Runs& pair, Simd kind) {
  const int operands = arity(inner) + arity(outer) - 1;
  for (std::size_t numbers = 0; numbers < std::size_t{1} << operands; ++numbers)
    for (const std::int64_t count : {1, 7, 8, 9, 16, 63, 64, 70}) {
      CAPTURE(numbers);
      CAPTURE(count);
      const Operands<T> in(numbers + static_cast<std::size_t>(count));
      const std::vector<T> want = one_by_one(inner, outer, side, numbers, in, count, kind);
      std::vector<T> got(kLongest, T(-1));
      const auto run = runs::of<T>(pair, kind)[numbers];
      run(got.data(), in.at(0), operands > 1 ? in.at(1) : nullptr,
          operands > 2 ? in.at(2) : nullptr, count);
      CHECK(std::memcmp(got.data(), want.data(), got.size() * sizeof(T)) == 0);
      // Over any operand that is no single number.
      for (std::size_t k = 0; k < static_cast<std::size_t>(operands); ++k) {
        if ((numbers >> k & 1) != 0) continue;
        Operands<T> over(numbers + static_cast<std::size_t>(count));
        run(over.values[k].data(), over.at(0), operands > 1 ? over.at(1) : nullptr,
            operands > 2 ? over.at(2) : nullptr, count);
        CHECK(std::memcmp(over.at(k), want.data(), static_cast<std::size_t>(count) * sizeof(T)) ==
              0);
      }
    }
}

}  // namespace

TEST_CASE_TEMPLATE("pairs: each has the bits of its two ops, whichever operands are numbers", T,
                   float, double) {
  int found = 0;
  for (const Op* inner : all_ops())
    for (const Op* outer : all_ops())
      for (const std::size_t side : {0u, 1u, 2u}) {
        const Runs* pair = pair_runs(*inner, *outer, side);
        if (pair == nullptr) continue;
        CAPTURE(inner->name);
        CAPTURE(outer->name);
        CAPTURE(side);
        REQUIRE(side < static_cast<std::size_t>(arity(*outer)));
        REQUIRE(inner->run_attribute.empty());
        REQUIRE(outer->run_attribute.empty());
        ++found;
        for (const Simd kind : {Simd::kBaseline, Simd::kAvx2, Simd::kAvx512})
          if (kind <= simd()) check_pair<T>(*inner, *outer, side, *pair, kind);
      }
  CHECK(found >= 30);
}
