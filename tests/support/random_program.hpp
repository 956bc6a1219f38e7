// Random programs: costs over most operations of the engine, for tests that hold for every program.
#pragma once

#include <array>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/random.hpp"

namespace jacquard::testing {

struct ProgramOptions {
  int operations = 12;
  bool contractions = true;
  bool draws = true;
  bool empty = true;    // also tensors without elements
  bool smooth = false;  // nothing that has a kink or a jump anywhere
};

struct RandomProgram {
  Expr cost;                     // a scalar that depends on every parameter
  std::vector<Expr> parameters;  // W0, W1, ...
  std::vector<Expr> values;      // all that was written on the way, of any shape
  Feed<double> feed;             // numbers that float has exactly
};

class ProgramWriter {
 public:
  ProgramWriter(Tape& tape, Random& random, const ProgramOptions& options)
      : tape_(tape), random_(random), options_(options) {
    // Functions without poles, or kept away from them, whose results stay small.
    smooth_ = {[](Expr x) { return tanh(x); },
               [](Expr x) { return sigmoid(x); },
               [](Expr x) { return softplus(x); },
               [](Expr x) { return sin(x); },
               [](Expr x) { return cos(x); },
               [](Expr x) { return erf(x); },
               [](Expr x) { return gelu(x); },
               [](Expr x) { return square(tanh(x)); },
               [](Expr x) { return exp(sin(x)); },
               [](Expr x) { return expm1(0.3 * tanh(x)); },
               [](Expr x) { return log(1.5 + sigmoid(x)); },
               [](Expr x) { return log1p(square(sin(x))); },
               [](Expr x) { return sqrt(0.7 + sigmoid(x)); },
               [](Expr x) { return power(tanh(x), 3); },
               [](Expr x) { return power(1.2 + sigmoid(x), -1.5); },
               [](Expr x) { return 1.0 / (1.5 + cos(x)); },
               [](Expr x) { return power(1.1 + sigmoid(x), sin(x)); },
               [](Expr x) { return -x; },
               [](Expr x) { return x * constant(*x.tape, 0.4) - 0.25; },
               [](Expr x) { return softmax(x); },
               [](Expr x) { return log_softmax(x, 0); },
               [](Expr x) { return logsumexp(x, {0}, true); },
               [](Expr x) { return x * stop_gradient(sigmoid(x)); }};
    kinked_ = {[](Expr x) { return relu(x); },
               [](Expr x) { return abs(x); },
               [](Expr x) { return leaky_relu(x, 0.2); },
               [](Expr x) { return elu(x); },
               [](Expr x) { return selu(tanh(x)); },
               [](Expr x) { return sign(x) * x; },
               [](Expr x) { return clamp(x, -0.4, 0.6); },
               [](Expr x) { return where(less(x, constant(*x.tape, 0.13)), x, square(x)); },
               [](Expr x) { return max(x, {-1}, true); },
               [](Expr x) { return min(x, {0}); },
               [](Expr x) { return max(x); },
               [](Expr x) { return norm(x); },
               [](Expr x) { return x * top_k(x, 1); },
               [](Expr x) {
                 return where(logical_and(greater(x, constant(*x.tape, -0.7)),
                                          logical_not(equal(x, constant(*x.tape, 0.503)))),
                              x, 0.3 * x);
               }};
  }

  RandomProgram write(std::uint64_t name) {
    leaves(name);
    int left = options_.operations, tries = 20 * options_.operations;
    while (left > 0 && tries-- > 0) {
      try {
        const Expr e = operation();
        if (e.shape().size() > 300 || e.shape().rank() > 5) continue;
        program_.values.push_back(e);
        --left;
      } catch (const ShapeError&) {  // these operands do not fit: another try
      }
    }
    std::vector<Expr> terms;
    for (const Expr& p : program_.parameters) terms.push_back(0.1 * sum(sin(p)));
    const std::size_t count = program_.values.size();
    for (std::size_t i = count - std::min<std::size_t>(4, count); i < count; ++i)
      terms.push_back(total(program_.values[i]));
    program_.cost = add_all(terms);
    return program_;
  }

 private:
  Expr leaf(const std::string& name, const Shape& shape, InputKind kind) {
    const Expr e = tape_.input(name, shape, kind);
    program_.feed[name] = cast<double>(random_.tensor<float>(shape, {-1.5, 1.5}));
    program_.values.push_back(e);
    return e;
  }

  Shape shape() {
    std::vector<std::int64_t> sizes(static_cast<std::size_t>(random_.below(4)));
    for (std::int64_t& n : sizes) {
      n = 1 + random_.below(4);
      if (options_.empty && random_.below(25) == 0) n = 0;
    }
    return Shape(std::move(sizes));
  }

  void leaves(std::uint64_t name) {
    leaf("x", {3, 4}, InputKind::kData);
    leaf("s", {}, InputKind::kState);
    for (int i = 0; i < 3; ++i)
      program_.parameters.push_back(
          leaf(cat("W", i), i == 0 ? Shape{4, 3} : shape(), InputKind::kParameter));
    program_.values.push_back(eye(tape_, 3));
    program_.values.push_back(0.5 * iota(tape_, 4));
    if (!options_.draws) return;
    program_.values.push_back(normal(tape_, {3, 4}, cat("n", name)));
    program_.values.push_back(uniform(tape_, {4}, cat("u", name)));
  }

