// Networks: contractions of contractions seen as one sum over products of their leaves.
//
// (A S) A' and A (S A') are one network, whatever the order in which a tape forms them. So equal
// values are found that look different node by node, and so is the symmetry of a result.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "autodiff/ops.hpp"
#include "autodiff/tape.hpp"

namespace jacquard::algebra {

// The sum over all labels but those of the output of the product of the members.
struct Network {
  struct Member {
    NodeId leaf;
    std::vector<int> labels;  // one per axis
  };
  std::vector<Member> members;
  std::vector<int> output;          // one per axis of the node
  std::vector<std::int64_t> sizes;  // of the labels
};

// The networks of a tape that may still grow.
class Networks {
 public:
  explicit Networks(const Tape& tape) : tape_(tape) {}

  // A node that is no contraction, product with a number, transposition or sum is a leaf: a network
  // of one member. Where a network would be too large to compare, its operands are leaves.
  const Network& of(NodeId id);
  // Equal for equal networks, in whatever order their outputs stand.
  std::size_t hash(NodeId id);

  // Does the node keep its value when axes p and q are exchanged? Decided by structure: "no" may
  // mean "not seen".
  bool symmetric(NodeId id, int p, int q);

  // The order in which the axes of `b` are to be read to have the value of `a`, if they are equal.
  std::optional<Axes> axes_as(NodeId a, NodeId b);

 private:
  struct Match;

  Network leaf(NodeId id) const;
  bool joins(const Node& node) const;
  Network joined(const Node& node, const std::vector<Network>& parts) const;
  bool exchangeable(const Network& network, int p, int q);
  // For each axis of a leaf the first axis that it may be exchanged with.
  std::vector<int> axis_classes(NodeId leaf);
  bool symmetric_product(NodeId id, int p, int q);
  bool symmetric_leaf(NodeId id, int p, int q);
  std::vector<std::size_t> colours(const Network& network);

  const Tape& tape_;
  std::unordered_map<NodeId, Network> networks_;
  std::unordered_map<NodeId, std::vector<std::size_t>> colours_;
  std::map<std::tuple<NodeId, int, int>, bool> symmetric_;
  int depth_ = 0;
};

}  // namespace jacquard::algebra
