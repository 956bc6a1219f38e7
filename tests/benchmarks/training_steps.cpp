// W1: a whole training step of a tied sigmoid autoencoder 784-1000-784 (value, gradients, SGD
// update) against the five bare products that it cannot do without.
#include <memory>
#include <span>

#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"
#include "autodiff/plan.hpp"
#include "autodiff/products.hpp"
#include "nn/losses.hpp"
#include "nn/optimizers.hpp"
#include "tests/benchmarks/harness.hpp"

namespace jacquard::benchmarks {
namespace {

constexpr std::int64_t kInputs = 784, kHidden = 1000;

std::vector<float> random_values(std::int64_t count, const char* name, float scale) {
  std::vector<float> values(static_cast<std::size_t>(count));
  fill_normal(std::span<float>(values), 1, name, 0);
  for (float& v : values) v *= scale;
  return values;
}

struct Data {
  ThreadPool pool;
  std::vector<float> x, weights, b, c, h, a;
  Data(std::int64_t batch, int threads)
      : pool(threads), x(random_values(batch * kInputs, "x", 0.3f)),
        weights(random_values(kInputs * kHidden, "W", 0.03f)), b(kHidden), c(kInputs),
        h(static_cast<std::size_t>(batch * kHidden)), a(static_cast<std::size_t>(batch * kInputs)) {}
};

// h = x W, a = h W', dh = da W, and both gradients of W in one product over 2 * batch rows.
void bare_products(Data& d, std::int64_t batch) {
  const ProductFactor<float> w{d.weights.data(), kHidden, 0, false};
  const ProductFactor<float> w_transposed{d.weights.data(), kHidden, 0, true};
  const ProductFactor<float> x{d.x.data(), kInputs, 0, false}, h{d.h.data(), kHidden, 0, false};
  const ProductFactor<float> x_transposed{d.x.data(), kInputs, 0, true};
  product<float>(d.pool, {1, batch, kHidden, kInputs}, x, w, {d.h.data(), kHidden, 0});
  product<float>(d.pool, {1, batch, kInputs, kHidden}, h, w_transposed, {d.a.data(), kInputs, 0});
  product<float>(d.pool, {1, batch, kHidden, kInputs}, x, w, {d.h.data(), kHidden, 0});
  for (int part = 0; part < 2; ++part)
    product<float>(d.pool, {1, kInputs, kHidden, batch}, x_transposed, h,
                   {d.weights.data(), kHidden, 0}, -1e-12f, 1.0f);
}

std::shared_ptr<Plan<float>> training_plan(Data& d, std::int64_t batch) {
  Tape tape;
  const Expr x = tape.input("x", {batch, kInputs});
  const Expr w = tape.input("W", {kInputs, kHidden}, InputKind::kParameter);
  const Expr b = tape.input("b", {kHidden}, InputKind::kParameter);
  const Expr c = tape.input("c", {kInputs}, InputKind::kParameter);
  const Expr h = sigmoid(matmul(x, w) + b);
  const Expr y = sigmoid(matmul(h, transpose(w)) + c);
  const Expr cost = mean(nn::squared_error(y, x));
  const std::vector<Expr> parameters{w, b, c};
  const nn::OptimizerStep step =
      nn::sgd(parameters, gradient(cost, parameters), constant(tape, 1e-6));
  auto plan = std::make_shared<Plan<float>>(tape, Program{{cost}, step.updates, {cost}}, d.pool);
  plan->bind("W", d.weights);
  plan->bind("b", d.b);
  plan->bind("c", d.c);
  plan->bind_constant("x", d.x);
  return plan;
}

Workload training_step(std::int64_t batch) {
  return {"W1", "784-1000-784 tied sigmoid, squared error, SGD", batch, [batch](int threads) {
            auto data = std::make_shared<Data>(batch, threads);
            auto plan = training_plan(*data, batch);
            return std::vector<Implementation>{
                {"products", [data, batch] { bare_products(*data, batch); }},
                {"jacquard", [data, plan] { plan->run(1, 0); }}};
          }};
}

}  // namespace

std::vector<Workload> training_steps() {
  return {training_step(20), training_step(100), training_step(500)};
}

}  // namespace jacquard::benchmarks
