// Code of several operations against the runs of one after the other, bit by bit.
#include "autodiff/vector_code.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/runs.hpp"
#include "autodiff/simd.hpp"
#include "tests/support/random.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr std::int64_t kLongest = 77;

int arity_of(const Op& op) { return op.arity == kAnyArity ? 2 : op.arity; }

// Those that code is made of for numbers of both types, and those that are one instruction.
std::vector<const Op*> coded_ops() {
  std::vector<const Op*> ops;
  for (const Op* op : all_ops())
    if (op->runs != nullptr && runs::recording_of<float>(*op->runs).complete) ops.push_back(op);
  return ops;
}
std::vector<const Op*> short_ops() {
  std::vector<const Op*> ops = coded_ops();
  std::erase_if(ops, [](const Op* op) {
    return runs::recording_of<float>(*op->runs).instructions.size() != 1;
  });
  return ops;
}

const Op& op_named(std::string_view name) {
  for (const Op* op : coded_ops())
    if (op->name == name) return *op;
  throw InternalError(cat("no op with code is called ", name));
}

// A chain by ops, for numbers of either type.
struct OpChain {
  std::vector<bool> loads;
  struct Step {
    const Op* op;
    std::array<std::uint8_t, 3> operands{};
  };
  std::vector<Step> steps;
  std::vector<std::uint8_t> stored;

  template <class T>
  VectorChain of() const {
    VectorChain chain{loads, {}, stored};
    for (const Step& step : steps)
      chain.steps.push_back({&runs::recording_of<T>(*step.op->runs), step.operands});
    return chain;
  }
};

std::uint8_t below(Random& random, std::size_t count) {
  return static_cast<std::uint8_t>(random.between(0, static_cast<double>(count)));
}

// Steps read what came before, rather the latest; what nothing reads is stored, and some more.
OpChain random_chain(Random& random, const std::vector<const Op*>& ops, std::size_t most_steps) {
  OpChain chain;
  const std::size_t loads = 1 + below(random, 5), steps = 1 + below(random, most_steps);
  for (std::size_t v = 0; v < loads; ++v) chain.loads.push_back(below(random, 3) == 0);
  std::vector<bool> is_read(loads + steps, false);
  for (std::size_t i = 0; i < steps; ++i) {
    OpChain::Step step{ops[below(random, ops.size())]};
    for (int k = 0; k < arity_of(*step.op); ++k) {
      const std::size_t values = loads + i, recent = std::min<std::size_t>(values, 4);
      const std::uint8_t v = below(random, 2) == 0
                                 ? below(random, values)
                                 : static_cast<std::uint8_t>(values - 1 - below(random, recent));
      is_read[v] = true;
      step.operands[static_cast<std::size_t>(k)] = v;
    }
    chain.steps.push_back(step);
  }
  for (std::size_t v = loads; v < loads + steps; ++v)
    if (!is_read[v] || below(random, 4) == 0) chain.stored.push_back(static_cast<std::uint8_t>(v));
  return chain;
}

