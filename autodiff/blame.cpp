#include "autodiff/blame.hpp"

#include <algorithm>

#include "autodiff/difference.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"

namespace jacquard {
namespace {

using Values = std::unordered_map<NodeId, Tensor<Quad>>;

Values all_values(const Tape& tape, Expr value, const Feed<Quad>& feed, const RunContext& context,
                  const Interpreter<Quad>::Observer& hold) {
  Values values;
  Interpreter<Quad>(tape, {value}).run(feed, context, [&](NodeId id, Tensor<Quad>& v) {
    if (hold) hold(id, v);
    values[id] = v;
  });
  return values;
}

enum class RuleState { kHolds, kWrong, kNotFinite };

// One call alone on a tape of its own, with its gradients along the inputs that matter.
struct LoneCall {
  Tape tape;
  std::vector<Expr> in;  // empty where an input does not matter
  Feed<Quad> feed;
  Expr cost;  // of random cotangents

  LoneCall(const Tape& from, const Node& node, const std::vector<bool>& matters,
           const Values& values) {
    std::vector<Expr> operands;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      operands.push_back(tape.input(name(i), from.node(node.inputs[i]).shape));
      feed[name(i)] = values.at(node.inputs[i]);
      in.push_back(matters[static_cast<std::size_t>(node.inputs[i])] ? operands[i] : Expr{});
    }
    const Expr out = tape.append(*node.op, operands, node.attributes);
    Tensor<Quad>& weights = feed["weights"] = Tensor<Quad>(node.shape);
    fill_normal(std::span<Quad>(weights.data), 1, "blame/weights", 0);
    cost = sum(out * tape.input("weights", node.shape));
  }

  static std::string name(std::size_t i) { return cat("in", i); }
};

// Does the rule of the call give the slope of its own kernel along a random direction of input i?
RuleState check_rule(LoneCall& call, std::size_t i, const RunContext& context) {
  const Expr rule = gradient(call.cost, {call.in[i]}, Unused::kZero)[0];
  const Tensor<Quad> slope = evaluate<Quad>(rule, call.feed, context);
  Tensor<Quad> direction(slope.shape);
  fill_normal(std::span<Quad>(direction.data), 1, cat("blame/", i), 0);
  Quad exact(0), size(0);
  for (std::int64_t k = 0; k < slope.size(); ++k) {
    exact += slope[k] * direction[k];
    size += number::abs(slope[k] * direction[k]);
  }
  const auto f = [&](Quad amount) {
    Feed<Quad> moved = call.feed;
    Tensor<Quad>& x = moved.at(LoneCall::name(i));
    for (std::int64_t k = 0; k < x.size(); ++k) x[k] += amount * direction[k];
    return evaluate<Quad>(call.cost, moved, context)[0];
  };
  const Quad numeric = differences(f, kDifferenceStep).middle;
  if (!number::is_finite(exact) || !number::is_finite(numeric)) return RuleState::kNotFinite;
  const Quad scale =
      std::max({size, number::abs(numeric), static_cast<Quad>(1e-9) * number::abs(f(Quad(0)))});
  const bool wrong = disagreement(f, exact) > static_cast<Quad>(1e-12) * scale &&
                     smoothness(f, scale) == Smoothness::kSmooth;
  return wrong ? RuleState::kWrong : RuleState::kHolds;
}

RuleState state_of_rule(LoneCall& call, std::size_t i, const RunContext& context) {
  try {
    return check_rule(call, i, context);
  } catch (const Error&) {
    return RuleState::kHolds;  // an input that cannot be moved, such as the indices of take()
  }
}

std::string first_rule(const Tape& tape, Expr value, Expr parameter, const Feed<Quad>& feed,
                       const RunContext& context, RuleState wanted) {
  const Values values = all_values(tape, value, feed, context, {});
  const std::vector<bool> depends = dependents(tape, std::vector<Expr>{parameter}, value.id);
  for (const NodeId id : ancestors(tape, std::vector<Expr>{value})) {
    const Node& node = tape.node(id);
    if (!depends[static_cast<std::size_t>(id)] || node.inputs.empty() || node.op->held) continue;
    LoneCall call(tape, node, depends, values);
    for (std::size_t i = 0; i < call.in.size(); ++i)
      if (call.in[i] && state_of_rule(call, i, context) == wanted) return operation_text(tape, id);
  }
  return "";
}

}  // namespace

