#include "autodiff/gradient.hpp"

#include <algorithm>
#include <unordered_map>

#include "autodiff/elementwise.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard {
namespace {

bool is_zero_constant(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  return node.op->name == "constant" && node.attributes.number("value") == 0;
}

// An adjoint where(mask, value, 0) taken apart. While a mask is outside, rules see the finite
// value; the mask is put back behind them. So a branch that was not taken contributes 0 and not
// 0 * infinity.
struct Masked {
  Expr mask;  // empty: no mask
  Expr value;

  explicit Masked(Expr e) : value(e) {
    const Node& node = e.tape->node(e);
    if (node.op != &where_op) return;
    const Expr condition = e.tape->expr(node.inputs[0]);
    if (is_zero_constant(*e.tape, node.inputs[2])) {
      mask = condition;
      value = e.tape->expr(node.inputs[1]);
    } else if (is_zero_constant(*e.tape, node.inputs[1])) {
      mask = logical_not(condition);
      value = e.tape->expr(node.inputs[2]);
    }
  }

  // Puts the mask round e; a mask that e has itself is joined with it, not nested.
  Expr wrap(Expr e) const {
    if (!mask) return e;
    const Masked inner(e);
    return where(inner.mask ? logical_and(mask, inner.mask) : mask, inner.value,
                 constant(*e.tape, 0.0));
  }
};

// Sums the contributions to one adjoint, those behind the same mask first, so that a mask shared
// by all of them stays outermost. Returns the groups.
std::vector<Expr> group_by_mask(const std::vector<Expr>& contributions) {
  std::vector<std::pair<Masked, std::vector<Expr>>> groups;
  for (const Expr& e : contributions) {
    const Masked masked(e);
    const auto same =
        std::ranges::find_if(groups, [&](const auto& g) { return g.first.mask == masked.mask; });
    if (same == groups.end())
      groups.push_back({masked, {masked.value}});
    else
      same->second.push_back(masked.value);
  }
  std::vector<Expr> result;
  for (const auto& [masked, values] : groups) result.push_back(masked.wrap(add_all(values)));
  return result;
}

class Sweep {
 public:
  Sweep(Tape& tape, const std::vector<Expr>& variables, NodeId last)
      : tape_(tape), needed_(dependents(tape, variables, last)) {
    for (const Expr& v : variables) is_variable_[v.id] = true;
  }

  // Walks back from `from` with adjoint `seed`.
  void run(Expr from, Expr seed) {
    if (!needed(from.id)) return;
    contributions_[from.id] = {seed};
    for (NodeId id = from.id; id >= 0; --id) {
      if (!needed(id)) continue;
      const auto it = contributions_.find(id);
      if (it == contributions_.end()) continue;
      visit(id, group_by_mask(it->second));
    }
  }

  // The adjoint of a variable; empty when nothing reached it.
  Expr adjoint(Expr variable) const {
    const auto it = totals_.find(variable.id);
    return it == totals_.end() ? Expr{} : it->second;
  }

 private:
  bool needed(NodeId id) const { return needed_[static_cast<std::size_t>(id)]; }

  void visit(NodeId id, std::vector<Expr> groups) {
    const Node& node = tape_.node(id);
    const bool variable = is_variable_.contains(id);
    if (variable) totals_[id] = broadcast_to(add_all(groups), node.shape);
    const bool deeper =
        std::ranges::any_of(node.inputs, [this](NodeId in) { return needed(in); });
    if (deeper) {
      // Masks pass through elementwise ops one by one; elsewhere the masked parts are added up.
      constexpr std::size_t kMostMasks = 4;
      if (!node.op->elementwise || groups.size() > kMostMasks) groups = {add_all(groups)};
      for (const Expr& g : groups) propagate(id, node, g);
    }
    contributions_.erase(id);
  }

  void propagate(NodeId id, const Node& node, Expr g) {
    if (node.op->derivative == nullptr)
      throw GradientError(cat("gradient: op '", node.op->name, "' (", tape_.describe(id),
                              ") has no derivative; wrap it in stop_gradient() if none is meant"));
    // Only an elementwise rule keeps its result at the place of its adjoint.
    Masked masked(g);
    if (!node.op->elementwise) {
      masked.mask = Expr{};
      masked.value = g;
    }
    const Expr adjoint = broadcast_to(masked.value, node.shape);
    std::vector<Expr> in;
    for (const NodeId i : node.inputs) in.push_back(tape_.expr(i));
    const Call call{in, tape_.expr(id), node.attributes};
    const std::vector<Expr> parts = node.op->derivative(call, adjoint);
    if (parts.size() != in.size())
      throw InternalError(cat("gradient: the rule of '", node.op->name, "' gave ", parts.size(),
                              " adjoints for ", in.size(), " inputs"));
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (!parts[i] || !needed(in[i].id)) continue;
      contributions_[in[i].id].push_back(sum_to(masked.wrap(parts[i]), in[i].shape()));
    }
  }

  Tape& tape_;
  std::vector<bool> needed_;
  std::unordered_map<NodeId, bool> is_variable_;
  std::unordered_map<NodeId, std::vector<Expr>> contributions_;
  std::unordered_map<NodeId, Expr> totals_;
};

}  // namespace

Expr sum_to(Expr adjoint, const Shape& shape) {
  const Shape& from = adjoint.shape();
  if (from == shape) return adjoint;
  // An adjoint may also be smaller than its variable: it is constant along the missing axes.
  if (broadcasts_to(from, shape)) return broadcast_to(adjoint, shape);
  Axes axes;
  const int lead = from.rank() - shape.rank();
  for (int i = 0; i < from.rank(); ++i)
    if (i < lead || (shape[i - lead] == 1 && from[i] != 1)) axes.push_back(i);
  return reshape(sum(adjoint, axes, true), shape);
}

std::vector<Expr> gradient(Expr cost, const std::vector<Expr>& variables, Unused unused) {
  if (cost.shape().rank() != 0)
    throw GradientError(cat("gradient: the cost has shape ", cost.shape(),
                            "; it must be a scalar, take sum() or mean() of it"));
  Tape& tape = *cost.tape;
  Sweep sweep(tape, variables, cost.id);
  sweep.run(cost, constant(tape, 1.0));
  std::vector<Expr> result;
  for (const Expr& v : variables) {
    Expr g = sweep.adjoint(v);
    if (!g && unused == Unused::kError)
      throw GradientError(cat("gradient: the cost does not depend on ", tape.describe(v.id),
                              "; drop it from the list or ask for zeros"));
    result.push_back(g ? g : zeros_like(v));
  }
  return result;
}

Expr pull_back(Expr h, Expr x, Expr u) {
  Sweep sweep(*h.tape, {x}, h.id);
  sweep.run(h, u);
  const Expr g = sweep.adjoint(x);
  return g ? g : zeros_like(x);
}

}  // namespace jacquard
