// Every stable form against what it stands for: value, slope and shape; and where the written one
// fails.
#include "autodiff/stable_forms.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/same_values.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

// Sums need an axis; softmax is one over the last.
const std::vector<Shape> kShapes = {{3}, {2, 3}, {4, 1}, {2, 3, 2}};

bool holds_anywhere(const StableForm& form) {
  for (const std::string_view function : {"softplus", "sigmoid", "tanh", "softmax", "logsumexp"})
    if (form.name.substr(form.name.find('=')).find(function) != std::string_view::npos) return true;
  return false;
}

// The value of a scalar and its slopes by x.
std::vector<Expr> with_slopes(Expr total, Expr x) { return {total, gradient(total, {x})[0]}; }

}  // namespace

TEST_CASE("stable forms: each is found, and has the value, slope and shape of the written one") {
  for (const StableForm& form : stable_forms()) {
    CAPTURE(form.name);
    for (const Shape& shape : kShapes) {
      CAPTURE(shape);
      Tape tape;
      Random random(7);
      const Expr x = tape.input("x", shape, InputKind::kParameter);
      const Expr written = form.written(x, {-1}), stable = form.stable(x, {-1});
      const Expr weights = tape.input("weights", written.shape());
      const Feed<double> feed = {{"x", random.tensor(shape, {form.low, form.high})},
                                 {"weights", random.tensor(written.shape())}};
      REQUIRE(written.shape() == stable.shape());
      CHECK(in_stable_forms(std::vector<Expr>{written})[0] == stable);
      // In a larger expression, by the pass and before the gradient is taken.
      const Expr cost = sum(sin(written * 0.7) * weights);
      const std::vector<Expr> roots = with_slopes(cost, x);
      check_same_values(tape, roots, prepare(tape, roots), feed, 1e-26);
      const Expr kept = in_stable_forms(std::vector<Expr>{cost})[0];
      CHECK(kept != cost);
      check_same_values(tape, roots, live_part(tape, with_slopes(kept, x)), feed, 1e-26);
      CHECK(simplified(cost) == kept);
    }
  }
}

TEST_CASE("stable forms: values and slopes are finite where the written ones overflow") {
  for (const StableForm& form : stable_forms()) {
    if (!holds_anywhere(form)) continue;
    CAPTURE(form.name);
    Tape tape;
    const Expr x = tape.input("x", {2, 3}, InputKind::kParameter);
    const Expr total = in_stable_forms(std::vector<Expr>{sum(form.written(x, {-1}))})[0];
    Feed<float> feed = {{"x", Tensor<float>(Shape{2, 3}, 0.0F)}};
    feed.at("x").data = {-1000, 0, 1000, -200, 90, -90};
    for (const Tensor<float>& value : Interpreter<float>(tape, with_slopes(total, x)).run(feed))
      for (const float v : value.data) CHECK(std::isfinite(v));
  }
}

TEST_CASE("stable forms: what is stable, or only looks alike, stays") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3}), y = tape.input("y", {2, 3});
  for (const Expr e :
       {logsumexp(x), log_softmax(x), logsumexp(x, {0}, true), softplus(x), log(3.0 + exp(x) * y),
        log(2.0 + exp(x)), exp(x) / (1.0 + exp(y)), (exp(x) - exp(-y)) / (exp(x) + exp(-x)),
        1.0 / (1.0 - exp(x) * y), exp(x) / sum(exp(y), {-1}, true), log(sum(exp(x) * y)),
        exp(x) / sum(exp(x), {}, true), sqrt(x * y), log(sigmoid(x) + 1e-10 * y)})
    CHECK(in_stable_forms(std::vector<Expr>{e})[0] == e);
}

TEST_CASE("stable forms: forms within forms, names and other roots") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3});
  const Expr h = 1.0 / (1.0 + exp(-x));
  tape.label(h, "h");
  const std::vector<Expr> roots = in_stable_forms({log(h), h, log(1.0 - h), x});
  CHECK(roots == std::vector<Expr>{-softplus(-x), sigmoid(x), -softplus(x), x});
  CHECK(tape.label(roots[1].id) == "h");
  const Graph graph = in_stable_forms(live_part(tape, std::vector{log(h), h}));
  CHECK(graph.tape->label(graph.roots[1].id) == "h");
  CHECK(in_stable_forms(std::vector<Expr>{}).empty());
}
