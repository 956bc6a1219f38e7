#include "autodiff/gradient.hpp"

#include <algorithm>
#include <unordered_map>

#include "autodiff/elementwise.hpp"
#include "autodiff/error.hpp"
#include "autodiff/mask.hpp"
#include "autodiff/ops.hpp"

namespace jacquard {
namespace {

bool is_zero_constant(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  return node.op->name == "constant" && node.attributes.number("value") == 0;
}

// An adjoint, and what is known of where it is exactly 0. The mask outlives the value's way through
// a rule: what a rule makes of a 0 outside the mask, such as 0 * infinity, is cut off again. So a
// where() branch that was not taken contributes 0 to everything below it.
struct Adjoint {
  Expr value;
  Expr mask;           // the adjoint is 0 where this is 0; empty: nothing is known
  bool is_cut = true;  // is value 0 there itself? If not, it may be anything there

  static Adjoint of(Expr e) {
    const Node& node = e.tape->node(e);
    if (node.op != &where_op) return {e, {}};
    const Expr condition = e.tape->expr(node.inputs[0]);
    if (is_zero_constant(*e.tape, node.inputs[2]))
      return {e.tape->expr(node.inputs[1]), condition, false};
    if (is_zero_constant(*e.tape, node.inputs[1]))
      return {e.tape->expr(node.inputs[2]), logical_not(condition), false};
    return {e, {}};
  }

  Shape shape() const {
    return is_cut ? value.shape() : broadcast("gradient", mask.shape(), value.shape());
  }
  Expr whole() const { return is_cut ? value : where(mask, value, constant(*value.tape, 0.0)); }
};

// The sum of the contributions to one adjoint. It is 0 where all of them are.
Adjoint merged(const std::vector<Adjoint>& contributions) {
  struct Group {
    Expr mask;
    std::vector<const Adjoint*> members;
  };
  std::vector<Group> groups;  // by mask
  for (const Adjoint& c : contributions) {
    const auto same =
        std::ranges::find_if(groups, [&c](const Group& g) { return g.mask == c.mask; });
    if (same == groups.end())
      groups.push_back({c.mask, {&c}});
    else
      same->members.push_back(&c);
  }
  std::vector<Adjoint> sums;
  for (const Group& group : groups) {
    std::vector<Expr> terms;
    for (const Adjoint* c : group.members) terms.push_back(c->value);
    const bool cut = std::ranges::all_of(group.members, [](const Adjoint* c) { return c->is_cut; });
    sums.push_back({add_all(terms), group.mask, cut});
  }
  if (sums.size() == 1) return sums[0];
  std::vector<Expr> terms, masks;
  for (const Adjoint& sum : sums) {
    terms.push_back(sum.whole());
    if (sum.mask) masks.push_back(sum.mask);
  }
  const bool everywhere = masks.size() < sums.size();
  return {add_all(terms), everywhere ? Expr{} : either(masks)};
}

class Sweep {
 public:
  Sweep(Tape& tape, const std::vector<Expr>& variables, NodeId last)
      : tape_(tape), needed_(dependents(tape, checked(tape, variables), last)) {
    for (const Expr& v : variables) is_variable_[v.id] = true;
  }

  // Walks back from `from` with adjoint `seed`.
  void run(Expr from, Expr seed) {
    if (!needed(from.id)) return;
    contributions_[from.id] = {Adjoint::of(seed)};
    for (NodeId id = from.id; id >= 0; --id) {
      if (!needed(id)) continue;
      const auto it = contributions_.find(id);
      if (it == contributions_.end()) continue;
      const Adjoint adjoint = merged(it->second);
      contributions_.erase(it);
      visit(id, adjoint);
    }
  }

  // The adjoint of a variable; empty when nothing reached it.
  Expr adjoint(Expr variable) const {
    const auto it = totals_.find(variable.id);
    return it == totals_.end() ? Expr{} : it->second;
  }

 private:
  static const std::vector<Expr>& checked(const Tape& tape, const std::vector<Expr>& variables) {
    for (const Expr& v : variables)
      if (v.tape != &tape)
        throw Error(
            "gradient: a variable stands on another tape than the cost, or is empty; both must be "
            "written on one tape");
    return variables;
  }

