// The costs of the W workloads, as a user types them; their sizes are arguments, so that tests hold
// the floors against small ones.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "autodiff/jacobian.hpp"
#include "nn/corruptions.hpp"
#include "nn/losses.hpp"
#include "nn/penalties.hpp"
#include "tests/benchmarks/floor_deep.hpp"
#include "tests/benchmarks/floor_sparse.hpp"
#include "tests/benchmarks/floor_tied.hpp"
#include "tests/benchmarks/planned_step.hpp"

namespace jacquard::benchmarks {

inline Expr parameter(Tape& tape, const std::string& name, const Shape& shape) {
  return tape.input(name, shape, InputKind::kParameter);
}

// What happens to the input before it is encoded.
using Corruption = Expr (*)(Expr x);

// W1 and W2; with a corruption W9.
template <class T>
TypedCost tied_autoencoder(Tape& tape, const TiedOptions<T>& o, Corruption corrupted = nullptr) {
  const Expr x = tape.input("x", {o.batch, o.n});
  const Expr w = parameter(tape, "W", {o.n, o.m});
  const Expr b = parameter(tape, "b", {o.m}), c = parameter(tape, "c", {o.n});
  const Expr in = corrupted == nullptr ? x : corrupted(x);
  const Expr h = sigmoid(matmul(in, w) + b);
  const Expr logits = matmul(h, transpose(w)) + c;
  Expr cost = o.loss == Loss::kSquaredError ? mean(nn::squared_error(sigmoid(logits), x))
                                            : mean(nn::cross_entropy_logits(logits, x));
  if (o.contraction != 0)
    cost = cost + static_cast<double>(o.contraction) * mean(sqnorm(jacobian(h, in)));
  return {cost, {w, b, c}};
}

// W5
template <class T>
TypedCost deep_autoencoder(Tape& tape, const DeepOptions<T>& o) {
  const Expr x = tape.input("x", {o.batch, o.widths[0]});
  std::vector<Expr> parameters;
  Expr h = x;
  for (std::size_t l = 1; l < o.widths.size(); ++l) {
    const std::string layer = std::to_string(l - 1);
    const Expr w = parameter(tape, "W" + layer, {o.widths[l - 1], o.widths[l]});
    const Expr b = parameter(tape, "b" + layer, {o.widths[l]});
    h = sigmoid(matmul(h, w) + b);
    parameters.insert(parameters.end(), {w, b});
  }
  return {mean(nn::squared_error(h, x)), parameters};
}

// W7
template <class T>
TypedCost sparse_autoencoder(Tape& tape, const SparseOptions<T>& o) {
  const Expr x = tape.input("x", {o.examples, o.visible});
  const Expr w = parameter(tape, "W", {o.visible, o.hidden});
  const Expr v = parameter(tape, "V", {o.hidden, o.visible});
  const Expr b = parameter(tape, "b", {o.hidden}), c = parameter(tape, "c", {o.visible});
  const Expr h = sigmoid(matmul(x, w) + b);
  const Expr y = sigmoid(matmul(h, v) + c);
  const Expr decay = nn::weight_decay(w) + nn::weight_decay(v);
  return {0.5 * mean(nn::squared_error(y, x)) + 0.5 * static_cast<double>(o.decay) * decay +
              static_cast<double>(o.weight) * nn::sparsity(h, static_cast<double>(o.target)),
          {w, b, v, c}};
}

// W8
inline TypedCost sigmoid_rounds(Tape& tape, std::int64_t width, int rounds) {
  const Expr start = parameter(tape, "x", {width}), p = parameter(tape, "p", {width});
  const Expr q = parameter(tape, "q", {width}), r = parameter(tape, "r", {width});
  Expr x = start;
  for (int round = 0; round < rounds; ++round) x = sigmoid(x * p + q) - r;
  return {sum(x), {start, p, q, r}};
}

}  // namespace jacquard::benchmarks
