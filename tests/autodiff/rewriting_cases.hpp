// Costs made of Jacobians, and what the contraction algebra makes of them against the tape as it
// was written: shared by the tests of single cases and of random networks.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/philox.hpp"
#include "autodiff/plan_check.hpp"
#include "autodiff/work.hpp"

namespace jacquard::rewriting_cases {

// Normal values that double has exactly for every input of the tape.
inline Feed<Quad> feed_of(const Tape& tape, double scale) {
  Feed<Quad> feed;
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
    const Node& node = tape.node(id);
    if (!is_input(node) || input_kind(node) == InputKind::kPlaceholder) continue;
    Tensor<double> value(node.shape);
    fill_normal(std::span<double>(value.data), 1, input_name(node), 0);
    for (double& x : value.data) x *= scale;
    feed[input_name(node)] = cast<Quad>(value);
  }
  return feed;
}

inline Feed<double> in_double(const Feed<Quad>& feed) {
  Feed<double> values;
  for (const auto& [name, value] : feed) values[name] = cast<double>(value);
  return values;
}

inline double size_of(const Tensor<Quad>& a) {
  Quad total(0);
  for (const Quad& x : a.data) total += x * x;
  return static_cast<double>(number::sqrt(total));
}

template <class T>
double distance(Tensor<Quad> a, const Tensor<T>& b) {
  for (std::int64_t i = 0; i < a.size(); ++i) a[i] -= static_cast<Quad>(b[i]);
  return size_of(a);
}

inline double total_flops(const Tape& tape, const std::vector<Expr>& roots) {
  double total = 0;
  for (const NodeId id : ancestors(tape, roots)) total += flops(tape, id);
  return total;
}

inline std::vector<Expr> with_gradients(Expr cost, const std::vector<Expr>& parameters) {
  std::vector<Expr> roots{cost};
  for (const Expr& g : gradient(cost, parameters, Unused::kZero)) roots.push_back(g);
  return roots;
}

// What the comparisons in double have shown, for people.
struct Seen {
  int all = 0, ordinary = 0;  // those that were held to 1e-12
  double worst_ordinary = 0;  // of the value
  double worst = 0;           // of the rest, as a share of what was allowed
  std::string text() const {
    return cat(ordinary, " of ", all, " comparisons in double to 1e-12, the worst at ",
               worst_ordinary, "; the others to ", worst, " of what rounding explains");
  }
};
inline Seen seen;

// A cost with its gradients as it was written: their values in quad, and what rounding makes of
// them.
struct Written {
  // Times the change when every operation of the tape as written rounds once.
  static constexpr double kRoundings = 32;

  Tape& tape;
  std::vector<Expr> parameters, roots;
  Feed<Quad> feed;
  std::vector<Tensor<Quad>> exact;
  std::vector<double> moved;  // by half a unit in the last place of float

  Written(Expr cost, const std::vector<Expr>& of, double scale)
      : tape(*cost.tape),
        parameters(of),
        roots(with_gradients(cost, of)),
        feed(feed_of(tape, scale)),
        exact(Interpreter<Quad>(tape, roots).run(feed)),
        moved(moved_by_rounding(tape, roots, feed)) {}

  // What is allowed of root i: this share of its size, or more where the tape as written itself
  // moves more when its operations round to `epsilon`. What vanishes may do so exactly on one side
  // and by cancellation on the other: it is held against 1, the size of weights and slopes here.
  double allowed(std::size_t i, double share, double epsilon) const {
    const double size = size_of(exact[i]);
    const double rounding =
        std::max(moved[i] * std::ldexp(epsilon, 23), size < 1e-20 ? epsilon : 0);
    return std::max(share * size, kRoundings * rounding);
  }

