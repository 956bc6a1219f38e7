#include "autodiff/fusion.hpp"

#include <algorithm>
#include <optional>

namespace jacquard {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

bool is_view(const Node& node) { return node.op->name == "reshape"; }
bool is_sum(const Node& node) { return node.op->name == "sum"; }

class Grouping {
 public:
  Grouping(const Graph& graph, const std::vector<bool>& ready, Fusion fusion)
      : graph_(graph),
        tape_(*graph.tape),
        ready_(ready),
        fusion_(fusion),
        stored_(tape_.size(), false),
        home_(tape_.size(), kNone) {}

  std::vector<InstructionGroup> run() {
    find_stored();
    for (NodeId id = 0; id < size(); ++id) {
      const Node& node = tape_.node(id);
      if (ready_[index(id)] || is_view(node)) continue;
      if (fits_tiles(node))
        add_tiled(id, node);
      else
        open_group(id, false);
    }
    if (fusion_ == Fusion::kFull) {
      find_readers();
      // What one value brings along may make another one cheap.
      for (int round = 0; round < 3 && compute_again(); ++round) continue;
    }
    drop_unread();
    return std::move(groups_);
  }

 private:
  NodeId size() const { return static_cast<NodeId>(tape_.size()); }

  void open_group(NodeId id, bool tiled) {
    InstructionGroup g;
    g.tiled = tiled;
    if (tiled) g.group.space = tile_space(tape_, tape_.node(id));
    g.group.nodes = {id};
    home_[index(id)] = groups_.size();
    groups_.push_back(std::move(g));
  }

  // ------------------------------------------------------------ joining
  // Values that have to be in memory, for something that is no tile program of their space needs
  // them.
  void find_stored() {
    for (const Expr& root : graph_.roots) stored_[index(viewed(tape_, root.id))] = true;
    for (NodeId id = 0; id < size(); ++id) {
      const Node& node = tape_.node(id);
      for (const NodeId in : node.inputs)
        if (!fits_tiles(node) || is_view(tape_.node(in)) ||
            !(tile_space(tape_, node) == tape_.node(in).shape))
          stored_[index(viewed(tape_, in))] = true;
    }
  }

  // Among the groups that it may join, a node takes one in which it needs least from memory, and
  // of those the last.
  void add_tiled(NodeId id, const Node& node) {
    std::optional<Joining> best;
    if (fusion_ == Fusion::kFull)
      for (const std::size_t g : candidates(node)) {
        const auto joining = joins(node, g);
        if (joining && (!best || joining->traffic < best->traffic ||
                        (joining->traffic == best->traffic && g > best->group)))
          best = joining;
      }
    if (!best) return open_group(id, true);
    auto& nodes = groups_[best->group].group.nodes;
    nodes.insert(nodes.end(), best->along.begin(), best->along.end());
    nodes.push_back(id);
    if (!best->along.empty()) std::ranges::sort(nodes);
    best->along.push_back(id);
    for (const NodeId n : best->along) home_[index(n)] = best->group;
  }

  // Groups of this space in which an operand would end, and the last group of all. In other earlier
  // ones, the result would only be kept longer.
  std::vector<std::size_t> candidates(const Node& node) const {
    const Shape& space = tile_space(tape_, node);
    std::vector<std::size_t> found;
    const auto consider = [&](std::size_t g, bool ends) {
      if (g == kNone || (!ends && g + 1 < groups_.size())) return;
      if (!groups_[g].tiled || !(groups_[g].group.space == space)) return;
      // Sums take no buffers, and what they sum is best never stored.
      const std::size_t most = max_nodes(g), spare = is_sum(node) ? 0 : most / 4;
      if (groups_[g].group.nodes.size() + spare >= most) return;
      found.push_back(g);
    };
    for (const NodeId in : node.inputs) {
      // A sum is small: it may be kept.
      consider(home_[index(in)], is_sum(node) || !stored_[index(in)]);
    }
    if (!groups_.empty()) consider(groups_.size() - 1, false);
    return found;
  }

  struct Joining {
    std::size_t group;
    std::vector<NodeId> along;  // operands from later groups that are computed in this one, too
    int traffic = 0;            // values of the space's size that would be stored or loaded
  };

