// What is done to parameters after a step, against loops over plain numbers.
#include "nn/constraints.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"

using namespace jacquard;

namespace {

Tensor<double> random_matrix(std::int64_t rows, std::int64_t columns, unsigned seed) {
  std::mt19937 generator(seed);
  std::normal_distribution<double> normal;
  Tensor<double> value(Shape{rows, columns});
  for (double& v : value.data) v = normal(generator);
  return value;
}

double norm(const Tensor<double>& w, std::int64_t axis, std::int64_t at) {
  double squares = 0;
  const std::int64_t rows = w.shape[0], columns = w.shape[1];
  for (std::int64_t i = 0; i < (axis == 0 ? rows : columns); ++i) {
    const double v = axis == 0 ? w[i * columns + at] : w[at * columns + i];
    squares += v * v;
  }
  return std::sqrt(squares);
}

Tensor<double> bounded(const Tensor<double>& w, const nn::NormBounds& bounds) {
  Tape tape;
  return evaluate<double>(nn::with_bounded_norms(tape.input("w", w.shape), bounds), {{"w", w}});
}

}  // namespace

TEST_CASE("norms of columns and rows are scaled into their bounds, others stay bit for bit") {
  const Tensor<double> w = random_matrix(7, 5, 1);
  for (const std::int64_t axis : {0, 1}) {
    const nn::NormBounds bounds{axis, 2, 2.5};
    const Tensor<double> got = bounded(w, bounds);
    for (std::int64_t at = 0; at < w.shape[axis == 0 ? 1 : 0]; ++at) {
      const double before = norm(w, axis, at), after = norm(got, axis, at);
      CHECK(after == doctest::Approx(std::clamp(before, 2.0, 2.5)).epsilon(1e-14));
      const std::int64_t first = axis == 0 ? at : at * w.shape[1];
      if (before >= 2 && before <= 2.5) CHECK(got[first] == w[first]);
      CHECK(got[first] / w[first] == doctest::Approx(after / before).epsilon(1e-14));
    }
  }
}

TEST_CASE("a norm of 0 stays 0, and nothing becomes not a number") {
  Tensor<double> w = random_matrix(3, 2, 2);
  for (const std::int64_t i : {0, 2, 4}) w[i] = 0;  // the first column
  const Tensor<double> got = bounded(w, {0, 1, 1});
  CHECK(norm(got, 0, 0) == 0);
  CHECK(norm(got, 0, 1) == doctest::Approx(1).epsilon(1e-15));
}

TEST_CASE("bounds that cannot be are refused") {
  Tape tape;
  const Expr w = tape.input("w", {2, 3});
  CHECK_THROWS_WITH_AS(nn::with_bounded_norms(w, {0, 2, 1}),
                       "norms: [2, 1] is no interval of norms", Error);
  CHECK_THROWS_WITH_AS(nn::with_bounded_norms(w, {2, 0, 1}),
                       "norms: axis 2 of a tensor of shape [2, 3]; it has the axes 0 to 1",
                       ShapeError);
}

TEST_CASE("the running average is the mean of the values that counted") {
  Tape tape;
  const Expr w = tape.input("w", {2}, InputKind::kParameter), epoch = tape.input("epoch", {});
  nn::OptimizerStep step = nn::sgd({w}, {w}, constant(tape, 0.3));
  nn::add_average(step, {w}, greater_equal(epoch, constant(tape, 3)));
  REQUIRE(step.state.size() == 2);
  CHECK(step.state[0].name == "average/count");
  CHECK(step.state[1].name == "average/w");
  Feed<double> feed{{"w", {Shape{2}, {1, -2}}},
                    {"average/count", Tensor<double>({}, 0)},
                    {"average/w", Tensor<double>({2}, 0)}};
  double value = 1, sum = 0, count = 0;
  for (int e = 1; e <= 6; ++e) {
    feed.insert_or_assign("epoch", Tensor<double>({}, e));
    std::vector<Expr> roots;
    for (const Update& u : step.updates) roots.push_back(u.value);
    const auto values = Interpreter<double>(tape, roots).run(feed);
    for (std::size_t i = 0; i < roots.size(); ++i)
      feed.insert_or_assign(input_name(tape.node(step.updates[i].target)), values[i]);
    value *= 0.7;
    if (e >= 3) {
      sum += value;
      ++count;
    }
    const double wanted = e >= 3 ? sum / count : value;
    CHECK(feed.at("average/w")[0] == doctest::Approx(wanted).epsilon(1e-14));
    CHECK(feed.at("average/w")[1] == doctest::Approx(-2 * wanted).epsilon(1e-14));
  }
}
