// Every optimizer against a scalar loop of a few lines.
#include "nn/optimizers.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"

using namespace jacquard;

namespace {

// cost = sum(cosh-like bowl): d/dw of exp(w) + exp(-2w) is known in closed form.
double slope(double w) { return std::exp(w) - 2 * std::exp(-2 * w); }
Expr bowl(Expr w) { return sum(exp(w) + exp(-2.0 * w)); }

struct Setting {
  Tape tape;
  Expr w = tape.input("w", {3}, InputKind::kParameter);
  Expr u = tape.input("u", {}, InputKind::kParameter);
  Expr rate = tape.input("rate", {}), step = tape.input("step", {});
  std::vector<Expr> parameters{w, u};
  std::vector<Expr> gradients = gradient(bowl(w) + bowl(u), parameters);
};

constexpr int kSteps = 12;
double rate_at(int step) { return 0.1 / (1 + step); }

// Runs the updates by hand and returns the values of w and u after each step.
std::vector<std::vector<double>> trace(Setting& s, const nn::OptimizerStep& optimizer) {
  Feed<double> feed{{"w", {Shape{3}, {-1, 0.5, 2}}}, {"u", Tensor<double>({}, 0.75)}};
  for (const nn::StateVariable& state : optimizer.state)
    feed.insert_or_assign(state.name, Tensor<double>(state.shape, state.initial));
  std::vector<Expr> roots;
  for (const Update& update : optimizer.updates) roots.push_back(update.value);
  std::vector<std::vector<double>> result;
  for (int i = 0; i < kSteps; ++i) {
    feed.insert_or_assign("rate", Tensor<double>({}, rate_at(i)));
    feed.insert_or_assign("step", Tensor<double>({}, i));
    const auto values = Interpreter<double>(s.tape, roots).run(feed);
    for (std::size_t k = 0; k < values.size(); ++k)
      feed.insert_or_assign(input_name(s.tape.node(optimizer.updates[k].target)), values[k]);
    std::vector<double> all = feed.at("w").data;
    all.push_back(feed.at("u")[0]);
    result.push_back(all);
  }
  return result;
}

// The same for one scalar: `rule` returns the new w.
std::vector<std::vector<double>> expected(
    const std::function<std::function<double(double w, double g, double rate, int step)>()>& rule) {
  std::vector<std::vector<double>> result(kSteps, std::vector<double>(4));
  const std::vector<double> start = {-1, 0.5, 2, 0.75};
  for (std::size_t e = 0; e < start.size(); ++e) {
    const auto update = rule();
    double w = start[e];
    for (int i = 0; i < kSteps; ++i) {
      w = update(w, slope(w), rate_at(i), i);
      result[static_cast<std::size_t>(i)][e] = w;
    }
  }
  return result;
}

void check_same(const std::vector<std::vector<double>>& got,
                const std::vector<std::vector<double>>& wanted) {
  for (std::size_t i = 0; i < wanted.size(); ++i)
    for (std::size_t e = 0; e < wanted[i].size(); ++e) {
      CAPTURE(i);
      CAPTURE(e);
      CHECK(got[i][e] == doctest::Approx(wanted[i][e]).epsilon(1e-12));
    }
}

std::string error_of(auto&& call) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("sgd follows the gradient and has no state") {
  Setting s;
  const nn::OptimizerStep step = nn::sgd(s.parameters, s.gradients, s.rate);
  CHECK(step.state.empty());
  CHECK(step.updates.size() == 2);
  check_same(trace(s, step), expected([] {
               return [](double w, double g, double rate, int) { return w - rate * g; };
             }));
}

TEST_CASE("sgd with momentum keeps a velocity that contains the rate") {
  Setting s;
  const nn::OptimizerStep step = nn::sgd(s.parameters, s.gradients, s.rate, {.momentum = 0.8});
  REQUIRE(step.state.size() == 2);
  CHECK(step.state[0].name == "sgd/velocity/w");
  CHECK(step.state[0].shape == Shape{3});
  CHECK(step.state[0].initial == 0);
  CHECK(step.state[1].name == "sgd/velocity/u");
  check_same(trace(s, step), expected([] {
               return [v = 0.0](double w, double g, double rate, int) mutable {
                 v = 0.8 * v - rate * g;
                 return w + v;
               };
             }));
}

TEST_CASE("Nesterov's momentum takes the gradient's step once more") {
  Setting s;
  const nn::OptimizerStep step =
      nn::sgd(s.parameters, s.gradients, s.rate, {.momentum = 0.8, .nesterov = true});
  check_same(trace(s, step), expected([] {
               return [v = 0.0](double w, double g, double rate, int) mutable {
                 v = 0.8 * v - rate * g;
                 return w + 0.8 * v - rate * g;
               };
             }));
}

TEST_CASE("adam follows algorithm 1 of its paper") {
  Setting s;
  const nn::OptimizerStep step = nn::adam(s.parameters, s.gradients, s.rate, s.step,
                                          {.beta1 = 0.7, .beta2 = 0.95, .epsilon = 1e-3});
  REQUIRE(step.state.size() == 4);
  CHECK(step.state[0].name == "adam/mean/w");
  CHECK(step.state[1].name == "adam/square/w");
  CHECK(step.updates.size() == 6);
  check_same(trace(s, step), expected([] {
               return [m = 0.0, v = 0.0](double w, double g, double rate, int i) mutable {
                 m = 0.7 * m + 0.3 * g;
                 v = 0.95 * v + 0.05 * g * g;
                 const double mh = m / (1 - std::pow(0.7, i + 1));
                 const double vh = v / (1 - std::pow(0.95, i + 1));
                 return w - rate * mh / (std::sqrt(vh) + 1e-3);
               };
             }));
}

TEST_CASE("adam without memory steps by the sign of the gradient") {
  Setting s;
  const nn::OptimizerStep step =
      nn::adam(s.parameters, s.gradients, s.rate, s.step, {.beta1 = 0, .beta2 = 0, .epsilon = 0});
  check_same(trace(s, step), expected([] {
               return
                   [](double w, double g, double rate, int) { return w - rate * (g > 0 ? 1 : -1); };
             }));
}

TEST_CASE("state is declared as inputs of kind state, and one parameter's step is one node each") {
  Setting s;
  const nn::OptimizerStep step = nn::adam(s.parameters, s.gradients, s.rate, s.step);
  for (const nn::StateVariable& state : step.state) {
    const Expr input = s.tape.input(state.name, state.shape, InputKind::kState);
    CHECK(input_kind(s.tape.node(input)) == InputKind::kState);
  }
  // Written twice, it is the same step.
  const std::size_t size = s.tape.size();
  const nn::OptimizerStep again = nn::adam(s.parameters, s.gradients, s.rate, s.step);
  CHECK(s.tape.size() == size);
  CHECK(again.updates[2].value == step.updates[2].value);
}

TEST_CASE("the bias correction of adam keeps its digits for a decay close to 1") {
  Tape tape;
  const Expr w = tape.input("w", {}, InputKind::kParameter);
  const nn::OptimizerStep step = nn::adam({w}, {w}, constant(tape, 1.0), constant(tape, 0.0),
                                          {.beta1 = 0, .beta2 = 1 - 1e-12, .epsilon = 0});
  const Feed<double> feed{{"w", Tensor<double>({}, 3)},
                          {"adam/mean/w", Tensor<double>({}, 0)},
                          {"adam/square/w", Tensor<double>({}, 0)}};
  // Whatever the decay, the first step has length rate.
  CHECK(evaluate<double>(step.updates[2].value, feed)[0] == doctest::Approx(2).epsilon(1e-10));
}

TEST_CASE("momentum may change from step to step") {
  Setting s;
  const Expr momentum = 0.9 - 0.8 / (s.step + 1.0);
  for (const bool nesterov : {false, true}) {
    const nn::OptimizerStep step =
        nn::sgd_with_momentum(s.parameters, s.gradients, s.rate, momentum, nesterov);
    check_same(trace(s, step), expected([nesterov] {
                 return [v = 0.0, nesterov](double w, double g, double rate, int i) mutable {
                   const double m = 0.9 - 0.8 / (i + 1);
                   v = m * v - rate * g;
                   return nesterov ? w + m * v - rate * g : w + v;
                 };
               }));
  }
}

TEST_CASE("AdamW shrinks the parameter beside Adam's step") {
  Setting s;
  const nn::OptimizerStep step = nn::adam(s.parameters, s.gradients, s.rate, s.step,
                                          {.beta1 = 0.7, .beta2 = 0.95, .decay = 0.3});
  check_same(trace(s, step), expected([] {
               return [m = 0.0, v = 0.0](double w, double g, double rate, int i) mutable {
                 m = 0.7 * m + 0.3 * g;
                 v = 0.95 * v + 0.05 * g * g;
                 const double mh = m / (1 - std::pow(0.7, i + 1));
                 const double vh = v / (1 - std::pow(0.95, i + 1));
                 return w * (1 - rate * 0.3) - rate * mh / (std::sqrt(vh) + 1e-8);
               };
             }));
}

TEST_CASE("AdaGrad, RMSProp and AdaDelta follow their papers") {
  Setting s;
  check_same(trace(s, nn::adagrad(s.parameters, s.gradients, s.rate, 1e-3)), expected([] {
               return [sum = 0.0](double w, double g, double rate, int) mutable {
                 sum += g * g;
                 return w - rate * g / (std::sqrt(sum) + 1e-3);
               };
             }));
  check_same(trace(s, nn::rmsprop(s.parameters, s.gradients, s.rate, 0.8, 1e-3)), expected([] {
               return [v = 0.0](double w, double g, double rate, int) mutable {
                 v = 0.8 * v + 0.2 * g * g;
                 return w - rate * g / (std::sqrt(v) + 1e-3);
               };
             }));
  check_same(trace(s, nn::adadelta(s.parameters, s.gradients, s.rate, 0.8, 1e-3)), expected([] {
               return [v = 0.0, d2 = 0.0](double w, double g, double rate, int) mutable {
                 v = 0.8 * v + 0.2 * g * g;
                 const double d = std::sqrt(d2 + 1e-3) / std::sqrt(v + 1e-3) * g;
                 d2 = 0.8 * d2 + 0.2 * d * d;
                 return w - rate * d;
               };
             }));
}

TEST_CASE("the table of optimizers builds the same steps by name") {
  Setting s;
  const auto by_name = nn::optimizer_step({"sgd", {{"momentum", 0.5}, {"nesterov", 1}}},
                                          s.parameters, s.gradients, s.rate, s.step);
  const auto by_hand =
      nn::sgd(s.parameters, s.gradients, s.rate, {.momentum = 0.5, .nesterov = true});
  REQUIRE(by_name.updates.size() == by_hand.updates.size());
  for (std::size_t i = 0; i < by_name.updates.size(); ++i)
    CHECK(by_name.updates[i].value == by_hand.updates[i].value);
  const auto adam = nn::optimizer_step({"adam"}, s.parameters, s.gradients, s.rate, s.step);
  CHECK(adam.updates[2].value ==
        nn::adam(s.parameters, s.gradients, s.rate, s.step).updates[2].value);
  for (const nn::Kind& kind : nn::optimizer_kinds())
    CHECK_NOTHROW(
        nn::optimizer_step({std::string(kind.name)}, s.parameters, s.gradients, s.rate, s.step));
}

TEST_CASE("what no optimizer can work with is refused") {
  Setting s;
  const Expr x = s.tape.input("x", {3});
  const Expr half = s.tape.input("half", {2});
  CHECK(error_of([&] { nn::sgd(s.parameters, {s.gradients[0]}, s.rate); }) ==
        "sgd: 2 parameters and 1 gradients; each parameter needs its own");
  CHECK(error_of([&] { nn::sgd({x}, {x}, s.rate); }) ==
        cat("sgd: ", s.tape.describe(x.id),
            " is no parameter; only inputs of kind kParameter are trained"));
  CHECK(error_of([&] { nn::sgd({s.w}, {half}, s.rate); }) ==
        "sgd: parameter 'w' has shape [3], its gradient [2]");
  CHECK(error_of([&] { nn::sgd(s.parameters, s.gradients, x); }) ==
        "sgd: the rate has shape [3]; it must be a scalar");
  CHECK(error_of([&] { nn::sgd(s.parameters, s.gradients, s.rate, {.momentum = 1}); }) ==
        "sgd: momentum = 1; it must lie in [0, 1)");
  CHECK(error_of([&] { nn::adam(s.parameters, s.gradients, s.rate, x); }) ==
        "adam: the step has shape [3]; it must be a scalar");
  CHECK(error_of([&] { nn::adam(s.parameters, s.gradients, s.rate, s.step, {.beta2 = -0.5}); }) ==
        "adam: beta2 = -0.5; it must lie in [0, 1)");
  CHECK(
      error_of([&] { nn::optimizer_step({"adma"}, s.parameters, s.gradients, s.rate, s.step); }) ==
      "optimizer: unknown kind 'adma'; did you mean 'adam'? known kinds: sgd, adam, adamw, "
      "adagrad, rmsprop, adadelta");
  CHECK(
      error_of([&] {
        nn::optimizer_step({"sgd", {{"nesterov", 0.5}}}, s.parameters, s.gradients, s.rate, s.step);
      }) == "optimizer: nesterov = 0.5; it must be true or false");
  CHECK(error_of([&] {
          nn::optimizer_step({"sgd", {{"beta1", 0.5}}}, s.parameters, s.gradients, s.rate, s.step);
        }) == "optimizer: 'sgd' has no option 'beta1'; known options: momentum, nesterov");
}
