// W1: a whole training step of a tied sigmoid autoencoder 784-1000-784 (value, gradients, SGD
// update) against the five bare products that it cannot do without.
#include <memory>

#include "autodiff/ops.hpp"
#include "autodiff/products.hpp"
#include "nn/losses.hpp"
#include "tests/benchmarks/planned_step.hpp"

namespace jacquard::benchmarks {
namespace {

constexpr std::int64_t kInputs = 784, kHidden = 1000;

struct Data {
  std::vector<float> x, weights, h, a;
  explicit Data(std::int64_t batch)
      : x(random_values(batch * kInputs, "x", 0.3f)),
        weights(random_values(kInputs * kHidden, "W", 0.03f)),
        h(static_cast<std::size_t>(batch * kHidden)),
        a(static_cast<std::size_t>(batch * kInputs)) {}
};

// h = x W, a = h W', dh = da W, and both gradients of W in one product over 2 * batch rows.
void bare_products(ThreadPool& pool, Data& d, std::int64_t batch) {
  const ProductFactor<float> w{d.weights.data(), kHidden, 0, false};
  const ProductFactor<float> w_transposed{d.weights.data(), kHidden, 0, true};
  const ProductFactor<float> x{d.x.data(), kInputs, 0, false}, h{d.h.data(), kHidden, 0, false};
  const ProductFactor<float> x_transposed{d.x.data(), kInputs, 0, true};
  product<float>(pool, {1, batch, kHidden, kInputs}, x, w, {d.h.data(), kHidden, 0});
  product<float>(pool, {1, batch, kInputs, kHidden}, h, w_transposed, {d.a.data(), kInputs, 0});
  product<float>(pool, {1, batch, kHidden, kInputs}, x, w, {d.h.data(), kHidden, 0});
  for (int part = 0; part < 2; ++part)
    product<float>(pool, {1, kInputs, kHidden, batch}, x_transposed, h,
                   {d.weights.data(), kHidden, 0}, -1e-12f, 1.0f);
}

TypedCost squared_error(Tape& tape, std::int64_t batch) {
  const Expr x = tape.input("x", {batch, kInputs});
  const Expr w = tape.input("W", {kInputs, kHidden}, InputKind::kParameter);
  const Expr b = tape.input("b", {kHidden}, InputKind::kParameter);
  const Expr c = tape.input("c", {kInputs}, InputKind::kParameter);
  const Expr h = sigmoid(matmul(x, w) + b);
  const Expr y = sigmoid(matmul(h, transpose(w)) + c);
  return {mean(nn::squared_error(y, x)), {w, b, c}};
}

Workload training_step(std::int64_t batch) {
  return {"W1", "784-1000-784 tied sigmoid, squared error, SGD", batch, [batch](int threads) {
            auto pool = std::make_shared<ThreadPool>(threads);
            auto data = std::make_shared<Data>(batch);
            return std::vector<Implementation>{{.name = "products",
                                                .step =
                                                    [pool, data, batch] {
                                                      bare_products(*pool, *data, batch);
                                                      return 0.0;
                                                    }},
                                               planned_step("jacquard", pool, [batch](Tape& tape) {
                                                 return squared_error(tape, batch);
                                               })};
          }};
}

}  // namespace

std::vector<Workload> training_steps() {
  return {training_step(20), training_step(100), training_step(500)};
}

}  // namespace jacquard::benchmarks