std::string operation_text(const Tape& tape, NodeId id) {
  return cat("op '", tape.node(id).op->name, "' (", tape.describe(id), ", shape ",
             tape.node(id).shape, ")");
}

template <class T>
std::string first_not_finite(const Tape& tape, const std::vector<Expr>& roots, const Feed<T>& feed,
                             const RunContext& context) {
  std::string found;
  Interpreter<T>(tape, roots).run(feed, context, [&](NodeId id, Tensor<T>& value) {
    if (found.empty() && !std::ranges::all_of(value.data, number::is_finite<T>))
      found = operation_text(tape, id);
  });
  return found;
}
template std::string first_not_finite(const Tape&, const std::vector<Expr>&, const Feed<float>&,
                                      const RunContext&);
template std::string first_not_finite(const Tape&, const std::vector<Expr>&, const Feed<Quad>&,
                                      const RunContext&);

std::string first_kinked(const Tape& tape, Expr value, const Feed<Quad>& feed,
                         const RunContext& context, const Interpreter<Quad>::Observer& hold,
                         const std::string& parameter, const Tensor<Quad>& direction) {
  const auto values_at = [&](Quad amount) {
    Feed<Quad> moved = feed;
    Tensor<Quad>& x = moved.at(parameter);
    for (std::int64_t k = 0; k < x.size(); ++k) x[k] += amount * direction[k];
    return all_values(tape, value, moved, context, hold);
  };
  const Quad far = kShortStep, near = far / Quad(8);
  const Values base = values_at(Quad(0)), far_left = values_at(-far), far_right = values_at(far),
               near_left = values_at(-near), near_right = values_at(near);
  const auto smoothness_of = [&](NodeId id, std::int64_t k) {
    const Quad b = base.at(id)[k];
    const auto slopes = [&](const Values& left, const Values& right, Quad step) {
      const Quad l = left.at(id)[k], r = right.at(id)[k];
      return Differences{(r - l) / (step + step), (b - l) / step, (r - b) / step};
    };
    const Differences outer = slopes(far_left, far_right, far);
    // What rounding leaves of the value says nothing.
    const Quad scale = std::max({number::abs(outer.left), number::abs(outer.right),
                                 static_cast<Quad>(1e-9) * number::abs(b)});
    return smoothness(outer, slopes(near_left, near_right, near), scale);
  };
  // A comparison jumps where the choice that it makes has a mere kink: the first of the value's
  // own kind is looked for.
  const Smoothness wanted = smoothness_of(value.id, 0);
  std::string other;
  for (const NodeId id : ancestors(tape, std::vector<Expr>{value}))
    for (std::int64_t k = 0; k < base.at(id).size(); ++k) {
      const Smoothness is = smoothness_of(id, k);
      if (is != Smoothness::kSmooth && is == wanted) return operation_text(tape, id);
      if (is != Smoothness::kSmooth && other.empty()) other = operation_text(tape, id);
    }
  return other;
}

std::string wrong_rule(const Tape& tape, Expr value, Expr parameter, const Feed<Quad>& feed,
                       const RunContext& context) {
  return first_rule(tape, value, parameter, feed, context, RuleState::kWrong);
}

std::string not_finite_rule(const Tape& tape, Expr value, Expr parameter, const Feed<Quad>& feed,
                            const RunContext& context) {
  return first_rule(tape, value, parameter, feed, context, RuleState::kNotFinite);
}

}  // namespace jacquard
