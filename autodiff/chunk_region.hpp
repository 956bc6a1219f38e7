// The part of a graph that is computed for some rows at a time. Private to chunks.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "autodiff/chunks.hpp"

namespace jacquard {

// A graph with what is asked of it again and again. The graph must outlive it.
struct SizedGraph {
  const Graph& graph;
  const Tape& tape;
  double target;  // bytes of a chunk
  double bytes_per_number;
  std::vector<double> bytes;  // of each node; 0 for inputs, which live elsewhere
  std::vector<std::vector<NodeId>> readers;

  SizedGraph(const Graph& g, const ChunkOptions& options);

  NodeId size() const { return static_cast<NodeId>(tape.size()); }
  bool too_large(NodeId id) const { return bytes[static_cast<std::size_t>(id)] > target; }
  // Not kept for a later stage.
  bool large(NodeId id) const { return 8 * bytes[static_cast<std::size_t>(id)] > target; }
};

// The most that lives at one time when nodes are computed in this order. A value lives until its
// last reader, whose result takes its memory where plans do it so.
double most_alive(const Tape& tape, const std::vector<NodeId>& order,
                  const std::vector<double>& bytes, std::span<const Expr> kept = {});

// The nodes that are computed in parts: those that carry an axis of the same `extent`, each in a
// place of its own, and those that sum over it.
class Region {
 public:
  // What can be in parts around the seed when its parts are those along `axis`; nullopt where the
  // seed itself cannot. Marks in `whole` what would be in parts if all of it were not needed.
  static std::optional<Region> around(const SizedGraph& graph, NodeId seed, int axis,
                                      std::vector<bool>& whole);

  bool carries(NodeId v) const { return axis_[static_cast<std::size_t>(v)] >= 0; }
  bool sums(NodeId v) const { return sums_[static_cast<std::size_t>(v)]; }
  bool contains(NodeId v) const { return carries(v) || sums(v); }
  // It carries the axis, and all of it is needed outside or in a later stage.
  bool is_kept(NodeId v) const { return kept_[static_cast<std::size_t>(v)]; }
  int axis(NodeId v) const { return axis_[static_cast<std::size_t>(v)]; }
  // The axis along which v, which is in the region, needs parts of operand i; kNoAxis: all of it.
  int operand_axis(NodeId v, std::size_t i) const {
    return operands_[static_cast<std::size_t>(v)][i];
  }
  // Is operand i of v a part that the stage computes? Else it is a whole value, or cut from one.
  bool computes_part(NodeId v, std::size_t i, std::size_t stage) const;

  // What is computed for every chunk in each stage, in order.
  const std::vector<std::vector<NodeId>>& stages() const { return stages_; }
  // The stage that gives the node's whole value, if it is kept or a sum.
  std::size_t stage_of(NodeId v) const { return stage_[static_cast<std::size_t>(v)]; }
  std::int64_t extent() const { return extent_; }
  std::int64_t rows() const { return rows_; }  // of a chunk; the last one may have fewer
  std::int64_t chunks() const { return (extent_ + rows_ - 1) / rows_; }
  double nodes() const;  // that writing it takes, about

  // The most of what is too large is covered; chunks are small enough; parts lie in one piece;
  // little is copied.
  bool better_than(const Region& other) const;

 private:
  Region(const SizedGraph& graph, NodeId seed, int axis, const std::vector<bool>& whole);

  const Node& node(NodeId v) const { return graph_->tape.node(v); }
  bool reads_part(NodeId v, std::size_t i) const;
  bool reads_parts(NodeId v) const;  // of any operand
  bool enter(NodeId v, int axis);
  bool enter_carrying(NodeId v, std::size_t i);
  bool enter_summing(NodeId v, std::size_t i);
  void spread();
  void drop_small();
  void find_kept();
  bool drop_kept(double most, std::vector<bool>& whole);
  void plan_stages();
  std::vector<NodeId> needed_in(std::size_t stage);
  void choose_rows();
  double covered() const;
  bool fits() const;
  double contiguous() const;
  double copied() const;

  const SizedGraph* graph_;
  std::int64_t extent_, rows_ = 1;
  double row_bytes_ = 0;  // the most that lives of one row
  std::vector<int> axis_;
  std::vector<bool> sums_, kept_;
  std::vector<bool> whole_;  // may not be in the region
  std::vector<std::vector<int>> operands_;
  std::vector<std::size_t> stage_;
  std::vector<std::vector<NodeId>> stages_;
  std::deque<NodeId> open_;
};

}  // namespace jacquard
