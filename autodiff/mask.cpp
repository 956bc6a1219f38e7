#include "autodiff/mask.hpp"

#include <algorithm>
#include <iterator>

#include "autodiff/ops.hpp"

namespace jacquard {
namespace {

Expr all_of(Tape& tape, const Conditions& set) {
  Expr result;
  for (const NodeId id : set) result = result ? logical_and(result, tape.expr(id)) : tape.expr(id);
  return result;
}

bool are_opposite(const Tape& tape, const Conditions& a, const Conditions& b) {
  if (a.size() != 1 || b.size() != 1) return false;
  const Node& node = tape.node(b[0]);
  return node.op->name == "not" && node.inputs[0] == a[0];
}

// A mask that is 1 at least where one of the sets holds; empty when that is everywhere.
Expr one_of(Tape& tape, std::vector<Conditions> sets) {
  // More would cost more than it shields, and to compare them more than linear time.
  constexpr std::size_t kMostCompared = 64, kMostKept = 8;
  if (sets.size() > kMostCompared) return {};
  std::vector<Conditions> kept;  // a set that includes another adds nothing
  std::ranges::sort(sets, {}, &Conditions::size);
  for (const Conditions& set : sets)
    if (std::ranges::none_of(kept,
                             [&set](const Conditions& k) { return std::ranges::includes(set, k); }))
      kept.push_back(set);
  for (const Conditions& a : kept)
    for (const Conditions& b : kept)
      if (a.empty() || are_opposite(tape, a, b)) return {};
  if (kept.size() > kMostKept) return {};
  Expr result;
  for (const Conditions& set : kept) {
    const Expr mask = all_of(tape, set);
    result = result ? logical_or(result, mask) : mask;
  }
  return result;
}

}  // namespace

Conditions conditions(const Tape& tape, Expr mask) {
  constexpr std::size_t kMost = 16;
  Conditions found, open{mask.id};
  while (!open.empty()) {
    const NodeId id = open.back();
    open.pop_back();
    const Node& node = tape.node(id);
    if (node.op->name == "and" && found.size() + open.size() < kMost)
      open.insert(open.end(), node.inputs.begin(), node.inputs.end());
    else
      found.push_back(id);
  }
  std::ranges::sort(found);
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

Expr both(Expr a, Expr b) {
  if (!a || a == b) return b;
  if (!b) return a;
  const Conditions of_a = conditions(*a.tape, a), of_b = conditions(*b.tape, b);
  if (std::ranges::includes(of_a, of_b)) return a;
  if (std::ranges::includes(of_b, of_a)) return b;
  return logical_and(a, b);
}

Expr either(const std::vector<Expr>& masks) {
  Tape& tape = *masks.at(0).tape;
  std::vector<Conditions> sets;
  for (const Expr& mask : masks) sets.push_back(conditions(tape, mask));
  Conditions common = sets[0];
  for (const Conditions& set : sets) {
    Conditions shared;
    std::ranges::set_intersection(common, set, std::back_inserter(shared));
    common = shared;
  }
  for (Conditions& set : sets) {
    Conditions rest;
    std::ranges::set_difference(set, common, std::back_inserter(rest));
    set = rest;
  }
  return both(all_of(tape, common), one_of(tape, std::move(sets)));
}

}  // namespace jacquard
