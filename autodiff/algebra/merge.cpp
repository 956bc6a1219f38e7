#include "autodiff/algebra/merge.hpp"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "autodiff/algebra/network.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/subscripts.hpp"
#include "autodiff/work.hpp"

namespace jacquard::algebra {
namespace {

// x + y + x -> 2 x + y
Expr counted(Tape& tape, const std::vector<Expr>& terms) {
  std::vector<Expr> distinct;
  std::vector<double> counts;
  for (const Expr& term : terms) {
    const auto same = std::ranges::find(distinct, term);
    if (same == distinct.end()) {
      distinct.push_back(term);
      counts.push_back(1);
    } else {
      counts[static_cast<std::size_t>(same - distinct.begin())] += 1;
    }
  }
  if (distinct.size() == terms.size()) return {};
  for (std::size_t i = 0; i < distinct.size(); ++i)
    if (counts[i] != 1) distinct[i] = constant(tape, counts[i]) * distinct[i];
  return add_all(distinct);
}

class Merger {
 public:
  // The node for a contraction or a product; `to` is the tape that is written.
  Expr product(Tape& to, const Node& node, const std::vector<Expr>& in) {
    if (!networks_) networks_.emplace(to);
    const Expr e = to.append(*node.op, in, node.attributes);
    const bool contraction = node.op->name == "contract";
    if (!contraction && networks_->of(e.id).members.size() <= in.size()) return e;
    const std::size_t hash = networks_->hash(e.id);
    const auto [first, last] = known_.equal_range(hash);
    for (auto it = first; it != last; ++it) {
      const auto axes = networks_->axes_as(e.id, it->second);
      if (!axes) continue;
      const bool in_order = std::ranges::is_sorted(*axes);
      // Turning a result costs a walk over it.
      if (in_order || flops(to, e.id) > kTurning * static_cast<double>(node.shape.size()))
        return transpose(to.expr(it->second), *axes);
    }
    const Expr marked = contraction ? symmetric_product(to, e) : e;
    known_.emplace(hash, marked.id);
    return marked;
  }

 private:
  static constexpr double kTurning = 8;  // FLOPs of an element that is moved

  // A product of two operands whose result is its own transpose in the axes that come from one
  // operand each is marked so.
  Expr symmetric_product(Tape& to, Expr e) {
    const Node& node = to.node(e);
    if (node.inputs.size() != 2) return e;
    const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
    const auto comes_from = [&](char c, std::size_t k) {
      return s.inputs[k].find(c) != std::string::npos &&
             s.inputs[1 - k].find(c) == std::string::npos;
    };
    const int rank = node.shape.rank();
    for (int p = 0; p < rank; ++p)
      for (int q = p + 1; q < rank; ++q) {
        const char a = s.output[static_cast<std::size_t>(p)],
                   b = s.output[static_cast<std::size_t>(q)];
        const bool apart =
            (comes_from(a, 0) && comes_from(b, 1)) || (comes_from(a, 1) && comes_from(b, 0));
        if (!apart || node.shape[p] < 2 || !networks_->symmetric(e.id, p, q)) continue;
        return to.append(
            *node.op, {to.expr(node.inputs[0]), to.expr(node.inputs[1])},
            {{"subscripts", s.text()}, {"symmetric", std::vector<std::int64_t>{p, q}}});
      }
    return e;
  }

  std::optional<Networks> networks_;
  std::unordered_multimap<std::size_t, NodeId> known_;
};

}  // namespace

Graph merge_contractions(const Graph& graph) {
  Merger merger;
  return transform(*graph.tape, graph.roots,
                   [&](Tape& to, const Node& node, const std::vector<Expr>& in) {
                     if (node.op->name == "contract" || node.op->name == "multiply")
                       return merger.product(to, node, in);
                     return node.op->name == "add" ? counted(to, in) : Expr{};
                   });
}

}  // namespace jacquard::algebra
