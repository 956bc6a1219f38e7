#include "autodiff/algebra/simplify.hpp"

#include <algorithm>
#include <limits>
#include <tuple>
#include <unordered_map>

#include "autodiff/algebra/emit.hpp"
#include "autodiff/algebra/reader.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/stable_forms.hpp"
#include "autodiff/substitute.hpp"

namespace jacquard {
namespace {

using algebra::Form;
using algebra::Sum;

class Simplifier {
 public:
  Simplifier(Tape& tape, Care care)
      : tape_(tape),
        careful_(care == Care::kCareful),
        reader_(tape, careful_, [this](NodeId id) { return value(id); }) {}

  Simplified run(const std::vector<Expr>& roots) {
    for (const NodeId id : ancestors(tape_, roots))
      if (!reader_.read(id)) values_[id] = copy(id);
    for (const Expr& root : roots) result_.roots.push_back(value(root.id));
    result_.labels = reader_.labels();
    return std::move(result_);
  }

 private:
  // The node itself, written out where it was kept as forms.
  Expr value(NodeId id) {
    if (const auto it = values_.find(id); it != values_.end()) return it->second;
    Expr e = written(id);
    if (!e) e = copy(id);
    return values_[id] = e;
  }

  Expr written(NodeId id) {
    const algebra::Alternatives& all = *reader_.find(id);
    const Shape shape = tape_.node(id).shape;
    const auto tied = [](const Sum& sum) {
      return std::ranges::any_of(sum.terms, algebra::has_tie);
    };
    const auto weight = [&](const Sum& sum) {
      // Terms that are written apart may cancel.
      const double many = careful_ && sum.terms.size() > 1 ? 1 : 0;
      return std::tuple{tied(sum), many, algebra::cost(sum, reader_.labels())};
    };
    const Sum* best = &all[0];
    if (all.size() > 1) best = &*std::ranges::min_element(all, {}, weight);
    // An identity matrix of all elements takes more than what it was made for: moving them.
    if (tied(*best)) return {};
    Expr total;
    std::vector<Expr> terms;  // without cancelling
    bool conditional = best->expanded;
    for (Form form : best->terms) {
      const bool minus = total && form.coefficient < 0;
      if (minus) form.coefficient = -form.coefficient;
      const algebra::Emitted e = emit(tape_, form, reader_.labels(), shape, careful_);
      if (!e.value) return {};
      total = !total ? e.value : minus ? total - e.value : total + e.value;
      conditional = conditional || e.took_half_apart || minus;
      if (e.took_half_apart)
        terms.push_back(incoherent(tape_, form, reader_.labels(), shape));
      else
        terms.push_back(abs(e.value));
    }
    if (conditional && std::ranges::all_of(terms, [](Expr e) { return bool(e); }))
      result_.conditions.push_back({add_all(terms), total});
    result_.rewritten.push_back({tape_.expr(id), total, *best});
    return total;
  }

  Expr copy(NodeId id) {
    const Node& node = tape_.node(id);
    bool same = true;
    std::vector<Expr> in;
    for (const NodeId i : node.inputs) {
      in.push_back(value(i));
      same = same && in.back().id == i;
    }
    if (same) return tape_.expr(id);
    const Expr e = tape_.append(*node.op, in, node.attributes);
    if (!tape_.label(id).empty()) tape_.label(e, tape_.label(id));
    return e;
  }

  Tape& tape_;
  bool careful_;
  algebra::Reader reader_;
  std::unordered_map<NodeId, Expr> values_;
  Simplified result_;
};

}  // namespace

Simplified simplify(const std::vector<Expr>& roots, Care care) {
  if (roots.empty()) return {};
  return Simplifier(*roots[0].tape, care).run(jacobians_in_one_piece(in_stable_forms(roots)));
}

std::vector<Expr> simplified(const std::vector<Expr>& roots) { return simplify(roots).roots; }
Expr simplified(Expr root) { return simplified(std::vector<Expr>{root})[0]; }

Expr keeps_digits(const std::vector<Condition>& conditions) {
  std::vector<Expr> kept;
  for (const Condition& c : conditions) {
    Tape& tape = *c.value.tape;
    const Expr bad = greater(c.terms, kMostCancelling * abs(c.value));
    kept.push_back(sum(
        where(bad, constant(tape, std::numeric_limits<double>::infinity()), constant(tape, 0.0))));
  }
  return kept.empty() ? Expr{} : add_all(kept);
}

}  // namespace jacquard