  bool needed(NodeId id) const { return needed_[static_cast<std::size_t>(id)]; }
  // Does the adjoint of this node travel on?
  bool has_deeper(NodeId id) const {
    return std::ranges::any_of(tape_.node(id).inputs, [this](NodeId in) { return needed(in); });
  }

  void visit(NodeId id, const Adjoint& g) {
    const Node& node = tape_.node(id);
    if (is_variable_.contains(id)) totals_[id] = broadcast_to(g.whole(), node.shape);
    if (!has_deeper(id)) return;
    if (node.op->derivative == nullptr)
      throw GradientError(cat("gradient: op '", node.op->name, "' (", tape_.describe(id),
                              ") has no derivative; wrap it in stop_gradient() if none is meant"));
    if (node.op->elementwise)
      through_elementwise(id, g);
    else
      through_structured(id, g);
  }

  // An elementwise rule keeps its result at the place of its adjoint, and so under its mask.
  void through_elementwise(NodeId id, const Adjoint& g) {
    const Expr adjoint = broadcast_to(g.value, tape_.node(id).shape);
    const std::vector<Expr> parts = rule(id, adjoint);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (!parts[i]) continue;
      Adjoint part = Adjoint::of(parts[i]);
      part.mask = both(g.mask, part.mask);
      part.is_cut = !part.mask || (g.is_cut && parts[i] == adjoint);
      contribute(tape_.node(id).inputs[i], part);
    }
  }

  // An op that moves elements moves a mask by the same rule; other ops lose it.
  void through_structured(NodeId id, const Adjoint& g) {
    const Shape& shape = tape_.node(id).shape;
    const std::vector<Expr> parts = rule(id, broadcast_to(g.whole(), shape));
    std::vector<Expr> masks(parts.size());
    if (g.mask && tape_.node(id).op->moves)
      for (const NodeId condition : conditions(tape_, g.mask)) {
        const std::vector<Expr> moved = rule(id, broadcast_to(tape_.expr(condition), shape));
        for (std::size_t i = 0; i < masks.size(); ++i)
          if (moved[i]) masks[i] = both(masks[i], before_broadcast(moved[i]));
      }
    for (std::size_t i = 0; i < parts.size(); ++i)
      if (parts[i])
        contribute(tape_.node(id).inputs[i],
                   masks[i] ? Adjoint{parts[i], masks[i]} : Adjoint::of(parts[i]));
  }

  // A mask broadcasts by itself; the smaller one is found equal to others more often.
  Expr before_broadcast(Expr mask) {
    while (mask.op().name == "broadcast_to") mask = tape_.expr(tape_.node(mask).inputs[0]);
    return mask;
  }

  std::vector<Expr> rule(NodeId id, Expr adjoint) {
    const Node& node = tape_.node(id);
    std::vector<Expr> in;
    for (const NodeId i : node.inputs) in.push_back(tape_.expr(i));
    std::vector<Expr> parts = node.op->derivative({in, tape_.expr(id), node.attributes}, adjoint);
    if (parts.size() != in.size())
      throw InternalError(cat("gradient: the rule of '", node.op->name, "' gave ", parts.size(),
                              " adjoints for ", in.size(), " inputs"));
    return parts;
  }

  void contribute(NodeId to, Adjoint part) {
    if (!needed(to)) return;
    const Shape& shape = tape_.node(to).shape;
    const Shape own = part.shape();
    if (!(own == shape)) {
      const Expr mask = part.mask && has_deeper(to) ? summed_mask(part.mask, own, shape) : Expr{};
      part = {sum_to(part.whole(), shape), mask};
    }
    contributions_[to].push_back(part);
  }

  // The mask of an adjoint of shape `from` that is summed to `to`: 0 where all it sums are.
  Expr summed_mask(Expr mask, const Shape& from, const Shape& to) {
    Expr result;
    for (const NodeId id : conditions(tape_, mask)) {
      Expr condition = tape_.expr(id);
      // Summed as 0 and 1: any number but 0 is true.
      if (!broadcasts_to(condition.shape(), to))
        condition = sum_to(broadcast_to(not_equal(condition, constant(tape_, 0.0)), from), to);
      result = both(result, condition);
    }
    return result;
  }

  Tape& tape_;
  std::vector<bool> needed_;
  std::unordered_map<NodeId, bool> is_variable_;
  std::unordered_map<NodeId, std::vector<Adjoint>> contributions_;
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