template <class T>
std::vector<std::vector<T>> random_loads(const OpChain& chain, Random& random) {
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
std::vector<std::vector<T>> one_by_one(const OpChain& chain, std::vector<std::vector<T>> values,
                                       std::int64_t count) {
  for (const OpChain::Step& step : chain.steps) {
    std::size_t numbers = 0;
    std::array<const T*, 3> operands{};
    for (std::size_t k = 0; k < static_cast<std::size_t>(arity_of(*step.op)); ++k) {
      const std::uint8_t v = step.operands[k];
      if (v < chain.loads.size() && chain.loads[v]) numbers |= std::size_t{1} << k;
      operands[k] = values[v].data();
    }
    // Runs look at the first element in any case.
    std::vector<T> result(static_cast<std::size_t>(std::max<std::int64_t>(count, 1)));
    runs::of<T>(*step.op->runs)[numbers](result.data(), operands[0], operands[1], operands[2],
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

// The kinds of code that this machine runs.
template <class Each>
void for_each_kind(const Each& each) {
  const Simd best = simd();
  for (const Simd kind : {Simd::kAvx2, Simd::kAvx512}) {
    if (kind > best) break;
    limit_simd(kind);
    CAPTURE(static_cast<int>(kind));
    each();
  }
  limit_simd(Simd::kAvx512);
}

// Where results may lie: for each of what is stored a load, or none (-1). Not over a load that a
// later step is the first to read, or where another result is already.
std::vector<int> random_places(const OpChain& chain, Random& random) {
  const std::size_t loads = chain.loads.size(), steps = chain.steps.size();
  std::vector<std::size_t> first_read(loads, 0);
  for (std::size_t i = steps; i-- > 0;)
    for (int k = 0; k < arity_of(*chain.steps[i].op); ++k)
      if (const std::size_t v = chain.steps[i].operands[static_cast<std::size_t>(k)]; v < loads)
        first_read[v] = i;
  std::vector<int> places;
  for (const std::uint8_t value : chain.stored) {
    const std::size_t v = below(random, 2 * loads);
    const bool may = v < loads && !chain.loads[v] && first_read[v] <= value - loads &&
                     std::ranges::find(places, static_cast<int>(v)) == places.end();
    places.push_back(may ? static_cast<int>(v) : -1);
  }
  return places;
}

template <class T>
void check_chain(const OpChain& chain, Random& random) {
  const VectorCode<T> code = vector_code<T>(chain.of<T>());
  REQUIRE((code != nullptr));
  const auto original = random_loads<T>(chain, random);
  for (const std::int64_t count : {0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 64, 77}) {
    const auto expected = one_by_one<T>(chain, original, count);
    auto loads = original;
    std::vector<std::vector<T>> apart(chain.stored.size(), std::vector<T>(kLongest, T(-7)));
    const std::vector<int> over = random_places(chain, random);
    std::vector<T*> places;
    for (auto& v : loads) places.push_back(v.data());
    for (std::size_t s = 0; s < over.size(); ++s)
      places.push_back(over[s] < 0 ? apart[s].data()
                                   : loads[static_cast<std::size_t>(over[s])].data());
    code(places.data(), count);
    bool right = true;
    for (std::size_t s = 0; s < over.size(); ++s) {
      const T* const got = places[loads.size() + s];
      const std::vector<T>& before = over[s] < 0 ? std::vector<T>(kLongest, T(-7))
                                                 : original[static_cast<std::size_t>(over[s])];
      right = right && same(got, expected[chain.stored[s]].data(), count) &&
              same(got + count, before.data() + count, kLongest - count);  // nothing behind the end
    }
    CAPTURE(count);
    CHECK(right);
  }
}

template <class T>
bool check_if_it_fits(const OpChain& chain, Random& random) {
  if (chain.loads.size() + chain.stored.size() > kMostPlaces) return false;
  if (!fits_registers<T>(chain.of<T>())) return false;
  for_each_kind([&] { check_chain<T>(chain, random); });
  return true;
}

}  // namespace

TEST_CASE("code of every op gives the bits of its run") {
  if (!has_vector_code()) return;
  Random random(5);
  for (const Op* op : coded_ops())
    for (unsigned numbers = 0; numbers < 1u << arity_of(*op); ++numbers) {
      OpChain chain{{}, {{op, {0, 1, 2}}}, {}};
      for (int k = 0; k < arity_of(*op); ++k) chain.loads.push_back((numbers >> k & 1) != 0);
      chain.stored = {static_cast<std::uint8_t>(arity_of(*op))};
      CAPTURE(op->name);
      CAPTURE(numbers);
      for (int trial = 0; trial < 10; ++trial) {
        CHECK(check_if_it_fits<float>(chain, random));
        CHECK(check_if_it_fits<double>(chain, random));
      }
    }
  CHECK(coded_ops().size() >= 28);
}

TEST_CASE("code of random chains gives the bits of one operation after the other") {
  if (!has_vector_code()) return;
  Random random(11);
  const auto all = coded_ops(), plain = short_ops();
  int checked = 0;
  for (int trial = 0; trial < 400; ++trial) {
    const OpChain chain =
        random_chain(random, trial % 4 < 2 ? all : plain, trial % 2 == 0 ? 4 : 30);
    CAPTURE(trial);
    checked += check_if_it_fits<float>(chain, random);
    checked += check_if_it_fits<double>(chain, random);
  }
  CHECK(checked > 500);
}

TEST_CASE("code writes over what it has loaded") {
  if (!has_vector_code()) return;
  // m' = a m + b g; w' = w - m' / sqrt(v): over m and over w.
  const Op *multiply = &op_named("multiply"), *add = &op_named("add");
  const OpChain chain{{true, false, true, false, false, false},
                      {{multiply, {0, 1}},
                       {multiply, {2, 3}},
                       {add, {6, 7}},
                       {&op_named("sqrt"), {4}},
                       {&op_named("divide"), {8, 9}},
                       {&op_named("subtract"), {5, 10}}},
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
  vector_code<float>(chain.of<float>())(places.data(), kLongest);
  CHECK(loads[1] == expected[8]);
  CHECK(loads[5] == expected[11]);
}

TEST_CASE("chains that need too much are known, and refused") {
  // All loads are needed again after all were loaded: one register each, and the sum's.
  const auto wide = [](std::size_t loads) {
    OpChain chain{std::vector<bool>(loads, false), {}, {}};
    for (const char* name : {"add", "multiply"})
      for (std::size_t v = 0; v < loads; ++v) {
        const std::size_t last = chain.steps.empty() ? 0 : loads + chain.steps.size() - 1;
        chain.steps.push_back(
            {&op_named(name), {static_cast<std::uint8_t>(v), static_cast<std::uint8_t>(last)}});
      }
    chain.stored = {static_cast<std::uint8_t>(3 * loads - 1)};
    return chain.of<float>();
  };
  CHECK(fits_registers<float>(wide(12)));
  CHECK(!fits_registers<float>(wide(15)));
  if (!has_vector_code()) return;
  CHECK((vector_code<float>(wide(12)) != nullptr));
  CHECK((vector_code<float>(wide(12)) == vector_code<float>(wide(12))));
  CHECK_THROWS_AS(vector_code<float>(wide(15)), InternalError);
  limit_simd(Simd::kBaseline);
  CHECK((vector_code<float>(wide(12)) == nullptr));
  limit_simd(Simd::kAvx512);
}

TEST_CASE("a copy reads before a later step writes there") {
  if (!has_vector_code()) return;
  const Op *copy = &op_named("stop_gradient"), *square = &op_named("square");
  const OpChain chain{
      {false, false}, {{copy, {0}}, {square, {1}}, {&op_named("add"), {2, 3}}}, {3, 4}};
  std::vector<float> r{1, 2, 3}, a{4, 5, 6}, z(3);
  const std::array<float*, 4> places{r.data(), a.data(), r.data(), z.data()};
  for_each_kind([&] {
    r = {1, 2, 3};
    vector_code<float>(chain.of<float>())(places.data(), 3);
    CHECK(r == std::vector<float>{16, 25, 36});
    CHECK(z == std::vector<float>{17, 27, 39});
  });
}

namespace {

struct ChoiceOfAnotherWidth {
  auto operator()(auto x) const {
    const auto y = widened(x);
    return narrowed(choose(x < decltype(x)(0), y, y * 2.0));
  }
};
struct PowerOfTwo {
  auto operator()(auto x) const { return number::pow(decltype(x)(2), x); }
};
struct UnusedHalf {
  auto operator()(auto x) const {
    const auto unused = x / (x + x);
    const auto also_unused = unused * unused;
    static_cast<void>(also_unused);
    return x * x;
  }
};

}  // namespace

TEST_CASE("a recording has what its result needs, and refuses what no vector does") {
  const Recording short_one = recorded<UnusedHalf, 1, double>();
  CHECK_EQ(short_one.instructions.size(), 1);
  CHECK_EQ(short_one.result, 1);
  CHECK(short_one.complete);
  CHECK(!recorded<PowerOfTwo, 1, float>().complete);
  CHECK_THROWS_AS((recorded<ChoiceOfAnotherWidth, 1, float>()), InternalError);
  CHECK(!std::is_convertible_v<double, Recorded<float>>);
  CHECK(std::is_convertible_v<int, Recorded<float>>);
}

TEST_CASE("functions that are no instructions of vectors are known") {
  for (const Op* op : all_ops()) {
    if (op->runs == nullptr) continue;
    const bool called = op->name == "sin" || op->name == "cos" || op->name.starts_with("power");
    CAPTURE(op->name);
    CHECK_EQ(runs::recording_of<float>(*op->runs).complete, !called);
    CHECK_EQ(runs::recording_of<double>(*op->runs).complete, !called);
  }
}
