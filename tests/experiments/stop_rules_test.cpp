// Rules that end a training, and the rate that monitors drive: against loops of a few lines.
#include "experiments/stop_rules.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "experiments/rate_adjuster.hpp"

using namespace jacquard::experiments;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

StopRule rule(const std::string& kind, std::map<std::string, double> options, bool higher = false) {
  return {{kind, std::move(options)}, "valid/cost", higher, {}};
}

// The number of checks after which the rule held for the first time; 0 if it never did. The memory
// is written and read back before every check.
int ends_after(const StopRule& rule, const std::vector<double>& values) {
  auto check = make_stop_check(rule);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string memory = check->memory().dump();
    check = make_stop_check(rule);
    check->restore(nlohmann::json::parse(memory));
    if (check->check({{"train/cost", 0.0}, {"valid/cost", values[i]}}))
      return static_cast<int>(i) + 1;
  }
  return 0;
}

// Pylearn2's MonitorBased, as a loop.
int countdown_loop(double decrease, int n, const std::vector<double>& values) {
  double best = std::numeric_limits<double>::infinity();
  int left = n;
  for (std::size_t i = 0; i < values.size(); ++i) {
    left = values[i] < (1 - decrease) * best ? n : left - 1;
    if (values[i] < best) best = values[i];
    if (left <= 0) return static_cast<int>(i) + 1;
  }
  return 0;
}

int no_improvement_loop(double by, std::size_t n, const std::vector<double>& values) {
  for (std::size_t i = n; i < values.size(); ++i) {
    double before = std::numeric_limits<double>::infinity(), recent = before;
    for (std::size_t k = 0; k <= i; ++k)
      if (!std::isnan(values[k]))
        (k + n <= i ? before : recent) = std::min(k + n <= i ? before : recent, values[k]);
    const bool improved =
        std::isinf(before) ? !std::isinf(recent) : recent < before - by * std::abs(before);
    if (!improved) return static_cast<int>(i) + 1;
  }
  return 0;
}

std::vector<double> random_series(unsigned seed, double noise) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values;
  for (int i = 0; i < 60; ++i)
    values.push_back(i % 17 == 16 ? kNan : 10 * std::exp(-0.1 * i) + 1 + noise * normal(generator));
  return values;
}

std::vector<double> negated(std::vector<double> values) {
  for (double& v : values) v = -v;
  return values;
}

}  // namespace

TEST_CASE("the countdown is Pylearn2's rule") {
  for (unsigned seed = 0; seed < 50; ++seed)
    for (const double decrease : {0.0, 0.01, 0.1})
      for (const int n : {1, 3, 10}) {
        const auto values = random_series(seed, 0.1 * seed);
        CAPTURE(seed);
        CHECK(ends_after(rule("countdown", {{"decrease", decrease}, {"checks", n}}), values) ==
              countdown_loop(decrease, n, values));
      }
}

TEST_CASE("the countdown ends where Pylearn2's did") {
  // Nine per cent every epoch is steady progress, and too little for a decrease of ten: the best of
  // all so far is what each check is measured by.
  std::vector<double> steady;
  for (int i = 0; i < 30; ++i) steady.push_back(std::pow(0.91, i));
  CHECK(ends_after(rule("countdown", {{"decrease", 0.1}, {"checks", 10}}), steady) == 11);
  const StopRule ten = rule("countdown", {{"decrease", 0.01}, {"checks", 10}});
  CHECK(ends_after(ten, std::vector<double>(40, 2.0)) == 11);
  CHECK(ends_after(ten, std::vector<double>(40, -2.0)) == 0);  // never: a defect that is part of it
  CHECK(ends_after(ten, std::vector<double>(40, kNan)) == 10);
}