  // Is the operand there when group g runs, or a value inside it?
  bool available(NodeId in, std::size_t g) const {
    const NodeId source = viewed(tape_, in);
    if (ready_[index(source)]) return true;
    const std::size_t from = home_[index(source)];
    if (from != g) return from < g;
    return source == in && !is_sum(tape_.node(in));
  }

  // nullopt if an operand of the node can neither be there when group g runs nor be computed in it.
  std::optional<Joining> joins(const Node& node, std::size_t g) const {
    constexpr std::size_t kMostAlong = 6;
    Joining joining{g, {}, 0};
    const auto add = [&](const Node& reader) {
      for (const NodeId in : reader.inputs) {
        if (available(in, g) || std::ranges::find(joining.along, in) != joining.along.end())
          continue;
        const Node& operand = tape_.node(in);
        if (!fits_tiles(operand) || is_sum(operand) || operand.op->costly || stored_[index(in)] ||
            !(operand.shape == groups_[g].group.space) || joining.along.size() == kMostAlong)
          return false;
        joining.along.push_back(in);
      }
      return true;
    };
    if (!add(node)) return std::nullopt;
    for (std::size_t n = 0; n < joining.along.size(); ++n)
      if (!add(tape_.node(joining.along[n]))) return std::nullopt;
    if (groups_[g].group.nodes.size() + joining.along.size() >= max_nodes(g)) return std::nullopt;
    for (const NodeId in : node.inputs) {
      const bool inside = home_[index(in)] == g || ready_[index(viewed(tape_, in))] ||
                          std::ranges::find(joining.along, in) != joining.along.end();
      if (!inside && tape_.node(in).shape == groups_[g].group.space)
        joining.traffic += stored_[index(in)] ? 1 : 2;
    }
    return joining;
  }

  // ------------------------------------------------------------ computing again
  bool computes(std::size_t g, NodeId id) const {
    return groups_[g].tiled && std::ranges::binary_search(groups_[g].group.nodes, id) &&
           !is_sum(tape_.node(id));
  }

  // The groups that need each node's value from memory.
  void find_readers() {
    readers_.assign(tape_.size(), {});
    for (std::size_t g = 0; g < groups_.size(); ++g)
      for (const NodeId id : groups_[g].group.nodes)
        for (const NodeId in : tape_.node(id).inputs)
          if (!computes(g, in)) note_reader(viewed(tape_, in), g);
    root_.assign(tape_.size(), false);
    for (const Expr& root : graph_.roots) root_[index(viewed(tape_, root.id))] = true;
  }
  void note_reader(NodeId id, std::size_t g) {
    auto& list = readers_[index(id)];
    if (list.empty() || list.back() != g) list.push_back(g);
  }
  bool in_memory(NodeId id) const {
    const NodeId source = viewed(tape_, id);
    return ready_[index(source)] || root_[index(source)] || !readers_[index(source)].empty();
  }

  struct Cone {
    std::vector<NodeId> nodes;
    std::vector<NodeId> loads;  // of the space's size, new to the group
  };

  // What group g would compute and read to have v's value by itself; nullopt if that is too much.
  std::optional<Cone> cone(NodeId v, std::size_t g) const {
    constexpr std::size_t kLargest = 8;
    Cone result{{v}, {}};
    for (std::size_t n = 0; n < result.nodes.size(); ++n) {
      const Node& node = tape_.node(result.nodes[n]);
      if (node.op->costly || is_sum(node) || result.nodes.size() > kLargest) return std::nullopt;
      for (const NodeId in : node.inputs) {
        if (computes(g, in) || std::ranges::find(result.nodes, in) != result.nodes.end()) continue;
        if (in_memory(in)) {
          const bool full = tape_.node(in).shape.size() == node.shape.size();
          const auto& readers = readers_[index(viewed(tape_, in))];
          if (full && std::ranges::find(readers, g) == readers.end() &&
              std::ranges::find(result.loads, in) == result.loads.end())
            result.loads.push_back(in);
        } else if (computes(home_[index(in)], in) && tape_.node(in).shape == node.shape) {
          result.nodes.push_back(in);
        } else {
          return std::nullopt;
        }
      }
    }
    return result;
  }

