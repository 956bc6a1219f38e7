// Passes: functions from tape to tape that keep every root's value and make it cheaper to compute.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/tape.hpp"

namespace jacquard {

// A tape of its own with the nodes that are wanted from it.
struct Graph {
  std::unique_ptr<Tape> tape;
  std::vector<Expr> roots;
};

struct Pass {
  std::string_view name;
  std::string_view effect;
  Graph (*run)(const Graph&);
};

// Not passes, but what plans do with what is left; switched off by their names as passes are:
// products added in place, elementwise work in tiles, tiles that follow products, updates written
// over what they update.
inline constexpr std::string_view kAccumulation = "accumulation", kFusion = "fusion",
                                  kFollowing = "following", kInPlace = "in_place";
inline constexpr std::array kPlanSteps = {kAccumulation, kFusion, kFollowing, kInPlace};

// The passes of every plan, in order.
std::span<const Pass> all_passes();

// The part of a tape that the roots need, copied: dead code stays behind.
Graph live_part(const Tape& tape, std::span<const Expr> roots);

// The same, and then every pass that is not named in `without`. Throws Error for a name that is no
// pass; InternalError when a pass broke the tape or changed a root's shape.
Graph prepare(const Tape& tape, std::span<const Expr> roots,
              const std::vector<std::string>& without = {});

// How often each node is read, by nodes and as a root.
std::vector<int> reader_counts(const Graph& graph);

// Copies a graph node by node; `rewrite` gives the new node for one whose inputs are on the new
// tape already, or an empty Expr for a plain copy.
using Rewrite = std::function<Expr(Tape& to, const Node& node, const std::vector<Expr>& in)>;
Graph transform(const Tape& tape, std::span<const Expr> roots, const Rewrite& rewrite);

// The same for rewritings that look further than at a node's inputs: `copied` holds by node what
// has become of those before this one.
using RewriteNode = std::function<Expr(Tape& to, NodeId id, std::span<const Expr> copied)>;
Graph transform_nodes(const Tape& tape, std::span<const Expr> roots, const RewriteNode& rewrite);
// The same in another order: `ids` are all nodes that the roots need, none before its inputs.
Graph transform_nodes(const Tape& tape, std::span<const NodeId> ids, std::span<const Expr> roots,
                      const RewriteNode& rewrite);

}  // namespace jacquard