  // The same values and gradients in quad, also after the passes of a plan: to 1e-25, or to a
  // larger share where a condition says that digits are lost.
  void check_in_quad(const std::vector<Expr>& after, const Graph& prepared, double share) const {
    const auto values = Interpreter<Quad>(tape, after).run(feed);
    const auto planned = Interpreter<Quad>(*prepared.tape, prepared.roots).run(feed);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      CAPTURE(i);
      const double most = allowed(i, share, kQuadEpsilon);
      CHECK(distance(exact[i], values[i]) <= most);
      CHECK(distance(exact[i], planned[i]) <= most);
    }
  }

  void check_in_double(const Graph& prepared) const {
    constexpr double kShare = 1e-12;
    const auto values = Interpreter<double>(*prepared.tape, prepared.roots).run(in_double(feed));
    for (std::size_t i = 0; i < exact.size(); ++i) {
      CAPTURE(i);
      const double off = distance(exact[i], values[i]), size = size_of(exact[i]);
      const double most = allowed(i, kShare, number::epsilon<double>());
      CHECK(off <= most);
      ++seen.all;
      if (most <= kShare * size) {
        ++seen.ordinary;
        if (size > 0) seen.worst_ordinary = std::max(seen.worst_ordinary, off / size);
      } else if (std::isfinite(most)) {
        seen.worst = std::max(seen.worst, off / most);
      }
    }
  }

  // The fast form wherever it would run; in quad everywhere, where what its condition takes is
  // known.
  void check_fast(const Simplified& fast) const {
    const std::vector<Expr> after = with_gradients(fast.roots[0], parameters);
    verify(tape);
    const Graph prepared = prepare(tape, after);
    Quad worst(1);
    for (const Condition& c : fast.conditions)
      for (const Quad x : evaluate(c.terms / abs(c.value), feed).data)
        if (number::is_finite(x)) worst = std::max(worst, x);
    check_in_quad(after, prepared,
                  std::max(1e-25, kRoundings * kQuadEpsilon * static_cast<double>(worst)));
    const Expr guard = keeps_digits(fast.conditions);
    if (!guard || number::is_finite(evaluate(guard, in_double(feed))[0])) check_in_double(prepared);
  }

  void check_careful(Expr careful) const {
    CAPTURE("careful");
    const std::vector<Expr> after = with_gradients(careful, parameters);
    verify(tape);
    const Graph prepared = prepare(tape, after);
    check_in_quad(after, prepared, 1e-25);
    check_in_double(prepared);
  }

  static inline const double kQuadEpsilon = static_cast<double>(number::epsilon<Quad>());
};

// Both forms are right in quad and keep their digits in double; returns the FLOPs of the fast value
// as a share of those before.
inline double check_same(Expr cost, const std::vector<Expr>& parameters, double scale = 0.5) {
  const Written written(cost, parameters, scale);
  const Simplified fast = simplify({cost});
  const Expr careful = simplify({cost}, Care::kCareful).roots[0];
  written.check_fast(fast);
  if (!(careful == fast.roots[0])) written.check_careful(careful);
  return total_flops(*cost.tape, fast.roots) / total_flops(*cost.tape, {cost});
}

struct Net {
  Tape tape;
  std::vector<Expr> parameters;
  Expr x;

  explicit Net(const Shape& inputs = {5, 6}) : x(tape.input("x", inputs)) {}

  Expr weights(std::int64_t in, std::int64_t out) {
    const std::string name = "W" + std::to_string(parameters.size());
    parameters.push_back(tape.input(name, {in, out}, InputKind::kParameter));
    return parameters.back();
  }
};

using Activation = std::function<Expr(Expr)>;

inline const std::vector<Activation>& activations() {
  static const std::vector<Activation> all = {
      [](Expr a) { return sigmoid(a); },  [](Expr a) { return tanh(a); },
      [](Expr a) { return softplus(a); }, [](Expr a) { return relu(a); },
      [](Expr a) { return elu(a); },      [](Expr a) { return gelu(a); },
      [](Expr a) { return a; },           [](Expr a) { return abs(a); },
      [](Expr a) { return sin(a); },      [](Expr a) { return leaky_relu(a); }};
  return all;
}

}  // namespace jacquard::rewriting_cases
