#include "autodiff/blame.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"

namespace jacquard {
namespace {

using Values = std::unordered_map<NodeId, Tensor<Quad>>;

std::string name_node(const Tape& tape, NodeId id) {
  return cat("op '", tape.node(id).op->name, "' (", tape.describe(id), ", shape ",
             tape.node(id).shape, ")");
}

Values all_values(const Tape& tape, Expr value, const Feed<Quad>& feed, const RunContext& context,
                  const Interpreter<Quad>::Observer& hold) {
  Values values;
  Interpreter<Quad>(tape, {value}).run(feed, context, [&](NodeId id, Tensor<Quad>& v) {
    if (hold) hold(id, v);
    values[id] = v;
  });
  return values;
}

// Does the node's rule give the slope of its own kernel at these input values?
bool rule_holds(const Tape& tape, const Node& node, const Values& values,
                const RunContext& context) {
  Tape local;
  std::vector<Expr> in;
  Feed<Quad> feed;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const std::string name = cat("in", i);
    in.push_back(local.input(name, tape.node(node.inputs[i]).shape));
    feed[name] = values.at(node.inputs[i]);
  }
  // Inputs of a commutative op keep their order: equal nodes are told apart by name alone.
  const Expr out = local.append(*node.op, in, node.attributes);
  feed["weights"] = Tensor<Quad>(node.shape);
  fill_normal(std::span<Quad>(feed["weights"].data), 1, "blame/weights", 0);
  const Expr cost = sum(out * local.input("weights", node.shape));
  const std::vector<Expr> slopes = gradient(cost, in, Unused::kZero);
  const Quad h = static_cast<Quad>(1e-11);
  for (std::size_t i = 0; i < in.size(); ++i) {
    Tensor<Quad> direction(in[i].shape());
    fill_normal(std::span<Quad>(direction.data), 1, cat("blame/", i), 0);
    const Tensor<Quad> slope = evaluate<Quad>(slopes[i], feed, context);
    Quad exact(0), size(0);
    for (std::int64_t k = 0; k < slope.size(); ++k) {
      exact += slope[k] * direction[k];
      size += number::abs(slope[k] * direction[k]);
    }
    const auto at = [&](Quad amount) {
      Feed<Quad> moved = feed;
      Tensor<Quad>& x = moved.at(cat("in", i));
      for (std::int64_t k = 0; k < x.size(); ++k) x[k] += amount * direction[k];
      return evaluate<Quad>(cost, moved, context)[0];
    };
    const Quad plus = at(h), minus = at(-h), base = at(Quad(0));
    const Quad numeric = (plus - minus) / (h + h);
    const Quad scale = std::max({size, number::abs(numeric),
                                 static_cast<Quad>(1e-9) * number::abs(base)});
    const Quad bend = number::abs(plus + minus - base - base) / h;
    const bool kink = bend > static_cast<Quad>(1e-5) * scale;
    if (!kink && number::abs(exact - numeric) > static_cast<Quad>(1e-12) * scale) return false;
  }
  return true;
}

}  // namespace

std::string first_not_finite(const Tape& tape, const std::vector<Expr>& roots,
                             const Feed<Quad>& feed, const RunContext& context) {
  std::string found;
  Interpreter<Quad>(tape, roots).run(feed, context, [&](NodeId id, Tensor<Quad>& value) {
    if (found.empty() && !std::ranges::all_of(value.data, number::is_finite<Quad>))
      found = name_node(tape, id);
  });
  return found;
}

std::string first_kinked(const Tape& tape, Expr value, const Feed<Quad>& feed,
                         const RunContext& context, const Interpreter<Quad>::Observer& hold,
                         const std::string& parameter, const Tensor<Quad>& direction, Quad step) {
  const auto values_at = [&](Quad amount) {
    Feed<Quad> moved = feed;
    Tensor<Quad>& x = moved.at(parameter);
    for (std::int64_t k = 0; k < x.size(); ++k) x[k] += amount * direction[k];
    return all_values(tape, value, moved, context, hold);
  };
  const Values left = values_at(-step), base = values_at(Quad(0)), right = values_at(step);
  for (const NodeId id : ancestors(tape, std::vector<Expr>{value})) {
    const Tensor<Quad>&a = left.at(id), &b = base.at(id), &c = right.at(id);
    for (std::int64_t k = 0; k < b.size(); ++k) {
      const Quad before = b[k] - a[k], after = c[k] - b[k];
      const Quad scale = std::max(number::abs(before), number::abs(after));
      // Differences below what rounding leaves say nothing.
      if (scale > static_cast<Quad>(1e-26) * (number::abs(b[k]) + step) &&
          number::abs(after - before) > static_cast<Quad>(1e-5) * scale)
        return name_node(tape, id);
    }
  }
  return "";
}

std::string wrong_rule(const Tape& tape, Expr value, Expr parameter, const Feed<Quad>& feed,
                       const RunContext& context) {
  const Values values = all_values(tape, value, feed, context, {});
  const std::vector<bool> depends = dependents(tape, std::vector<Expr>{parameter}, value.id);
  for (const NodeId id : ancestors(tape, std::vector<Expr>{value})) {
    const Node& node = tape.node(id);
    if (!depends[static_cast<std::size_t>(id)] || node.inputs.empty() || node.op->held) continue;
    if (!rule_holds(tape, node, values, context)) return name_node(tape, id);
  }
  return "";
}

}  // namespace jacquard
