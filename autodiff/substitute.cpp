#include "autodiff/substitute.hpp"

#include <unordered_map>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard {
namespace {

// Walks the nodes between `from` and `e` in order; rebuild(id, inputs, changed) gives the new node
// of one whose inputs changed.
template <class Rebuild>
Expr rewrite_above(Expr e, Expr from, Expr to, const Rebuild& rebuild) {
  Tape& tape = *e.tape;
  const std::vector<bool> depends = dependents(tape, std::vector<Expr>{from}, e.id);
  std::unordered_map<NodeId, Expr> replaced{{from.id, to}};
  const std::vector<Expr> roots{e};
  for (const NodeId id : ancestors(tape, roots)) {
    if (!depends[static_cast<std::size_t>(id)] || id == from.id) continue;
    const Node& node = tape.node(id);
    std::vector<Expr> in;
    std::vector<bool> changed;
    for (const NodeId i : node.inputs) {
      const auto it = replaced.find(i);
      changed.push_back(it != replaced.end());
      in.push_back(it == replaced.end() ? tape.expr(i) : it->second);
    }
    replaced[id] = rebuild(id, in, changed);
  }
  const auto it = replaced.find(e.id);
  return it == replaced.end() ? e : it->second;
}

Expr slice_by_slice(Tape& tape, const Node& node, const std::vector<Expr>& in,
                    const std::vector<bool>& batched, std::int64_t count) {
  std::vector<Expr> results;
  for (std::int64_t k = 0; k < count; ++k) {
    std::vector<Expr> one;
    for (std::size_t i = 0; i < in.size(); ++i)
      one.push_back(batched[i] ? remove_axis(slice(in[i], 0, k, k + 1), 0) : in[i]);
    results.push_back(insert_axis(tape.append(*node.op, one, node.attributes), 0));
  }
  return concat(results, 0);
}

}  // namespace

Expr substitute(Expr e, Expr from, Expr to) {
  if (!(from.shape() == to.shape()))
    throw InternalError(cat("substitute: ", from.shape(), " by ", to.shape()));
  Tape& tape = *e.tape;
  return rewrite_above(e, from, to,
                       [&tape](NodeId id, const std::vector<Expr>& in, const std::vector<bool>&) {
                         const Node& node = tape.node(id);
                         return tape.append(*node.op, in, node.attributes);
                       });
}

Expr batch_over(Expr e, Expr from, Expr values) {
  Tape& tape = *e.tape;
  const std::int64_t count = values.shape()[0];
  const Expr result =
      rewrite_above(e, from, values,
                    [&](NodeId id, const std::vector<Expr>& in, const std::vector<bool>& batched) {
                      const Node& node = tape.node(id);
                      std::vector<Expr> original;
                      for (const NodeId i : node.inputs) original.push_back(tape.expr(i));
                      const Call call{original, tape.expr(id), node.attributes};
                      const Expr done = node.op->batch ? node.op->batch(call, in, batched) : Expr{};
                      return done ? done : slice_by_slice(tape, node, in, batched, count);
                    });
  if (result != e) return result;
  std::vector<std::int64_t> sizes{count};
  sizes.insert(sizes.end(), e.shape().begin(), e.shape().end());
  return broadcast_to(e, Shape(std::move(sizes)));
}

}  // namespace jacquard
