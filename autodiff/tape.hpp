// Tape: the list of everything that is to be computed, in single-assignment form.
//
// Nothing is computed while a tape is written. Nodes are appended, never changed, and hash-consed:
// equal calls are one node. So ids are a topological order, and no walk over a tape recurses.
#pragma once

#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "autodiff/op.hpp"

namespace jacquard {

struct Node {
  const Op* op;
  std::vector<NodeId> inputs;
  Attributes attributes;
  Shape shape;
};

// Who gives an input its values.
enum class InputKind {
  kData,         // bound anew for every run: x, labels, epoch
  kParameter,    // trained
  kState,        // carried from step to step, not trained
  kPlaceholder,  // stands for an expression that is put in later; never evaluated
};

class Tape {
 public:
  // More nodes than this are taken for a mistake (a run-away loop of derivatives).
  static constexpr std::size_t kMaxNodes = 4'000'000;

  Tape() = default;
  Tape(const Tape&) = delete;  // handles point here
  Tape& operator=(const Tape&) = delete;

  // The node for this call, found or appended. Throws ShapeError when the shapes do not fit.
  Expr append(const Op& op, std::vector<Expr> inputs, Attributes attributes = {});

  // A named leaf. Throws Error when the name is taken by another shape or kind.
  Expr input(const std::string& name, Shape shape, InputKind kind = InputKind::kData);

  std::size_t size() const { return nodes_.size(); }
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  const Node& node(Expr e) const { return node(e.id); }
  Expr expr(NodeId id) { return {this, id}; }

  // Remembers that a node is the Jacobian of h with respect to x, written in chunks of rows.
  void remember_jacobian(Expr jacobian, Expr h, Expr x) { jacobians_[jacobian.id] = {h, x}; }
  const std::pair<Expr, Expr>* jacobian(NodeId id) const {  // nullptr: it is none
    const auto it = jacobians_.find(id);
    return it == jacobians_.end() ? nullptr : &it->second;
  }

  // Names for people: printing and error messages show them beside the node's number.
  void label(Expr e, const std::string& name);
  const std::string& label(NodeId id) const;  // "" when there is none
  std::string describe(NodeId id) const;      // %17 'h' or %17

 private:
  std::deque<Node> nodes_;  // a deque: references stay valid while nodes are appended
  std::unordered_multimap<std::size_t, NodeId> by_hash_;
  std::unordered_map<std::string, NodeId> inputs_;
  std::unordered_map<NodeId, std::string> labels_;
  std::unordered_map<NodeId, std::pair<Expr, Expr>> jacobians_;
};

// The leaf op of inputs, and what its attributes say.
extern const Op input_op;
bool is_input(const Node& node);
const std::string& input_name(const Node& node);
InputKind input_kind(const Node& node);

// The ids of all nodes that the roots need, ascending (a topological order).
std::vector<NodeId> ancestors(const Tape& tape, std::span<const Expr> roots);
// marks[id]: does node id depend on one of the sources (itself included)? Up to the last root.
std::vector<bool> dependents(const Tape& tape, std::span<const Expr> sources, NodeId last);

// Checks order, arity, shapes and handles of the whole tape. Throws InternalError.
void verify(const Tape& tape);

}  // namespace jacquard
