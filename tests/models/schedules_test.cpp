// Schedules by name, each against a loop over its definition.
#include "models/schedules.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "models/model.hpp"

using namespace jacquard;
using models::Schedule;

namespace {

double value_at(const Schedule& schedule, double epoch, double step) {
  Tape tape;
  models::Model model(tape, {}, {});
  return evaluate<double>(
      model.scalar(models::schedule_text(schedule)),
      {{"epoch", Tensor<double>({}, epoch)}, {"step", Tensor<double>({}, step)}})[0];
}

// `wanted` knows the value after t epochs or steps.
void check_follows(const Schedule& schedule, const std::function<double(int t)>& wanted) {
  CAPTURE(schedule.kind);
  Schedule steps = schedule;
  steps.options["per_step"] = 1;
  for (int t = 0; t < 40; ++t) {
    CAPTURE(t);
    CHECK(value_at(schedule, t + 1, 1000 * t) == doctest::Approx(wanted(t)).epsilon(1e-13));
    CHECK(value_at(steps, 7, t) == doctest::Approx(wanted(t)).epsilon(1e-13));
  }
  // Before the training, monitors see the first value.
  CHECK(value_at(schedule, 0, 0) == doctest::Approx(wanted(0)).epsilon(1e-13));
}

}  // namespace

TEST_CASE("an exponential schedule multiplies by its factor down to its least value") {
  check_follows({"exponential", {{"from", 0.5}, {"factor", 0.9}, {"to", 0.03}}}, [](int t) {
    double rate = 0.5;
    for (int i = 0; i < t; ++i) rate *= 0.9;
    return std::max(0.03, rate);
  });
  check_follows({"exponential", {{"from", 2}, {"factor", 0.5}, {"start", 5}}}, [](int t) {
    double rate = 2;
    for (int i = 5; i < t; ++i) rate *= 0.5;
    return rate;
  });
}

TEST_CASE("a linear schedule goes from its first to its last value, up or down") {
  for (const double last : {0.9, 0.1})
    check_follows({"linear", {{"from", 0.5}, {"to", last}, {"over", 12}, {"start", 3}}},
                  [last](int t) {
                    if (t <= 3) return 0.5;
                    if (t >= 15) return last;
                    return 0.5 + (last - 0.5) * (t - 3) / 12;
                  });
}

TEST_CASE("an inverse schedule has half its value after `half`") {
  check_follows({"inverse", {{"from", 0.4}, {"half", 6}, {"to", 0.07}, {"start", 2}}},
                [](int t) { return std::max(0.07, t <= 2 ? 0.4 : 0.4 * 6 / (6 + t - 2)); });
}

TEST_CASE("an annealed schedule is constant, then falls as 1/t") {
  check_follows({"annealed", {{"from", 0.4}, {"start", 10}}},
                [](int t) { return t + 1 <= 10 ? 0.4 : 0.4 * 10 / (t + 1); });
}

TEST_CASE("a cosine schedule is half a wave") {
  check_follows({"cosine", {{"from", 1}, {"to", 0.2}, {"over", 20}, {"start", 4}}}, [](int t) {
    const double share = std::min(1.0, std::max(0, t - 4) / 20.0);
    return 0.2 + 0.8 * std::pow(std::cos(share * std::acos(-1.0) / 2), 2);
  });
}

TEST_CASE("a constant schedule is a number, and what is missing or unknown is refused") {
  CHECK(models::schedule_text({"constant", {{"from", 0.25}}}) == "0.25");
  CHECK_THROWS_AS(models::schedule_text({"linear", {{"from", 1}, {"to", 2}}}), SpecError);
  CHECK_THROWS_AS(models::schedule_text({"expo", {{"from", 1}}}), SpecError);
}
