// Plans that take the careful form of a cost where the fast one would lose digits.
#include "autodiff/guarded_plan.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"

using namespace jacquard;

namespace {

// An encoder of two layers that are nearly linear at these inputs, so that its Jacobian is about
// W V: that vanishes with `share`, while the terms of its Gram form do not.
struct TwoLayers {
  Tape tape;
  ThreadPool pool{2};
  Expr x = tape.input("x", {40, 30});
  Expr W = tape.input("W", {30, 12}, InputKind::kParameter);
  Expr V = tape.input("V", {12, 8}, InputKind::kParameter);
  Expr cost = mean(sqnorm(jacobian(tanh(matmul(tanh(matmul(x, W)), V)), x)));
  std::vector<float> x_data, W_data, V_data;

  // W has equal columns but for `share` of noise, and the columns of V sum to zero.
  explicit TwoLayers(float share) : x_data(1200), W_data(360), V_data(96) {
    std::vector<float> common(30);
    fill_normal(std::span<float>(x_data), 1, "x", 0);
    fill_normal(std::span<float>(W_data), 1, "W", 0);
    fill_normal(std::span<float>(V_data), 1, "V", 0);
    fill_normal(std::span<float>(common), 1, "c", 0);
    for (float& v : x_data) v *= 1e-3f;
    for (std::size_t i = 0; i < W_data.size(); ++i) W_data[i] = share * W_data[i] + common[i / 12];
    for (std::size_t k = 0; k < 8; ++k) {
      float sum = 0;
      for (std::size_t j = 0; j < 12; ++j) sum += V_data[j * 8 + k];
      for (std::size_t j = 0; j < 12; ++j) V_data[j * 8 + k] -= sum / 12;
    }
  }

  ConditionalProgram write(Care care, std::vector<Update> updates = {}) const {
    const Simplified s = simplify({cost}, care);
    return {{{s.roots[0]}, std::move(updates), {s.roots[0]}}, s.conditions};
  }
  GuardedPlan<float> plan(std::vector<Update> updates = {}) {
    GuardedPlan<float> p(
        tape, [this, updates](Care care) { return write(care, updates); }, pool);
    p.bind_constant("x", x_data);
    p.bind("W", W_data);
    p.bind("V", V_data);
    return p;
  }
  double exact() const {
    Feed<Quad> feed;
    const auto add = [&](const char* name, const Shape& shape, const std::vector<float>& v) {
      feed.emplace(name, cast<Quad>(Tensor<float>(shape, v)));
    };
    add("x", {40, 30}, x_data);
    add("W", {30, 12}, W_data);
    add("V", {12, 8}, V_data);
    return static_cast<double>(evaluate(cost, feed)[0]);
  }
};

}  // namespace

TEST_CASE("guarded plan: ordinary weights take the fast form") {
  TwoLayers net(1);
  GuardedPlan<float> plan = net.plan();
  CHECK(plan.run(1, 0));
  CHECK(plan.careful_runs() == 0);
  CHECK(std::abs(static_cast<double>(plan.scalar(0)) / net.exact() - 1) < 1e-5);
}

TEST_CASE(
    "guarded plan: weights whose products cancel take the careful form, and keep their digits") {
  for (const float share : {1e-2f, 1e-3f, 1e-4f}) {
    TwoLayers net(share);
    GuardedPlan<float> plan = net.plan();
    CHECK(plan.run(1, 0));
    CHECK(plan.careful_runs() == 1);
    CAPTURE(share);
    // What float weights of this size leave of the product at all.
    CHECK(std::abs(static_cast<double>(plan.scalar(0)) / net.exact() - 1) < 1e-4);
    // The fast form alone has lost them where the share is small.
    Plan<float> fast(net.tape, net.write(Care::kFast).program, net.pool);
    fast.bind_constant("x", net.x_data);
    fast.bind("W", net.W_data);
    fast.bind("V", net.V_data);
    fast.run(1, 0);
    if (share < 1e-3f)
      CHECK(std::abs(static_cast<double>(fast.scalar(0)) / net.exact() - 1) > 1e-4);
  }
}

TEST_CASE("guarded plan: updates are made once, by the form that ran last") {
  for (const float share : {1.0f, 1e-3f}) {
    TwoLayers net(share);
    GuardedPlan<float> plan = net.plan({{net.V, 2.0 * net.V}});
    const float before = net.V_data[5];
    CHECK(plan.run(1, 0));
    CHECK(net.V_data[5] == 2 * before);
    CHECK(plan.run(1, 1));
    CHECK(net.V_data[5] == 4 * before);
    CHECK(plan.careful_runs() == (share < 1 ? 2 : 0));
  }
}

TEST_CASE("guarded plan: memory bound later reaches both forms") {
  TwoLayers net(1e-3f), other(1e-3f);
  for (float& v : other.V_data) v *= 3;
  GuardedPlan<float> plan = net.plan();
  plan.run(1, 0);
  const double first = static_cast<double>(plan.scalar(0));
  plan.bind("V", other.V_data);
  plan.run(1, 0);
  CHECK(static_cast<double>(plan.scalar(0)) / first == doctest::Approx(9).epsilon(1e-4));
}

TEST_CASE("guarded plan: a cost that is not finite is no reason for care") {
  TwoLayers net(1);
  net.W_data[0] = std::numeric_limits<float>::quiet_NaN();
  GuardedPlan<float> plan = net.plan();
  CHECK(!plan.run(1, 0));
  CHECK(plan.careful_runs() == 0);
}
