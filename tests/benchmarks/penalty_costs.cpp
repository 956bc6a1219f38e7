#include "tests/benchmarks/penalty_costs.hpp"

#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "nn/corruptions.hpp"
#include "nn/losses.hpp"

namespace jacquard::benchmarks {
namespace {

constexpr std::int64_t kInputs = 784, kHidden = 1000;
// Large enough for a wrong penalty to show in the cost.
constexpr double kContraction = 1, kHigherOrder = 10;

Expr parameter(Tape& tape, const std::string& name, const Shape& shape) {
  return tape.input(name, shape, InputKind::kParameter);
}

struct Autoencoder {
  Expr x, w, b, c;
  Expr h, logits;

  Autoencoder(Tape& tape, std::int64_t batch)
      : x(tape.input("x", {batch, kInputs})),
        w(parameter(tape, "W", {kInputs, kHidden})),
        b(parameter(tape, "b", {kHidden})),
        c(parameter(tape, "c", {kInputs})),
        h(encode(x)),
        logits(matmul(h, transpose(w)) + c) {}

  Expr encode(Expr input) const { return sigmoid(matmul(input, w) + b); }
  Expr reconstruction() const { return mean(nn::cross_entropy_logits(logits, x)); }
  TypedCost with(Expr penalty) const { return {reconstruction() + penalty, {w, b, c}}; }
};

// sum_j mean_b(d_bj^2) sum_i W_ij^2: the sums over the batch and the inputs come first.
Expr weighted_norms(Expr d, Expr w) { return sum(mean(square(d), {0}) * sum(square(w), {0})); }

// The mean over draws of the noise.
template <class Penalty>
Expr over_draws(const Autoencoder& a, const Penalty& penalty) {
  constexpr int kDraws = 4;
  std::vector<Expr> terms;
  for (int k = 0; k < kDraws; ++k)
    terms.push_back(penalty(nn::gaussian_noise(a.x, 0.3, "e" + std::to_string(k))));
  return (1.0 / kDraws) * add_all(terms);
}

}  // namespace

TypedCost plain(Tape& tape, std::int64_t batch) {
  const Autoencoder a(tape, batch);
  return {a.reconstruction(), {a.w, a.b, a.c}};
}

TypedCost contractive(Tape& tape, std::int64_t batch) {
  const Autoencoder a(tape, batch);
  return a.with(kContraction * mean(sqnorm(jacobian(a.h, a.x))));
}

TypedCost contractive_by_hand(Tape& tape, std::int64_t batch) {
  const Autoencoder a(tape, batch);
  return a.with(kContraction * weighted_norms(a.h * (1.0 - a.h), a.w));
}

TypedCost contractive_logits(Tape& tape, std::int64_t batch) {
  const Autoencoder a(tape, batch);
  return a.with(kContraction * mean(sqnorm(jacobian(a.logits, a.x))));
}

TypedCost higher_order(Tape& tape, std::int64_t batch) {
  const Autoencoder a(tape, batch);
  const Expr at_x = jacobian(a.h, a.x);
  const Expr change = over_draws(
      a, [&](Expr noisy) { return mean(sqnorm(at_x - jacobian(a.encode(noisy), noisy))); });
  return a.with(kContraction * mean(sqnorm(at_x)) + kHigherOrder * change);
}

TypedCost higher_order_by_hand(Tape& tape, std::int64_t batch) {
  const Autoencoder a(tape, batch);
  const Expr d = a.h * (1.0 - a.h);
  const Expr change = over_draws(a, [&](Expr noisy) {
    const Expr h = a.encode(noisy);
    return weighted_norms(d - h * (1.0 - h), a.w);
  });
  return a.with(kContraction * weighted_norms(d, a.w) + kHigherOrder * change);
}

TypedCost encoder_penalty(Tape& tape, const PenaltySizes& s) {
  const Expr x = tape.input("x", {s.batch, s.n});
  const Expr w = parameter(tape, "W", {s.n, s.m}), b = parameter(tape, "b", {s.m});
  const Expr v = parameter(tape, "V", {s.m, s.q}), c = parameter(tape, "c", {s.q});
  const Expr h = sigmoid(matmul(sigmoid(matmul(x, w) + b), v) + c);
  return {mean(sqnorm(jacobian(h, x))), {w, b, v, c}};
}

TypedCost reconstruction_penalty(Tape& tape, const PenaltySizes& s) {
  const Expr x = tape.input("x", {s.batch, s.n});
  const Expr w = parameter(tape, "W", {s.n, s.m});
  const Expr b = parameter(tape, "b", {s.m}), c = parameter(tape, "c", {s.n});
  const Expr y = sigmoid(matmul(sigmoid(matmul(x, w) + b), transpose(w)) + c);
  return {mean(sqnorm(jacobian(y, x))), {w, b, c}};
}

TypedCost chain_penalty(Tape& tape, std::int64_t batch, int layers) {
  constexpr std::int64_t kWidth = 256;
  const Expr x = tape.input("x", {batch, kInputs});
  std::vector<Expr> parameters;
  Expr h = x;
  for (int layer = 0; layer < layers; ++layer) {
    const std::string name = "W" + std::to_string(layer);
    parameters.push_back(parameter(tape, name, {h.shape()[1], kWidth}));
    h = sigmoid(matmul(h, parameters.back()));
  }
  return {mean(sqnorm(jacobian(h, x))), parameters};
}

}  // namespace jacquard::benchmarks
