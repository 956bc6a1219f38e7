// The steps that jacquard-bench calls `floor`, derived and fused by hand, against the typed costs
// in the engine's double precision: costs and everything that some steps change.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autodiff/philox.hpp"
#include "tests/benchmarks/floor_tiny.hpp"
#include "tests/benchmarks/training_costs.hpp"

using namespace jacquard;
using namespace jacquard::benchmarks;

namespace {

void start(const std::string& name, InputKind, std::span<double> values) {
  fill_normal(values, 1, name, 0);
  for (double& v : values) v *= 0.5;
}

void start_floats(const std::string& name, InputKind kind, std::span<float> values) {
  std::vector<double> wide(values.size());
  start(name, kind, wide);
  std::ranges::transform(wide, values.begin(), [](double v) { return static_cast<float>(v); });
}

template <class T>
Start<T> start_of() {
  if constexpr (std::is_same_v<T, float>)
    return start_floats;
  else
    return start;
}

template <class T>
double distance(std::span<const T> values, std::span<const double> expected) {
  REQUIRE(values.size() == expected.size());
  double off = 0, size = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double difference = static_cast<double>(values[i]) - expected[i];
    off += difference * difference;
    size += expected[i] * expected[i];
  }
  return std::sqrt(off / size);
}

// Several steps, so that what one leaves behind shows in the next. With one and two threads: sums
// of strips and groups must not depend on who makes them.
template <class T, class Make>
void check_floor(const Make& make, const WriteCost& write, const StepOptions& options,
                 double tolerance) {
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    PlannedStep<double> ours(pool, write, options);
    auto floor = make(pool);
    fill<double>(ours.arrays(), start);
    fill<T>(floor.arrays(), start_of<T>());
    if constexpr (requires { floor.start(); }) floor.start();
    for (int step = 0; step < 3; ++step) {
      CAPTURE(step);
      const double expected = ours.run();
      CHECK(static_cast<double>(floor.run()) == doctest::Approx(expected).epsilon(tolerance));
      const auto all = ours.arrays();
      for (const NamedArray<T>& mine : floor.arrays()) {
        CAPTURE(mine.name);
        const auto other = std::ranges::find(all, mine.name, &NamedArray<double>::name);
        REQUIRE(other != all.end());
        CHECK(distance<T>(mine.values, other->values) < tolerance);
      }
    }
  }
}

template <class T>
constexpr double kTolerance = std::is_same_v<T, float> ? 2e-5 : 1e-12;

template <class T>
void check_tied(const TiedOptions<T>& options) {
  check_floor<T>([&](ThreadPool& pool) { return TiedFloor<T>(pool, options); },
                 [&](Tape& tape) { return tied_autoencoder(tape, options); },
                 {.rate = static_cast<double>(options.rate)}, kTolerance<T>);
}

template <class T>
void check_all_tied(std::int64_t batch, std::int64_t n, std::int64_t m) {
  for (const Loss loss : {Loss::kSquaredError, Loss::kCrossEntropy})
    for (const double contraction : {0.0, 0.75}) {
      CAPTURE(batch);
      CAPTURE(contraction);
      check_tied<T>({batch, n, m, loss, static_cast<T>(contraction), T(0.125)});
    }
}

}  // namespace

TEST_CASE("floor of W1 and W2: a tied step by hand is the typed step") {
  check_all_tied<double>(1, 1, 1);
  check_all_tied<double>(5, 9, 7);
  check_all_tied<double>(3, 40, 150);  // several strips
  check_all_tied<double>(150, 5, 18);  // several logarithms
  check_all_tied<float>(20, 40, 150);
  check_all_tied<float>(150, 33, 17);
}

TEST_CASE("floor of W5: a deep step by hand under Adam is the typed step") {
  const auto check = [](auto number, std::vector<std::int64_t> widths) {
    using T = decltype(number);
    DeepOptions<T> options{.batch = 6, .widths = std::move(widths)};
    options.rate = T(0.0625);
    // In float the quotient of Adam makes noise of gradients that are nearly 0.
    check_floor<T>([&](ThreadPool& pool) { return DeepFloor<T>(pool, options); },
                   [&](Tape& tape) { return deep_autoencoder(tape, options); },
                   {.optimizer = nn::Optimizer{"adam"}, .rate = static_cast<double>(options.rate)},
                   std::is_same_v<T, float> ? 1e-3 : 1e-9);
  };
  check(double{}, {4, 4});
  check(double{}, {5, 7, 3, 7, 5});
  check(double{}, {300, 400, 300});  // several strips of rows
  check(float{}, {20, 35, 20});
}

TEST_CASE("floor of W6: a tiny step by hand is the typed step") {
  const auto check = [](const auto& floor, auto number, TiedOptions<double> options) {
    using T = decltype(number);
    options.rate = 0.125;
    check_floor<T>([&](ThreadPool&) { return floor; },
                   [&](Tape& tape) { return tied_autoencoder(tape, options); },
                   {.rate = options.rate}, kTolerance<T>);
  };
  check(TinyFloor<double, 4, 8, 16>(0.125), double{}, {.batch = 4, .n = 8, .m = 16});
  check(TinyFloor<double, 3, 5, 2>(0.125), double{}, {.batch = 3, .n = 5, .m = 2});
  check(TinyFloor<float, 4, 8, 16>(0.125f), float{}, {.batch = 4, .n = 8, .m = 16});
}

TEST_CASE("floor of W7: gradients of the sparse cost by hand are the typed cost's") {
  const auto check = [](auto number, std::int64_t examples, std::int64_t visible,
                        std::int64_t hidden) {
    using T = decltype(number);
    const SparseOptions<T> options{.examples = examples,
                                   .visible = visible,
                                   .hidden = hidden,
                                   .decay = T(0.25),
                                   .target = T(0.125),
                                   .weight = 3};
    check_floor<T>([&](ThreadPool& pool) { return SparseFloor<T>(pool, options); },
                   [&](Tape& tape) { return sparse_autoencoder(tape, options); },
                   {.optimizer = std::nullopt}, kTolerance<T>);
  };
  check(double{}, 3, 2, 1);
  check(double{}, 2050, 6, 25);  // two chunks in some groups, one in others
  check(float{}, 100, 64, 25);
}

TEST_CASE("floor of W8: gradients of many rounds by hand are the typed cost's") {
  const auto check = [](const auto& floor, auto number) {
    using T = decltype(number);
    check_floor<T>([&](ThreadPool&) { return floor; },
                   [](Tape& tape) { return sigmoid_rounds(tape, 6, 5); },
                   {.optimizer = std::nullopt}, kTolerance<T>);
  };
  check(RoundsFloor<double, 6, 5>(), double{});
  check(RoundsFloor<float, 6, 5>(), float{});
}

TEST_CASE("floors: their exponential is right to 3e-7 wherever floats have one") {
  double worst = 0;
  for (float x = -87; x < 87; x += 0.00317f) {
    const double expected = std::exp(static_cast<double>(x));
    for (const float y : {exponential<true>(x), exponential<false>(x)})
      worst = std::max(worst, std::abs(static_cast<double>(y) / expected - 1));
  }
  CHECK(worst < 3e-7);
  CHECK(logistic<true>(1000.0f) == 1.0f);
  CHECK(logistic<false>(-1000.0f) == logistic<false>(-87.0f));
}
