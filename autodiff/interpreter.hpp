// The plain interpreter: runs a tape node by node with each op's own definition.
//
// Kept for good as the reference that plans and rewrites are compared with; instantiated for
// float, double and Quad. It takes no short cuts and is slow; sums of products of quad numbers,
// which checks are made of, are quick (ops/quad_sums.hpp, held against plain sums by a test of its
// own).
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "autodiff/tape.hpp"
#include "autodiff/tensor.hpp"

namespace jacquard {

// Values of the inputs, by name.
template <class T>
using Feed = std::unordered_map<std::string, Tensor<T>>;

template <class T>
class Interpreter {
 public:
  // May look at a node's value and change it before others read it: holding values fixed and
  // perturbing them are done this way.
  using Observer = std::function<void(NodeId, Tensor<T>&)>;

  // Nodes of `known`, which must outlive it, have these values already: neither they are computed
  // nor what only they need.
  using Known = std::unordered_map<NodeId, Tensor<T>>;
  Interpreter(const Tape& tape, std::vector<Expr> roots, const Known* known = nullptr);

  // The roots' values. Throws Error when an input that is needed has no value or another shape.
  std::vector<Tensor<T>> run(const Feed<T>& feed, const RunContext& context = {},
                             const Observer& observe = {}) const;

  // The nodes that run() computes, in order.
  const std::vector<NodeId>& order() const { return order_; }

 private:
  void drop_what_is_known();
  bool is_known(NodeId id) const { return known_ != nullptr && known_->contains(id); }
  Tensor<T> compute(const Node& node, const Known& values, const Feed<T>& feed,
                    const RunContext& context) const;

  const Tape& tape_;
  std::vector<Expr> roots_;
  const Known* known_;
  std::vector<NodeId> order_;
  std::vector<std::vector<NodeId>> finished_;  // values that nobody reads after order_[i]
};

// One value of one expression.
template <class T>
Tensor<T> evaluate(Expr e, const Feed<T>& feed = {}, const RunContext& context = {});

}  // namespace jacquard