  static Expr total(Expr e) { return sum(e) * (1.0 / static_cast<double>(1 + e.shape().size())); }

  // Later expressions more often, so that programs grow deep.
  Expr any() {
    const auto n = static_cast<std::int64_t>(program_.values.size());
    return program_.values[static_cast<std::size_t>(std::max(random_.below(n), random_.below(n)))];
  }

  std::int64_t axis(Expr x) { return x.shape().rank() == 0 ? 0 : random_.below(x.shape().rank()); }

  Expr bounded(Expr x) { return random_.below(3) == 0 ? tanh(x) : 0.5 * x; }

  template <class Table>
  Expr one_of(const Table& table, Expr x) {
    return table[static_cast<std::size_t>(random_.below(static_cast<std::int64_t>(table.size())))](
        x);
  }

  Expr operation() {
    switch (random_.below(options_.contractions ? 9 : 6)) {
      case 0:
        return one_of(smooth_, any());
      case 1:
        return one_of(options_.smooth ? smooth_ : kinked_, any());
      case 2:
      case 3: {
        const Expr a = any();  // before the other: compilers differ in the order of arguments
        return pair(a, any());
      }
      case 4:
        return reduction(any());
      case 5:
        return movement(any());
      default:
        return bounded(product());
    }
  }

  Expr pair(Expr a, Expr b) {
    switch (random_.below(options_.smooth ? 5 : 8)) {
      case 0:
        return bounded(a + b);
      case 1:
        return bounded(a - b);
      case 2:
        return bounded(a * b);
      case 3:
        return a / (1.5 + square(sin(b)));
      case 4:
        return add_all({a, b, 0.3 * a, sin(b)});
      case 5:
        return maximum(a, b);
      case 6:
        return minimum(a, 0.9 * b);
      default:
        return where(greater(a, constant(tape_, 0.21)), a, b);
    }
  }

  Expr reduction(Expr x) {
    const bool keep = random_.coin();
    switch (random_.below(4)) {
      case 0:
        return bounded(sum(x, {axis(x)}, keep));
      case 1:
        return mean(x, {axis(x)}, keep);
      case 2:
        return bounded(sqnorm(x));
      default:
        return bounded(sum(x));
    }
  }

  Expr movement(Expr x) {
    const std::int64_t at = axis(x);
    const std::int64_t size = x.shape().rank() == 0 ? 1 : x.shape()[static_cast<int>(at)];
    switch (random_.below(9)) {
      case 0:
        return reshape(x, std::vector<std::int64_t>{-1});
      case 1:
        return insert_axis(x, at);
      case 2:
        return transpose(x);
      case 3: {
        std::vector<std::int64_t> sizes = x.shape().sizes();
        sizes.insert(sizes.begin(), 2);
        return broadcast_to(x, Shape(std::move(sizes)));
      }
      case 4:
        return slice(x, at, size / 3, size - size / 4);
      case 5:
        return pad(x, at, random_.below(2), 1);
      case 6:
        return concat({x, 0.5 * x, any()}, at);
      case 7:
        return take(x, indices(size), at);
      default:
        return scatter_add(slice(x, at, 0, std::min<std::int64_t>(2, size)),
                           indices(3, std::min<std::int64_t>(2, size)), at, 3);
    }
  }

  // Whole numbers below `size`.
  Expr indices(std::int64_t size, std::int64_t count = 3) {
    if (size == 0) throw ShapeError("nothing to take");
    const std::string name = cat("indices", size, '_', count);
    if (!program_.feed.contains(name))
      program_.feed[name] =
          random_.tensor<double>({count}, {0, static_cast<double>(size - 1), true});
    return tape_.input(name, {count});
  }

  Expr product() {
    const Expr a = any(), b = any(), c = any();
    switch (random_.below(9)) {
      case 0:
        return matmul(a, b);
      case 1:
        return contract("ab,bc->ac", {a, b});
      case 2:
        return contract("ab,cb->ca", {a, b});
      case 3:
        return contract("ab,ac,bc->b", {a, b, c});
      case 4:
        return contract("ab,bc,cd->da", {a, transpose(b), transpose(c)});
      case 5:
        return contract("abc,acd->abd", {insert_axis(a, 0), insert_axis(transpose(b), 0)});
      case 6:
        return contract("ab->b", {a});
      case 7:
        return contract("ab,ab->", {a, b});
      default:
        return diag(contract("ab,cb->ac", {a, a}));
    }
  }

  Tape& tape_;
  Random& random_;
  ProgramOptions options_;
  RandomProgram program_;
  std::vector<std::function<Expr(Expr)>> smooth_, kinked_;
};

inline RandomProgram random_program(Tape& tape, std::uint64_t seed,
                                    const ProgramOptions& options = {}) {
  Random random(seed);
  return ProgramWriter(tape, random, options).write(seed);
}

}  // namespace jacquard::testing
