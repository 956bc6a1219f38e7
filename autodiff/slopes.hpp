// The slopes of scalars along directions in one parameter: those that their gradients on the tape
// give, and differences in quad precision. Private to the gradient check.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "autodiff/difference.hpp"
#include "autodiff/interpreter.hpp"

namespace jacquard {

Quad dot(const Tensor<Quad>& a, const Tensor<Quad>& b);

// A random direction of unit length.
Tensor<Quad> random_direction(const Shape& shape, std::uint64_t seed, const std::string& name);

// The gradient's slope of one term along one direction, and the slopes it is held against.
struct Slopes {
  Quad exact;
  Differences numeric;
  Quad scale;  // what errors are measured against
  // The distance of the gradient from the differences, and of their sides where they disagree.
  Quad off() const;
};

// Terms, their gradients with respect to each parameter, and the base point. While differences
// are taken, held ops keep their values of the base point.
class TermSlopes {
 public:
  // Throws Error when a parameter has no value or one of another shape.
  TermSlopes(std::vector<Expr> terms, std::vector<Expr> parameters, const Feed<double>& feed,
             const RunContext& context);

  Tape& tape() const { return *terms_[0].tape; }
  const std::vector<Expr>& terms() const { return terms_; }
  Expr gradient_of(std::size_t t, std::size_t p) const { return gradients_[t][p]; }
  const std::vector<Expr>& parameters() const { return parameters_; }
  Expr parameter(std::size_t p) const { return parameters_[p]; }
  const std::string& parameter_name(std::size_t p) const;
  const Feed<Quad>& feed() const { return feed_; }
  // Of the base point.
  Quad value(std::size_t t) const { return base_[t]; }
  const Tensor<Quad>& gradient_value(std::size_t t, std::size_t p) const {
    return base_gradients_[t][p];
  }

  // The terms' values at the base point moved by amount * direction in one parameter; only what
  // depends on it is computed again. May be called by several threads.
  std::vector<Quad> moved(std::size_t p, const Tensor<Quad>& direction, Quad amount) const;
  Interpreter<Quad>::Observer hold() const;

  // From the term's values at +- kDifferenceStep.
  Slopes slopes(std::size_t t, std::size_t p, const Tensor<Quad>& direction, Quad plus,
                Quad minus) const;
  Slopes measure(std::size_t t, std::size_t p, const Tensor<Quad>& direction) const;
  // The term as a function of the way along the direction, which must outlive it.
  auto along(std::size_t t, std::size_t p, const Tensor<Quad>& direction) const {
    return [this, t, p, &direction](Quad amount) { return moved(p, direction, amount)[t]; };
  }

 private:
  void require_parameters() const;
  std::vector<std::vector<std::size_t>> readers_of_fixed() const;
  void evaluate_base(const RunContext& context);

  std::vector<Expr> terms_;
  std::vector<Expr> parameters_;
  RunContext context_;  // without a pool
  Feed<Quad> feed_;
  std::vector<std::vector<Expr>> gradients_;
  std::unordered_map<NodeId, Tensor<Quad>> held_;
  // For each parameter: what the terms' nodes that depend on it read of others, which do not move.
  std::vector<std::unordered_map<NodeId, Tensor<Quad>>> fixed_;
  std::vector<Quad> base_;
  std::vector<std::vector<Tensor<Quad>>> base_gradients_;
};

}  // namespace jacquard
