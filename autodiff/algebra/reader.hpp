// Reads nodes as sums of forms: Jacobians and what is made of them by products, sums, squares and
// moves.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "autodiff/algebra/sums.hpp"

namespace jacquard::algebra {

// Equal to each other; which one is cheapest shows when it is known what is made of it.
using Alternatives = std::vector<Sum>;

class Reader {
 public:
  // `value` gives a node that is needed as it is. With `careful`, sums are formed before anything
  // is made of them: terms that cancel are never apart.
  Reader(Tape& tape, bool careful, std::function<Expr(NodeId)> value)
      : tape_(tape), careful_(careful), value_(std::move(value)) {}

  // Reads a node whose inputs were read; false where it has no structure.
  bool read(NodeId id);
  const Alternatives* find(NodeId id) const {
    const auto it = known_.find(id);
    return it == known_.end() ? nullptr : &it->second;
  }
  Labels& labels() { return labels_; }

 private:
  using Maybe = std::optional<Alternatives>;

  bool known(NodeId id) const { return known_.contains(id); }
  Maybe structure(NodeId id, const Node& node);
  // One step on every term of every alternative; an alternative that it fails on is dropped.
  Maybe each(NodeId operand, const std::function<std::optional<Form>(Form)>& step);
  // Every term of one operand with every term of the others.
  Maybe products(const std::vector<NodeId>& operands,
                 const std::function<std::optional<Form>(std::vector<Form>)>& step);
  // Drops what is too large to be searched and what others surely beat.
  Maybe tidied(Alternatives all);

  Alternatives with_formed(const Alternatives& all);

  Form leaf(Expr e);
  Alternatives operand(NodeId id);
  std::optional<Form> multiplied(const Node& node, Form a, Form b);
  Maybe multiply(const Node& node, NodeId a, NodeId b);
  Maybe divide(const Node& node);
  Maybe square_of(NodeId id);
  Maybe where(const Node& node);
  Maybe sum_of(const Node& node);
  Maybe reduction(const Node& node);
  Maybe reshape(const Node& node);
  Maybe transpose(const Node& node);
  Form broadcast(Form form, const Shape& shape);
  bool is_outer(const Node& node) const;
  Maybe contraction(const Node& node);

  Tape& tape_;
  bool careful_;
  std::function<Expr(NodeId)> value_;
  Labels labels_;
  std::unordered_map<NodeId, Alternatives> known_;
};

}  // namespace jacquard::algebra
