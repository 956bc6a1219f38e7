// Nodes of a tape as formulas over named indices: h[b,j] * (1 - h[b,j]), sum_i x[b,i] W[i,j].
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "autodiff/tape.hpp"

namespace jacquard::algebra {

// The indices of a node, one per axis; empty for an axis of size 1.
using Indices = std::vector<std::string>;

// The first of i, j, k, ... that is not among those in use; b is left to the batch.
std::string fresh_index(const std::set<std::string>& used);
// Its place in the order i, j, k, ..., from 1 on; 0 for b and for none.
int place_of_index(const std::string& index);
// Marks every index that stands twice with primes, so that each axis has one of its own.
Indices distinct(Indices indices);

// A node read through moves that change no number: transpositions, copies along new axes, and
// reshapes that only add or drop axes of size 1.
struct View {
  NodeId node;
  Indices indices;
  bool operator==(const View&) const = default;
};
bool is_view(const Tape& tape, NodeId id);

// 0.01, 1/784 or 1.41421: short, and exact where it can be.
std::string short_number(double x);

class IndexText {
 public:
  // What several nodes that the roots need read gets a name of its own instead of being written
  // out twice. `taken` are names that mean something else.
  IndexText(Tape& tape, std::span<const Expr> roots, std::set<std::string> taken = {});

  // The node is called so from now on.
  void name(NodeId id, const std::string& name) { names_[id] = name; }
  // What its axes are called where nothing says otherwise, unless that was suggested before; also
  // by its first use in a text.
  void suggest(NodeId id, Indices indices) {
    suggested_.try_emplace(id, distinct(std::move(indices)));
  }
  // definitions() will say what the named node is.
  void explain(NodeId id) { pending_.push_back(id); }
  // A name that nothing has: the prefix and a number, or the prefix alone if it shall be tried.
  std::string new_name(const std::string& prefix, bool with_number = true);

  // Names given above, and labels and inputs of the tape; empty: none.
  std::string name_of(NodeId id) const;
  // The number that a node of constants has for all of its elements.
  std::optional<double> constant(NodeId id) const;
  // The node, or the operand that it hands on while it has no name.
  View seen(View view) const;

  // Is the node's value that of one of its operands: a view, 1 * x, or (x < y) != 0?
  bool hands_on(NodeId id) const;

  // A node as an operand: by its name, or written out. `tightly`: in parentheses unless it is one
  // word or a power.
  std::string operand(View view, bool tightly = false);
  // What its op makes of its operands, whatever its own name.
  std::string written(NodeId id, const Indices& indices);
  // What was suggested, or follows from the operands, or b for the axis of the examples and fresh
  // indices for others. All different.
  Indices indices(NodeId id) { return indices(id, 0); }
  // The axis that counts the examples, or kNoAxis: the first of every input of data, and from
  // there what the ops say.
  int example_axis(NodeId id);

  // "d[b,j] = h * (1 - h)" for every node to be explained, in order, followed by the names that
  // this needed in turn. Without indices where all are those on the left.
  std::vector<std::string> definitions();
  // Labels and inputs of the tape that a text so far has used, in order of use.
  const std::vector<std::string>& used_names() const { return used_names_; }
  const std::set<std::string>& taken() const { return taken_; }

 private:
  // How tightly a text holds together.
  enum Level { kLogic, kComparison, kAddition, kSum, kProduct, kFactors, kPower, kAtom };
  struct Text {
    std::string text;
    Level level;
  };

  Text text_of(View view, int depth);
  Text body(NodeId id, const Indices& indices, int depth);
  Text elementwise(const Node& node, const Indices& indices, int depth);
  Text contraction(const Node& node, const Indices& indices, int depth);
  Text reduction(const Node& node, std::string_view name, const Indices& indices, int depth);
  Text opaque(const Node& node, const Indices& indices);
  Text reference(const std::string& name, const Indices& indices);
  Text identity(const Indices& indices);
  std::string wrapped(View view, Level least, int depth);
  std::string definition(NodeId id);
  Indices operand_indices(const Node& node, std::size_t k, const Indices& indices) const;
  std::optional<View> view(NodeId id, const Indices& indices) const;
  std::optional<std::size_t> only_operand(const Node& node) const;
  Indices indices(NodeId id, int depth);
  Indices from_operands(NodeId id, int depth);
  bool is_mean(const Node& node) const;
  std::string enter(const std::string& suggested, std::int64_t size);
  void leave(const std::vector<std::string>& inner);

  Tape& tape_;
  std::unordered_map<NodeId, std::string> names_;
  std::unordered_map<NodeId, Indices> suggested_;
  std::unordered_map<NodeId, int> example_axes_;
  std::set<NodeId> shared_;
  std::deque<NodeId> pending_;  // names to be explained
  std::set<std::string> taken_;
  // Of the text that is being written: indices that mean something where it stands, and the sizes
  // of all that it has summed over.
  std::set<std::string> open_;
  std::map<std::string, std::int64_t> sizes_;
  std::vector<std::string> used_names_;
  // While a definition is written: the indices on its left, and whether all others are the same.
  Indices left_;
  bool as_left_ = true, without_indices_ = false;
};

}  // namespace jacquard::algebra
