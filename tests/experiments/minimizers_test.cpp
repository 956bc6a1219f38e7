// Minimizers on functions whose minimum is known.
#include "experiments/minimizers.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

using Point = std::vector<double>;

double rosenbrock(std::span<const double> x, std::span<double> g) {
  double cost = 0;
  std::ranges::fill(g, 0.0);
  for (std::size_t i = 0; i + 1 < x.size(); ++i) {
    const double a = 1 - x[i], b = x[i + 1] - x[i] * x[i];
    cost += a * a + 100 * b * b;
    g[i] += -2 * a - 400 * x[i] * b;
    g[i + 1] += 200 * b;
  }
  return cost;
}

// sum_i i^2 x_i^2 / 2 + a coupling: a quadratic whose minimum is at 1.
double bowl(std::span<const double> x, std::span<double> g) {
  double cost = 0, sum = 0;
  for (const double v : x) sum += v - 1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double weight = static_cast<double>((i + 1) * (i + 1));
    cost += weight * (x[i] - 1) * (x[i] - 1) / 2;
    g[i] = weight * (x[i] - 1) + sum;
  }
  return cost + sum * sum / 2;
}

double distance_from_one(const Point& x) {
  double most = 0;
  for (const double v : x) most = std::max(most, std::abs(v - 1));
  return most;
}

nn::Choice lbfgs() { return {"lbfgs", {}}; }
nn::Choice conjugate() { return {"conjugate_gradient", {}}; }

}  // namespace

TEST_CASE("minimizers find the minimum of a quadratic and of Rosenbrock's valley") {
  for (const nn::Choice& choice : {lbfgs(), conjugate()}) {
    CAPTURE(choice.kind);
    Point x(12, -1.5);
    Minimizer quadratic(choice, x.size());
    int steps = 0;
    for (; steps < 200 && quadratic.step(bowl, x) == Minimized::kMoved; ++steps) continue;
    CHECK(distance_from_one(x) < 1e-7);
    CHECK(steps < 100);
    Point y = {-1.2, 1, -1.2, 1};
    Minimizer valley(choice, y.size());
    double before = INFINITY;
    for (steps = 0; steps < 1000 && valley.step(rosenbrock, y) == Minimized::kMoved; ++steps) {
      CHECK(valley.cost() < before);
      before = valley.cost();
    }
    CHECK(distance_from_one(y) < 1e-5);
    CHECK(valley.evaluations() < 1000);
  }
}

TEST_CASE("a minimizer that is saved and read back makes the same steps, bit for bit") {
  for (const nn::Choice& choice : {lbfgs(), conjugate()}) {
    CAPTURE(choice.kind);
    Point straight = {-1.2, 1, 0.3, 2, -0.7}, broken = straight;
    Minimizer whole(choice, straight.size());
    std::map<std::string, Tensor<double>> state;
    for (int i = 0; i < 40; ++i) {
      whole.step(rosenbrock, straight);
      Minimizer part(choice, broken.size());
      part.restore(state);
      part.step(rosenbrock, broken);
      state = part.state();
      CHECK(straight == broken);
    }
  }
}

TEST_CASE("costs that are not finite on the way are stepped back from") {
  // Finite only for x > 0: the minimum is at 1, and the first steps are too long.
  const auto barrier = [](std::span<const double> x, std::span<double> g) {
    g[0] = 1000 * (1 - 1 / x[0]);
    return x[0] > 0 ? 1000 * (x[0] - std::log(x[0])) : NAN;
  };
  for (const nn::Choice& choice : {lbfgs(), conjugate()}) {
    Point x = {20};
    Minimizer minimizer(choice, 1);
    for (int i = 0; i < 60 && minimizer.step(barrier, x) == Minimized::kMoved; ++i) continue;
    CHECK(x[0] == doctest::Approx(1).epsilon(1e-6));
  }
  Point bad = {-1};
  CHECK(Minimizer(lbfgs(), 1).step(barrier, bad) == Minimized::kNotFinite);
  CHECK(bad[0] == -1);
}

TEST_CASE("at a minimum nothing moves") {
  Point x(3, 1.0);
  Minimizer minimizer(lbfgs(), 3);
  CHECK(minimizer.step(bowl, x) == Minimized::kConverged);
  CHECK(x == Point(3, 1.0));
}