  // Returns whether anything changed.
  bool compute_again() {
    bool changed = false;
    for (NodeId v = size() - 1; v >= 0; --v) {
      const std::size_t home = home_[index(v)];
      const std::vector<std::size_t> readers = readers_[index(v)];
      if (home == kNone || !computes(home, v) || root_[index(v)] || readers.empty()) continue;
      std::vector<Cone> cones;
      std::size_t loads = 0;
      readers_[index(v)].clear();  // it is not in memory for the question
      for (const std::size_t g : readers) {
        if (!groups_[g].tiled || !(groups_[g].group.space == groups_[home].group.space) ||
            reads_view(g, v))
          break;
        const auto found = cone(v, g);
        if (!found || groups_[g].group.nodes.size() + found->nodes.size() > max_nodes(g)) break;
        loads += found->loads.size();
        cones.push_back(*found);
      }
      readers_[index(v)] = readers;
      if (cones.size() < readers.size() || loads > readers.size()) continue;
      readers_[index(v)].clear();
      for (std::size_t i = 0; i < readers.size(); ++i) add_cone(readers[i], cones[i]);
      changed = true;
    }
    return changed;
  }

  bool reads_view(std::size_t g, NodeId v) const {
    for (const NodeId id : groups_[g].group.nodes)
      for (const NodeId in : tape_.node(id).inputs)
        if (in != v && viewed(tape_, in) == v) return true;
    return false;
  }

  void add_cone(std::size_t g, const Cone& cone) {
    auto& nodes = groups_[g].group.nodes;
    nodes.insert(nodes.end(), cone.nodes.begin(), cone.nodes.end());
    std::ranges::sort(nodes);
    for (const NodeId id : cone.nodes)
      for (const NodeId in : tape_.node(id).inputs)
        if (!computes(g, in)) {
          auto& list = readers_[index(viewed(tape_, in))];
          if (std::ranges::find(list, g) == list.end()) list.push_back(g);
        }
  }

  // ------------------------------------------------------------ what is written
  // Drops what nobody reads, last groups first, and notes what is read outside its group.
  void drop_unread() {
    std::vector<bool> outside(tape_.size(), false);
    for (const Expr& root : graph_.roots) outside[index(viewed(tape_, root.id))] = true;
    for (std::size_t g = groups_.size(); g-- > 0;) {
      TileGroup& group = groups_[g].group;
      std::vector<bool> inside(group.nodes.size(), false);
      for (std::size_t n = group.nodes.size(); n-- > 0;) {
        const NodeId id = group.nodes[n];
        const bool written = home_[index(id)] == g && outside[index(id)];
        if (!written && !inside[n]) continue;
        inside[n] = true;
        if (written) group.written.insert(group.written.begin(), id);
        for (const NodeId in : tape_.node(id).inputs) {
          const auto at = std::ranges::lower_bound(group.nodes, in);
          if (computes(g, in))
            inside[static_cast<std::size_t>(at - group.nodes.begin())] = true;
          else
            outside[index(viewed(tape_, in))] = true;
        }
      }
      std::vector<NodeId> kept;
      for (std::size_t n = 0; n < group.nodes.size(); ++n)
        if (inside[n]) kept.push_back(group.nodes[n]);
      group.nodes = std::move(kept);
    }
    std::erase_if(groups_, [](const InstructionGroup& g) { return g.group.nodes.empty(); });
  }

  // A quarter is room for sums, and for computing again.
  std::size_t max_nodes(std::size_t g) const {
    return TileProgram<float>::max_nodes(groups_[g].group.space);
  }

  const Graph& graph_;
  const Tape& tape_;
  const std::vector<bool>& ready_;
  Fusion fusion_;
  std::vector<InstructionGroup> groups_;
  std::vector<bool> stored_;
  std::vector<std::size_t> home_;  // the group that computes a node first
  std::vector<std::vector<std::size_t>> readers_;
  std::vector<bool> root_;
};

}  // namespace

NodeId viewed(const Tape& tape, NodeId id) {
  while (is_view(tape.node(id))) id = tape.node(id).inputs[0];
  return id;
}

std::vector<InstructionGroup> instruction_groups(const Graph& graph, const std::vector<bool>& ready,
                                                 Fusion fusion) {
  return Grouping(graph, ready, fusion).run();
}

}  // namespace jacquard
