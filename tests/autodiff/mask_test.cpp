#include "autodiff/mask.hpp"

#include <doctest/doctest.h>

#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/random.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr int kConditions = 4;

// Every assignment of truth to the conditions at once: element i of condition k is bit k of i.
struct Truth {
  Tape tape;
  std::vector<Expr> conditions;
  Feed<double> feed;

  Truth() {
    for (int k = 0; k < kConditions; ++k) {
      const std::string name = cat("c", k);
      conditions.push_back(tape.input(name, {1 << kConditions}));
      Tensor<double> values({1 << kConditions});
      for (std::int64_t i = 0; i < values.size(); ++i) values[i] = (i >> k & 1) != 0 ? 1 : 0;
      feed[name] = values;
    }
  }

  std::vector<bool> of(Expr mask) const {
    std::vector<bool> truth(1 << kConditions, true);
    if (!mask) return truth;
    const Tensor<double> value = evaluate<double>(mask, feed);
    for (std::size_t i = 0; i < truth.size(); ++i)
      truth[i] = value[static_cast<std::int64_t>(i)] != 0;
    return truth;
  }

  // A conjunction of some conditions, some of them negated.
  Expr random_mask(Random& random) {
    Expr mask;
    for (const Expr& c : conditions)
      if (random.coin()) mask = both(mask, random.below(4) == 0 ? logical_not(c) : c);
    return mask ? mask : conditions[0];
  }
};

}  // namespace

TEST_CASE("both masks hold where each does, and equal conditions are named once") {
  Truth t;
  const Expr a = t.conditions[0], b = t.conditions[1], ab = both(a, b);
  CHECK(both({}, a) == a);
  CHECK(both(a, {}) == a);
  CHECK(both(a, a) == a);
  CHECK(both(ab, b) == ab);
  CHECK(both(b, ab) == ab);
  CHECK(both(ab, both(b, a)) == ab);
  CHECK_EQ(conditions(t.tape, ab), Conditions{a.id, b.id});
  Random random(1);
  for (int trial = 0; trial < 200; ++trial) {
    const Expr x = t.random_mask(random), y = t.random_mask(random);
    const std::vector<bool> tx = t.of(x), ty = t.of(y), got = t.of(both(x, y));
    for (std::size_t i = 0; i < got.size(); ++i) CHECK_EQ(got[i], tx[i] && ty[i]);
  }
}

TEST_CASE("either of several masks holds where one does, and keeps what they have in common") {
  Truth t;
  const Expr a = t.conditions[0], b = t.conditions[1], c = t.conditions[2];
  CHECK(either({a, both(a, b)}) == a);
  CHECK(!either({a, logical_not(a)}));
  CHECK(either({both(a, b), both(a, logical_not(b))}) == a);
  const Expr common = either({both(a, b), both(a, c)});
  CHECK(both(common, a) == common);
  CHECK(both(a, common) == common);
  Random random(2);
  for (int trial = 0; trial < 500; ++trial) {
    std::vector<Expr> masks;
    std::vector<bool> expected(1 << kConditions, false);
    for (std::int64_t k = 0; k < 2 + random.below(3); ++k) {
      masks.push_back(t.random_mask(random));
      const std::vector<bool> truth = t.of(masks.back());
      for (std::size_t i = 0; i < truth.size(); ++i) expected[i] = expected[i] || truth[i];
    }
    CHECK_EQ(t.of(either(masks)), expected);
  }
}

TEST_CASE("masks of very many conditions are given up, never wrong") {
  Tape tape;
  std::vector<Expr> masks;
  Expr all;
  for (int k = 0; k < 200; ++k) {
    masks.push_back(tape.input(cat("c", k), {}));
    all = both(all, masks.back());
  }
  CHECK(!either(masks));
  Feed<double> feed;
  for (int k = 0; k < 200; ++k) feed[cat("c", k)] = Tensor<double>({}, 1.0);
  CHECK_EQ(evaluate<double>(all, feed)[0], 1);
  feed["c77"][0] = 0;
  CHECK_EQ(evaluate<double>(all, feed)[0], 0);
}
