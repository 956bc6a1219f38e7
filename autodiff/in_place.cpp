#include "autodiff/in_place.hpp"

#include <algorithm>
#include <numeric>
#include <optional>
#include <utility>

namespace jacquard {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

// The groups that compute the value of an update in the memory of its target, the last one first.
struct Chain {
  NodeId target;
  std::vector<NodeId> values;  // what each of them writes there
  std::vector<std::size_t> groups;
};

class Updates {
 public:
  Updates(const Graph& graph, const std::vector<InstructionGroup>& groups, std::size_t outputs,
          std::size_t updates, bool in_place)
      : tape_(*graph.tape),
        groups_(groups),
        home_(tape_.size(), kNone),
        readers_(tape_.size()),
        roots_(tape_.size(), 0) {
    for (std::size_t g = 0; g < groups.size(); ++g) {
      for (const NodeId id : groups[g].group.written) home_[index(id)] = g;
      for (const NodeId id : groups[g].computed())
        for (const NodeId in : tape_.node(id).inputs)
          if (!computed_in(g, in)) {
            auto& list = readers_[index(viewed(tape_, in))];
            if (list.empty() || list.back() != g) list.push_back(g);
          }
    }
    for (const Expr& root : graph.roots) ++roots_[index(viewed(tape_, root.id))];
    for (std::size_t r = outputs + updates; r < graph.roots.size() - updates; ++r)
      if (const std::size_t g = home_[index(viewed(tape_, graph.roots[r].id))]; g != kNone)
        guarded_ = std::max(guarded_, g + 1);
    for (std::size_t u = 0; u < updates && in_place; ++u) {
      const NodeId target = graph.roots[graph.roots.size() - updates + u].id;
      if (auto chain = chain_of(graph.roots[outputs + u].id, target))
        chains_.push_back(std::move(*chain));
    }
    while (drop_conflicts()) continue;
  }

  // The groups of chains move behind the last group that they wait for.
  UpdateOrder order() const {
    UpdateOrder result;
    result.over.assign(tape_.size(), -1);
    for (const Chain& chain : chains_)
      for (const NodeId id : chain.values) result.over[index(id)] = chain.target;
    const std::vector<bool> in = in_chains();
    const std::vector<std::size_t> after = waits_for(in);
    std::vector<std::size_t> groups(groups_.size());
    std::iota(groups.begin(), groups.end(), std::size_t{0});
    std::ranges::stable_sort(
        groups, {}, [&](std::size_t g) { return std::pair(in[g] ? after[g] : g + 1, in[g]); });
    for (const std::size_t g : groups) {
      result.groups.push_back(groups_[g]);
      result.updates.push_back(in[g]);
      if (!in[g] && g < guarded_) result.guarded = result.groups.size();
    }
    return result;
  }

 private:
  bool computed_in(std::size_t g, NodeId id) const {
    if (id == groups_[g].product) return true;
    return groups_[g].tiled && std::ranges::binary_search(groups_[g].group.nodes, id) &&
           tape_.node(id).op->name != "sum";
  }

  // Does group g read the target, if at all, at the place that it writes, and before it does?
  bool reads_first(std::size_t g, NodeId value, NodeId target) const {
    for (const NodeId id : groups_[g].computed())
      for (const NodeId in : tape_.node(id).inputs)
        if (viewed(tape_, in) == target &&
            (id == groups_[g].product || in != target ||
             !(tape_.node(target).shape == groups_[g].group.space) || id > value))
          return false;
    return true;
  }

  std::optional<Chain> chain_of(NodeId value, NodeId target) const {
    Chain chain{target, {}, {}};
    NodeId base = value;
    for (;;) {
      const std::size_t g = home_[index(base)];
      const bool is_value = base == value;
      // Read by the next group of the chain alone.
      if (g == kNone || roots_[index(base)] != (is_value ? 1 : 0) ||
          readers_[index(base)].size() != (is_value ? 0 : 1))
        return std::nullopt;
      chain.values.push_back(base);
      chain.groups.push_back(g);
      const Node& node = tape_.node(base);
      if (groups_[g].tiled) {
        if (node.op->name == "sum" || !reads_first(g, base, target)) return std::nullopt;
        return chain;
      }
      if (!node.op->in_place) return std::nullopt;
      const NodeId next = node.inputs[0];
      for (std::size_t i = 1; i < node.inputs.size(); ++i) {
        const NodeId other = viewed(tape_, node.inputs[i]);
        if (other == target || other == next) return std::nullopt;
      }
      if (next == target) return chain;
      base = next;
    }
  }

  std::vector<bool> in_chains() const {
    std::vector<bool> in(groups_.size(), false);
    for (const Chain& chain : chains_)
      for (const std::size_t g : chain.groups) in[g] = true;
    return in;
  }

  bool written_in_place(NodeId id) const {
    return std::ranges::any_of(
        chains_, [&](const Chain& c) { return std::ranges::find(c.values, id) != c.values.end(); });
  }

  // By group of a chain: the number of groups that have to be done before, counted in the old
  // order. Chains that share a group wait together, and so do chains of which one reads what
  // another computes.
  std::vector<std::size_t> waits_for(const std::vector<bool>& in) const {
    std::vector<std::size_t> after(groups_.size(), guarded_);
    for (std::size_t g = 0; g < groups_.size(); ++g)
      for (const NodeId id : groups_[g].computed())
        for (const NodeId read : tape_.node(id).inputs)
          if (const std::size_t from = home_[index(viewed(tape_, read))];
              from != kNone && !in[from])
            after[g] = std::max(after[g], from + 1);
    for (const Chain& chain : chains_)
      for (const std::size_t reader : readers_[index(chain.target)])
        if (!in[reader])
          after[chain.groups.back()] = std::max(after[chain.groups.back()], reader + 1);
    for (bool changed = true; changed;) {
      changed = false;
      for (const Chain& chain : chains_) {
        std::size_t last = 0;
        for (const std::size_t g : chain.groups) last = std::max(last, after[g]);
        for (const std::size_t g : chain.groups) {
          changed = changed || after[g] != last;
          after[g] = last;
        }
      }
    }
    return after;
  }

  // A group that writes something else as well has to run with the others; an update that runs
  // after a target was written must not read its old value.
  bool conflicts(const Chain& chain, const std::vector<bool>& in) const {
    for (const std::size_t g : chain.groups)
      if (!std::ranges::all_of(groups_[g].group.written,
                               [&](NodeId id) { return written_in_place(id); }))
        return true;
    const std::size_t first = chain.groups.back();
    return std::ranges::any_of(readers_[index(chain.target)],
                               [&](std::size_t g) { return in[g] && g != first; });
  }

  bool drop_conflicts() {
    const std::vector<bool> in = in_chains();
    const auto bad =
        std::ranges::find_if(chains_, [&](const Chain& chain) { return conflicts(chain, in); });
    if (bad == chains_.end()) return false;
    chains_.erase(bad);
    return true;
  }

  const Tape& tape_;
  const std::vector<InstructionGroup>& groups_;
  std::vector<std::size_t> home_;
  std::vector<std::vector<std::size_t>> readers_;
  std::vector<int> roots_;  // how often each is one
  std::size_t guarded_ = 0;
  std::vector<Chain> chains_;
};

}  // namespace

UpdateOrder order_updates(const Graph& graph, std::vector<InstructionGroup> groups,
                          std::size_t outputs, std::size_t updates, bool in_place) {
  return Updates(graph, groups, outputs, updates, in_place).order();
}

}  // namespace jacquard
