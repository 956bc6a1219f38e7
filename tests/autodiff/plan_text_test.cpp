// What plans make of six small training steps, as `show --plan` prints it: which nodes are computed
// together, what is written where, and which updates are made in place.
#include <doctest/doctest.h>

#include <cmath>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/plan.hpp"
#include "tests/support/golden.hpp"

using namespace jacquard;
using jacquard::testing::golden;

namespace {

// C++ leaves the order of a call's arguments to the compiler, and with it the order in which nodes
// are recorded; which of them are computed together follows that order. The kept texts are g++'s;
// plans of other compilers compute the same operations.
std::set<std::string> operations(const std::string& text) {
  const std::regex numbers("%[0-9]+"), places("(, [0-9.]+ k?B)?( at [0-9]+| in place)?$");
  std::istringstream lines(text);
  std::set<std::string> result;
  for (std::string line; std::getline(lines, line);)
    if (line.find('=') != line.npos) {
      line = std::regex_replace(line.substr(line.find('%')), numbers, "%");
      result.insert(std::regex_replace(line, places, ""));
    }
  return result;
}

bool same_plan(const std::string& a, const std::string& b) {
#ifdef __clang__
  constexpr bool kInOrder = false;
#else
  constexpr bool kInOrder = true;
#endif
  return kInOrder ? a == b : operations(a) == operations(b);
}

struct Step {
  Tape tape;
  Program program;
  std::vector<Expr> parameters;

  Expr data(const char* name, const Shape& shape) { return tape.input(name, shape); }
  Expr parameter(const char* name, const Shape& shape) {
    parameters.push_back(tape.input(name, shape, InputKind::kParameter));
    return parameters.back();
  }
  Expr state(const std::string& name, const Shape& shape) {
    return tape.input(name, shape, InputKind::kState);
  }
  void update(Expr target, Expr value) { program.updates.push_back({target, value}); }

  // The gradients of the cost as trainers take them.
  std::vector<Expr> slopes(Expr cost) {
    tape.label(cost, "cost");
    const Expr cheap = simplified(cost);
    program.outputs = program.guards = {cheap};
    return gradient(cheap, parameters);
  }
  void descend(Expr cost, double rate = 0.1) {
    const std::vector<Expr> g = slopes(cost);
    for (std::size_t i = 0; i < g.size(); ++i) update(parameters[i], parameters[i] - rate * g[i]);
  }

  void check(const std::string& name) const {
    ThreadPool pool(1);
    const std::string text = Plan<float>(tape, program, pool).describe();
    const std::string kept = golden("plan_" + name + ".txt", text);
    CAPTURE(text);
    CAPTURE(kept);
    CHECK(same_plan(text, kept));
  }
};

Expr squared_error(Expr y, Expr x) { return mean(sqnorm(y - x)); }

}  // namespace

TEST_CASE("plan text: values and gradients of a tied autoencoder") {
  Step s;
  const Expr x = s.data("x", {4, 20}), W = s.parameter("W", {20, 5}), b = s.parameter("b", {5}),
             c = s.parameter("c", {20});
  const Expr h = sigmoid(matmul(x, W) + b), y = matmul(h, transpose(W)) + c;
  s.tape.label(h, "h");
  s.tape.label(y, "y");
  for (const Expr g : s.slopes(squared_error(y, x))) s.program.outputs.push_back(g);
  s.check("tied");
}

TEST_CASE("plan text: descent on cross-entropy with the contractive penalty") {
  Step s;
  const Expr x = s.data("x", {10, 20}), W = s.parameter("W", {20, 6}), b = s.parameter("b", {6}),
             c = s.parameter("c", {20});
  const Expr h = sigmoid(matmul(x, W) + b), logits = matmul(h, transpose(W)) + c;
  s.descend(mean(sum(softplus(logits) - x * logits, {1})) + 0.1 * mean(sqnorm(jacobian(h, x))));
  s.check("contractive");
}

TEST_CASE("plan text: Adam on two layers and back") {
  Step s;
  const Expr x = s.data("x", {8, 12});
  Expr h = x;
  const std::vector<std::int64_t> widths = {12, 9, 4, 9, 12};
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    const std::string layer = std::to_string(l);
    const Expr W = s.parameter(("W" + layer).c_str(), {widths[l], widths[l + 1]});
    h = sigmoid(matmul(h, W) + s.parameter(("b" + layer).c_str(), {widths[l + 1]}));
  }
  const std::vector<Expr> g = s.slopes(squared_error(h, x));
  const Expr step = s.state("step", {}), t = step + 1.0;
  for (std::size_t i = 0; i < g.size(); ++i) {
    const Expr p = s.parameters[i];
    const Expr m = s.state("m" + std::to_string(i), p.shape()),
               v = s.state("v" + std::to_string(i), p.shape());
    const Expr new_m = 0.9 * m + 0.1 * g[i], new_v = 0.999 * v + 0.001 * square(g[i]);
    s.update(m, new_m);
    s.update(v, new_v);
    s.update(p, p - 0.001 * ((new_m / -expm1(t * std::log(0.9))) /
                             (sqrt(new_v / -expm1(t * std::log(0.999))) + 1e-8)));
  }
  s.update(step, t);
  s.check("adam");
}

TEST_CASE("plan text: a sparse autoencoder with weight decay") {
  Step s;
  const Expr x = s.data("x", {50, 16}), W = s.parameter("W", {16, 6}),
             V = s.parameter("V", {6, 16}), b = s.parameter("b", {6}), c = s.parameter("c", {16});
  const Expr h = sigmoid(matmul(x, W) + b), y = sigmoid(matmul(h, V) + c), q = mean(h, {0});
  const Expr divergence =
      sum(0.05 * (std::log(0.05) - log(q)) + 0.95 * (std::log(0.95) - log(1.0 - q)));
  s.descend(0.5 * squared_error(y, x) + 1e-4 * (sum(square(W)) + sum(square(V))) +
            3.0 * divergence);
  s.check("sparse");
}

TEST_CASE("plan text: a classifier") {
  Step s;
  const Expr x = s.data("x", {6, 10}), labels = s.data("labels", {6}),
             W = s.parameter("W", {10, 8}), b = s.parameter("b", {8}), U = s.parameter("U", {8, 4}),
             d = s.parameter("d", {4});
  const Expr logits = matmul(relu(matmul(x, W) + b), U) + d;
  s.descend(-mean(sum(one_hot(labels, 4) * log_softmax(logits), {1})));
  s.check("classifier");
}

TEST_CASE("plan text: denoising with drawn noise and momentum") {
  Step s;
  const Expr x = s.data("x", {6, 14}), W = s.parameter("W", {14, 5}), b = s.parameter("b", {5}),
             c = s.parameter("c", {14});
  const Expr kept = less(uniform(s.tape, x.shape(), "mask"), constant(s.tape, 0.75));
  const Expr h = tanh(matmul(kept * (x + 0.1 * normal(s.tape, x.shape(), "noise")), W) + b);
  const std::vector<Expr> g = s.slopes(squared_error(sigmoid(matmul(h, transpose(W)) + c), x));
  for (std::size_t i = 0; i < g.size(); ++i) {
    const Expr v = s.state("v" + std::to_string(i), s.parameters[i].shape());
    const Expr new_v = 0.9 * v - 0.1 * g[i];
    s.update(v, new_v);
    s.update(s.parameters[i], s.parameters[i] + new_v);
  }
  s.check("denoising");
}