TEST_CASE("no improvement is measured against the best before the last checks") {
  for (unsigned seed = 0; seed < 50; ++seed)
    for (const double by : {0.0, 0.01, 0.1})
      for (const int n : {1, 3, 10}) {
        const auto values = random_series(seed, 0.1 * seed);
        CAPTURE(seed);
        CHECK(ends_after(rule("no_improvement", {{"by", by}, {"checks", n}}), values) ==
              no_improvement_loop(by, static_cast<std::size_t>(n), values));
        CHECK(ends_after(rule("no_improvement", {{"by", by}, {"checks", n}}, true),
                         negated(values)) ==
              no_improvement_loop(by, static_cast<std::size_t>(n), values));
      }
  // What surprises in the countdown does not happen: steady progress goes on, and a negative
  // constant ends.
  std::vector<double> steady;
  for (int i = 0; i < 30; ++i) steady.push_back(std::pow(0.91, i));
  const StopRule ten = rule("no_improvement", {{"by", 0.1}, {"checks", 10}});
  CHECK(ends_after(ten, steady) == 0);
  CHECK(ends_after(ten, std::vector<double>(40, -2.0)) == 11);
}

TEST_CASE("what is not a number is no improvement and no target") {
  CHECK(ends_after(rule("no_improvement", {{"checks", 3}}), {5, kNan, kNan, kNan, kNan}) == 4);
  CHECK(ends_after(rule("no_improvement", {{"checks", 3}}), {kNan, kNan, kNan, kNan}) == 4);
  CHECK(ends_after(rule("no_improvement", {{"checks", 3}}, true), {5, kNan, kNan, kNan}) == 4);
  CHECK(ends_after(rule("target", {{"value", 1}}), {kNan, 2, kNan, 1}) == 4);
  CHECK(ends_after(rule("target", {{"value", 1}}, true), {kNan, 0.5, kNan, 1.5}) == 4);
}

TEST_CASE("several rules end a training together or each alone") {
  const StopRule low = rule("target", {{"value", 3}});
  const StopRule flat = rule("no_improvement", {{"checks", 2}});
  const std::vector<double> values = {9, 7, 7, 7, 2, 1, 1, 1, 1};
  CHECK(ends_after(low, values) == 5);
  CHECK(ends_after(flat, values) == 4);
  CHECK(ends_after({{"any", {}}, "", false, {low, flat}}, values) == 4);
  CHECK(ends_after({{"all", {}}, "", false, {low, flat}}, values) == 8);
  CHECK(stop_text({{"all", {}}, "", false, {low, flat}}) ==
        "valid/cost reached 3, and valid/cost did not improve for 2 checks");
}

TEST_CASE("the adjusted rate follows Pylearn2's MonitorBasedLRAdjuster") {
  const RateAdjuster usual{"", {"adjusted", {{"from", 0.1}}}};
  const auto adjusted = [&](double rate, double v, double u) {
    return adjusted_rate(usual, rate, v, u);
  };
  CHECK(adjusted(0.1, 1.01, 1) == 0.1 * 0.99);  // worse
  CHECK(adjusted(0.1, 1, 1) == 0.1 * 1.01);     // as good: grows
  CHECK(adjusted(0.1, 0.995, 1) == 0.1 * 1.01);
  CHECK(adjusted(0.1, 0.99, 1) == 0.1);  // better by a hundredth
  CHECK(adjusted(0.1, 0.5, 1) == 0.1);
  CHECK(adjusted(0.1, kNan, 1) == 0.1);
  CHECK(adjusted(0.1, 1, kNan) == 0.1);
  CHECK(adjusted(5, 0.5, 1) == 1);  // a rate above the largest becomes the largest
  CHECK(adjusted(1e-9, 2, 1) == 1e-7);
  CHECK(adjusted(0.1, -2, -1) == 0.1 * 1);  // of what is below 0: no growth
  CHECK(adjusted(0.1, -1, -2) == 0.1 * 0.99);
  double rate = 0.1;
  int epochs = 0;
  for (; rate > 0.05; ++epochs) rate = adjusted(rate, 2, 1);
  CHECK(epochs == 69);
}
