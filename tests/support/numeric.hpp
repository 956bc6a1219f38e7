// The independent truth of the derivative tests: differences in quad precision.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/op.hpp"
#include "autodiff/tape.hpp"
#include "tests/support/random.hpp"

namespace jacquard::testing {

// 2^-37, about the cube root of the spacing of quad numbers: truncation of the central difference
// (h^2 f''' / 6) and rounding (spacing * f / h) are then both near 1e-23 for numbers near 1.
inline Quad difference_step() { return static_cast<Quad>(0x1p-37); }

using HeldNodes = std::vector<NodeId>;

// The nodes among the ancestors of e that a difference must hold at their base values.
inline HeldNodes held_nodes(Expr e) {
  HeldNodes held;
  for (const NodeId id : ancestors(*e.tape, std::vector<Expr>{e}))
    if (e.tape->node(id).op->held) held.push_back(id);
  return held;
}

// at + factor * direction; inputs without a direction stay.
inline Feed<Quad> moved(const Feed<Quad>& at, const Feed<Quad>& direction, Quad factor) {
  Feed<Quad> result = at;
  for (const auto& [name, step] : direction) {
    Tensor<Quad>& value = result.at(name);
    for (std::int64_t i = 0; i < value.size(); ++i) value[i] += factor * step[i];
  }
  return result;
}

// Values of e at `at + t * direction` for each t, with the nodes `held` kept at their values of t =
// 0.
inline std::vector<Tensor<Quad>> values_along(Expr e, const Feed<Quad>& at,
                                              const Feed<Quad>& direction,
                                              const std::vector<Quad>& places,
                                              const HeldNodes& held = {},
                                              const RunContext& context = {}) {
  const Interpreter<Quad> interpreter(*e.tape, {e});
  std::unordered_map<NodeId, Tensor<Quad>> kept;
  for (const NodeId id : held) kept[id] = Tensor<Quad>();
  if (!held.empty())
    interpreter.run(at, context, [&kept](NodeId id, Tensor<Quad>& value) {
      if (const auto it = kept.find(id); it != kept.end()) it->second = value;
    });
  std::vector<Tensor<Quad>> values;
  for (const Quad t : places)
    values.push_back(
        interpreter.run(moved(at, direction, t), context, [&kept](NodeId id, Tensor<Quad>& value) {
          if (const auto it = kept.find(id); it != kept.end()) value = it->second;
        })[0]);
  return values;
}

// d e / d t at `at + t * direction`, t = 0, of each element of e, by a central difference.
inline Tensor<Quad> slopes(Expr e, const Feed<Quad>& at, const Feed<Quad>& direction,
                           const HeldNodes& held = {}, const RunContext& context = {}) {
  const Quad h = difference_step();
  const auto values = values_along(e, at, direction, {h, -h}, held, context);
  Tensor<Quad> result(e.shape());
  for (std::int64_t i = 0; i < result.size(); ++i)
    result[i] = (values[0][i] - values[1][i]) / (Quad(2) * h);
  return result;
}

// The same of a scalar.
inline Quad slope(Expr e, const Feed<Quad>& at, const Feed<Quad>& direction,
                  const HeldNodes& held = {}, const RunContext& context = {}) {
  return slopes(e, at, direction, held, context)[0];
}

// |a - b| as a share of the larger, where numbers below `floor` count as zero. NaN gives infinity.
template <class T>
double relative_error(T a, T b, double floor = 1e-6) {
  const T difference = number::abs(a - b);
  const T size = number::abs(a) > number::abs(b) ? number::abs(a) : number::abs(b);
  if (a == b) return 0;
  if (!(difference == difference) || !number::is_finite(difference))
    return std::numeric_limits<double>::infinity();
  return static_cast<double>(difference / (size > T(floor) ? size : T(floor)));
}

// The worst relative error of two tensors, measured against their largest element.
template <class T>
double tensor_error(const Tensor<T>& a, const Tensor<T>& b) {
  if (!(a.shape == b.shape)) return std::numeric_limits<double>::infinity();
  T size = T(0);
  for (std::int64_t i = 0; i < a.size(); ++i)
    if (number::abs(b[i]) > size) size = number::abs(b[i]);
  double worst = 0;
  for (std::int64_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, relative_error(a[i], b[i], static_cast<double>(size) + 1e-300));
  return worst;
}

}  // namespace jacquard::testing
