// The promise that a training run's bits do not depend on the number of threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/plan.hpp"
#include "tests/support/random.hpp"
#include "tests/support/run_plan.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

// A denoising autoencoder with momentum, large enough for the kernels to split their work.
struct Training {
  Tape tape;
  Program program;
  Feed<double> feed;

  Training() {
    constexpr std::int64_t kBatch = 64, kVisible = 400, kHidden = 150;
    Random random(2);
    const Expr x = leaf("x", {kBatch, kVisible}, InputKind::kData, random, 1);
    const Expr W = leaf("W", {kVisible, kHidden}, InputKind::kParameter, random, 0.05);
    const Expr b = leaf("b", {kHidden}, InputKind::kParameter, random, 0);
    const Expr c = leaf("c", {kVisible}, InputKind::kParameter, random, 0);
    const Expr noisy =
        where(less(uniform(tape, x.shape(), "mask"), constant(tape, 0.2)), constant(tape, 0), x) +
        0.1 * normal(tape, x.shape(), "noise");
    const Expr h = softplus(matmul(noisy, W) + b), y = matmul(h, transpose(W)) + c;
    const Expr penalty = mean(sqnorm(softmax(h))) + mean(max(abs(W), {0}));
    const Expr cost = mean(sqnorm(y - x)) + 0.1 * penalty;
    const std::vector<Expr> parameters = {W, b, c}, g = gradient(cost, parameters);
    program = {{cost, y}, {}, {cost}};
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Expr v = leaf(cat("velocity ", i), parameters[i].shape(), InputKind::kState, random, 0);
      const Expr v_new = 0.9 * v - 1e-4 * g[i];
      program.updates.push_back({v, v_new});
      program.updates.push_back({parameters[i], parameters[i] + v_new});
    }
  }

  Expr leaf(const std::string& name, const Shape& shape, InputKind kind, Random& random,
            double size) {
    feed[name] = random.tensor(shape, {-size, size});
    return tape.input(name, shape, kind);
  }
};

struct Trace {
  std::vector<std::vector<std::vector<double>>> outputs;  // per step
  std::map<std::string, std::vector<double>> inputs;
  bool operator==(const Trace&) const = default;
};

template <class T>
Trace train(const Training& training, int threads, int steps,
            const std::vector<std::string>& without = {}) {
  ThreadPool pool(threads);
  BoundPlan<T> plan(training.tape, training.program, training.feed, pool,
                    {.without_passes = without});
  Trace trace;
  for (int step = 0; step < steps; ++step) {
    CHECK(plan.run({42, static_cast<std::uint64_t>(step)}));
    trace.outputs.emplace_back();
    for (const auto& output : plan.outputs())
      trace.outputs.back().emplace_back(output.begin(), output.end());
  }
  for (const auto& [name, value] : training.feed) {
    const std::vector<T>& now = plan.input(name);
    trace.inputs[name].assign(now.begin(), now.end());
  }
  return trace;
}

}  // namespace

TEST_CASE_TEMPLATE("determinism: twenty steps of training have one result on 1, 2 and 3 threads", T,
                   float, double) {
  const Training training;
  const Trace one = train<T>(training, 1, 20);
  CHECK(train<T>(training, 2, 20) == one);
  CHECK(train<T>(training, 3, 20) == one);
  CHECK(train<T>(training, 1, 20) == one);
  // It does train, and every step draws anew.
  const double first = one.outputs.front()[0][0], last = one.outputs.back()[0][0];
  CHECK(last < 0.9 * first);
  CHECK(one.inputs.at("x") != one.outputs.back()[1]);
}

TEST_CASE_TEMPLATE(
    "determinism: the bits are those of 1 thread on 2, 4 and 8, whatever a plan leaves out", T,
    float, double) {
  const Training training;
  const Trace all = train<T>(training, 1, 3);
  for (const std::vector<std::string>& without : {std::vector<std::string>{},
                                                  {"fusion"},
                                                  {"following"},
                                                  {"in_place"},
                                                  {"accumulation"},
                                                  {"fusion", "in_place"},
                                                  {"fusion", "in_place", "accumulation"}}) {
    CAPTURE(without.size());
    const Trace one = train<T>(training, 1, 3, without);
    for (const int threads : {2, 4, 8}) CHECK(train<T>(training, threads, 3, without) == one);
    // Only products that are added in place round differently.
    const bool exact = std::ranges::find(without, "accumulation") == without.end();
    if (exact) CHECK(one == all);
  }
}

TEST_CASE("determinism: another seed draws other noise, the same seed and step the same") {
  Tape tape;
  const Expr noise = normal(tape, {1000}, "noise") * 1.0;
  ThreadPool pool(2);
  BoundPlan<float> plan(tape, {{noise}, {}, {}}, {}, pool);
  const auto draw = [&](std::uint64_t seed, std::uint64_t step) {
    plan.run({seed, step});
    return plan.output(0);
  };
  const std::vector<float> first = draw(1, 1);
  CHECK(draw(2, 1) != first);
  CHECK(draw(1, 2) != first);
  CHECK(draw(1, 1) == first);
}

TEST_CASE(
    "determinism: a Jacobian penalty and its gradient have the same bits on 1, 2, 3 threads") {
  Tape tape;
  Random random(8);
  const Expr x = tape.input("x", {20, 60}), W = tape.input("W", {60, 40}, InputKind::kParameter);
  const Expr cost = mean(sqnorm(jacobian(tanh(matmul(x, W)), x)));
  const std::vector<Expr> roots = {cost, gradient(cost, {W})[0]};
  const Feed<double> feed = {{"x", random.tensor({20, 60})},
                             {"W", random.tensor({60, 40}, {-0.1, 0.1})}};
  ThreadPool one(1), two(2), three(3);
  const auto want = run_plan<float>(tape, roots, feed, one);
  CHECK(run_plan<float>(tape, roots, feed, two) == want);
  CHECK(run_plan<float>(tape, roots, feed, three) == want);
}
