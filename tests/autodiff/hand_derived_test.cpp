// The step that jacquard-bench calls `hand` in J2 and J3s, against the gradient of the typed cost,
// never rewritten, evaluated by the plain interpreter in quad precision.
#include "tests/benchmarks/hand_derived.hpp"

#include <doctest/doctest.h>

#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"

using namespace jacquard;
using benchmarks::HandDerivedStep;
using benchmarks::PenaltySizes;

namespace {

struct Truth {
  Tape tape;
  Feed<Quad> feed;
  std::vector<Tensor<Quad>> values;  // the cost, then its gradients for W, b, c and an untied V

  Truth(const PenaltySizes& s, bool tied) {
    const Expr x = input("x", {s.batch, s.n});
    const Expr w = input("W", {s.n, s.m}), b = input("b", {s.m}), c = input("c", {s.q});
    const Expr v = tied ? w : input("V", {s.q, s.m});
    const Expr h = sigmoid(matmul(sigmoid(matmul(x, w) + b), transpose(v)) + c);
    const Expr cost = mean(sqnorm(jacobian(h, x)));
    std::vector<Expr> roots{cost}, parameters{w, b, c};
    if (!tied) parameters.push_back(v);
    for (const Expr& g : gradient(cost, parameters)) roots.push_back(g);
    values = Interpreter<Quad>(tape, roots).run(feed);
  }

 private:
  Expr input(const std::string& name, const Shape& shape) {
    Tensor<Quad> value(shape);
    fill_normal(std::span<Quad>(value.data), 1, name, 0);
    feed[name] = std::move(value);
    return tape.input(name, shape);
  }
};

template <class T>
double distance(const std::vector<T>& a, const std::vector<Quad>& b) {
  REQUIRE(a.size() == b.size());
  Quad off(0), size(0);
  for (std::size_t i = 0; i < a.size(); ++i) {
    const Quad difference = static_cast<Quad>(a[i]) - b[i];
    off += difference * difference;
    size += b[i] * b[i];
  }
  return static_cast<double>(number::sqrt(off / size));
}

template <class T>
void check_step(const PenaltySizes& s, bool tied, double tolerance) {
  CAPTURE(s.batch);
  CAPTURE(s.n);
  CAPTURE(s.m);
  CAPTURE(s.q);
  CAPTURE(tied);
  const Truth truth(s, tied);
  ThreadPool pool(2);
  HandDerivedStep<T> step(pool, s, tied);
  const auto value_of = [&](const char* name) { return cast<T>(truth.feed.at(name)).data; };
  step.x = value_of("x");
  step.w = value_of("W");
  step.b = value_of("b");
  step.c = value_of("c");
  if (!tied) step.v = value_of("V");
  // Twice, so that what the first step left behind shows in the second.
  for (int i = 0; i < 2; ++i)
    CHECK(distance(std::vector<T>{step.run(T(0))}, truth.values[0].data) < tolerance);
  CHECK(distance(step.dw, truth.values[1].data) < tolerance);
  CHECK(distance(step.db, truth.values[2].data) < tolerance);
  CHECK(distance(step.dc, truth.values[3].data) < tolerance);
  if (!tied) CHECK(distance(step.dv, truth.values[4].data) < tolerance);
}

}  // namespace

TEST_CASE("the two-layer penalty derived by hand has the gradient of the typed one") {
  check_step<double>({.batch = 1, .n = 1, .m = 1, .q = 1}, false, 1e-12);
  check_step<double>({.batch = 3, .n = 5, .m = 7, .q = 2}, false, 1e-12);
  check_step<double>({.batch = 13, .n = 4, .m = 3, .q = 6}, false, 1e-12);
  check_step<double>({.batch = 2, .n = 6, .m = 131, .q = 5}, false, 1e-12);  // three blocks of G
  check_step<float>({.batch = 3, .n = 5, .m = 37, .q = 4}, false, 1e-4);
}

TEST_CASE("chunks of several examples give the same two-layer penalty") {
  check_step<double>({.batch = 47, .n = 2, .m = 3, .q = 200}, false, 1e-12);  // 2 + 2 + 1 examples
}

TEST_CASE("the reconstruction penalty derived by hand has the gradient of the typed one") {
  check_step<double>({.batch = 1, .n = 1, .m = 1, .q = 1}, true, 1e-12);
  check_step<double>({.batch = 12, .n = 6, .m = 5, .q = 6}, true, 1e-12);
  check_step<double>({.batch = 2, .n = 7, .m = 70, .q = 7}, true, 1e-12);
  check_step<float>({.batch = 3, .n = 9, .m = 33, .q = 9}, true, 1e-4);
}

TEST_CASE("a step derived by hand moves every parameter against its gradient") {
  ThreadPool pool(1);
  HandDerivedStep<double> step(pool, {.batch = 4, .n = 3, .m = 5, .q = 2}, false);
  for (std::vector<double>* values : {&step.x, &step.w, &step.b, &step.v, &step.c})
    fill_normal(std::span<double>(*values), 1, "values", 0);
  const auto w = step.w, b = step.b, v = step.v, c = step.c;
  const auto moved = [](const auto& before, const auto& after, const auto& gradient) {
    for (std::size_t i = 0; i < before.size(); ++i)
      CHECK(after[i] == doctest::Approx(before[i] - 0.5 * gradient[i]).epsilon(1e-14));
  };
  step.run(0.5);
  moved(w, step.w, step.dw);
  moved(b, step.b, step.db);
  moved(v, step.v, step.dv);
  moved(c, step.c, step.dc);
}
