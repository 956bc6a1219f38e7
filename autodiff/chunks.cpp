#include "autodiff/chunks.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>

#include "autodiff/algebra/network.hpp"
#include "autodiff/chunk_region.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/work.hpp"

namespace jacquard {
namespace {

// A region may hold what is still too large when it is taken one row at a time: there are rounds.
constexpr int kMostRounds = 100;
constexpr double kMostNodes = 200'000;
// Nodes that are looked at for regions, in all: where a limit is far out of reach there are many
// seeds, and none of them helps.
constexpr double kMostLooks = 2e5;

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

// Attributes that state the result's shape state that of a part.
Attributes for_part(const Node& node, int axis, std::int64_t rows) {
  std::vector<Attributes::Entry> entries;
  for (const auto& [name, value] : node.attributes.entries()) {
    AttributeValue of_part = value;
    if (name == "shape")
      std::get<std::vector<std::int64_t>>(of_part)[static_cast<std::size_t>(axis)] = rows;
    entries.emplace_back(name, of_part);
  }
  return Attributes(std::move(entries));
}

// Rows `begin` to `end`, as they are read in a stage.
Expr cut(Expr whole, int axis, std::int64_t begin, std::int64_t end, std::size_t stage) {
  const Expr part = slice(whole, axis, begin, end);
  if (stage == 0) return part;
  // Equal nodes are one: without a mark, what a stage computes again would be the values of an
  // earlier one, kept until then.
  std::vector<Attributes::Entry> entries = part.tape->node(part).attributes.entries();
  entries.emplace_back("stage", static_cast<std::int64_t>(stage));
  return part.tape->append(part.op(), {whole}, Attributes(std::move(entries)));
}

// Writes a graph in which a region is computed in chunks.
class Writer {
 public:
  Writer(const Graph& graph, const Region& region)
      : graph_(graph),
        from_(*graph.tape),
        region_(region),
        networks_(*result_.tape),
        whole_(from_.size()),
        part_(from_.size()),
        joined_(from_.size()) {}

  Graph write() {
    for (std::size_t stage = 0; stage < region_.stages().size(); ++stage) write_stage(stage);
    std::vector<NodeId> wanted;
    for (const Expr& root : graph_.roots) wanted.push_back(root.id);
    write_whole(std::move(wanted));
    for (const Expr& root : graph_.roots) result_.roots.push_back(whole_[index(root.id)]);
    return std::move(result_);
  }

 private:
  struct Chunk {
    std::size_t stage;
    std::int64_t begin, end;
  };

  // Nodes outside of the region and what they need, in the order in which they stood.
  void write_whole(std::vector<NodeId> wanted) {
    std::vector<bool> seen(from_.size(), false);
    std::vector<NodeId> order;
    while (!wanted.empty()) {
      const NodeId id = wanted.back();
      wanted.pop_back();
      if (whole_[index(id)] || seen[index(id)]) continue;
      if (region_.contains(id))
        throw InternalError(cat("chunks: ", from_.describe(id), " is read before its stage"));
      seen[index(id)] = true;
      order.push_back(id);
      for (const NodeId in : from_.node(id).inputs) wanted.push_back(in);
    }
    std::ranges::sort(order);
    for (const NodeId id : order) {
      const Node& node = from_.node(id);
      std::vector<Expr> in;
      for (const NodeId i : node.inputs) in.push_back(whole_[index(i)]);
      finish(id, result_.tape->append(*node.op, in, node.attributes));
    }
  }

  void finish(NodeId id, Expr value) {
    whole_[index(id)] = value;
    if (const std::string& label = from_.label(id); !label.empty())
      result_.tape->label(value, label);
  }

  void write_stage(std::size_t stage) {
    const std::vector<NodeId>& nodes = region_.stages()[stage];
    std::vector<NodeId> wanted;
    for (const NodeId v : nodes)
      for (std::size_t i = 0; i < from_.node(v).inputs.size(); ++i)
        if (!region_.computes_part(v, i, stage)) wanted.push_back(from_.node(v).inputs[i]);
    write_whole(std::move(wanted));
    for (std::int64_t begin = 0; begin < region_.extent(); begin += region_.rows())
      write_chunk(nodes, {stage, begin, std::min(begin + region_.rows(), region_.extent())});
    for (const NodeId v : nodes)
      if (ends(v, stage))
        finish(v, region_.sums(v) ? part_[index(v)] : concat(joined_[index(v)], region_.axis(v)));
  }

  bool ends(NodeId v, std::size_t stage) const {
    return region_.stage_of(v) == stage && (region_.sums(v) || region_.is_kept(v));
  }

  void write_chunk(const std::vector<NodeId>& nodes, const Chunk& chunk) {
    for (const NodeId v : nodes) {
      const Expr part = write_part(v, chunk);
      const bool more = region_.sums(v) && chunk.begin > 0;
      part_[index(v)] = more ? part_[index(v)] + part : part;
      if (region_.carries(v) && ends(v, chunk.stage)) joined_[index(v)].push_back(part);
    }
  }

  Expr write_part(NodeId v, const Chunk& chunk) {
    const Node& node = from_.node(v);
    std::vector<Expr> in;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const NodeId id = node.inputs[i];
      const int axis = region_.operand_axis(v, i);
      if (region_.computes_part(v, i, chunk.stage))
        in.push_back(part_[index(id)]);
      else if (axis == kNoAxis)
        in.push_back(whole_[index(id)]);
      else
        in.push_back(cut(whole_[index(id)], axis, chunk.begin, chunk.end, chunk.stage));
    }
    const Attributes attributes = region_.sums(v)
                                      ? node.attributes
                                      : for_part(node, region_.axis(v), chunk.end - chunk.begin);
    return append(node, in, attributes);
  }

  // A mark of symmetry is kept where it holds for the part: not if the symmetry exchanges rows.
  Expr append(const Node& node, const std::vector<Expr>& in, const Attributes& attributes) {
    std::vector<Attributes::Entry> entries = attributes.entries();
    const auto mark = std::ranges::find(entries, "symmetric", &Attributes::Entry::first);
    if (mark == entries.end()) return result_.tape->append(*node.op, in, attributes);
    const auto axes = std::get<std::vector<std::int64_t>>(mark->second);
    entries.erase(mark);
    const Expr plain = result_.tape->append(*node.op, in, Attributes(std::move(entries)));
    if (!networks_.symmetric(plain.id, static_cast<int>(axes[0]), static_cast<int>(axes[1])))
      return plain;
    return result_.tape->append(*node.op, in, attributes);
  }

  const Graph& graph_;
  const Tape& from_;
  const Region& region_;
  Graph result_{std::make_unique<Tape>(), {}};
  algebra::Networks networks_;
  // Of every node of the graph: its value, its part in this chunk or its sum up to here, its parts.
  std::vector<Expr> whole_, part_;
  std::vector<std::vector<Expr>> joined_;
};

// ---------------------------------------------------------------- the pass
double most_alive(const SizedGraph& graph) {
  std::vector<NodeId> order(graph.tape.size());
  std::iota(order.begin(), order.end(), 0);
  return most_alive(graph.tape, order, graph.bytes, graph.graph.roots);
}

double work(const Graph& graph) {
  double total = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
    total += flops(*graph.tape, id);
  return total;
}

// The best region around a seed. What can be no seed itself is marked in `tried`: what is in the
// region already, and what has the seed's shape and is needed whole whichever axis is taken.
std::optional<Region> best_region(const SizedGraph& graph, NodeId seed, std::vector<bool>& tried) {
  std::optional<Region> best;
  const Shape& shape = graph.tape.node(seed).shape;
  std::vector<bool> never_parts(graph.tape.size(), true), whole;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] < 2) continue;
    std::optional<Region> region = Region::around(graph, seed, axis, whole);
    for (std::size_t i = 0; i < whole.size(); ++i) never_parts[i] = never_parts[i] && whole[i];
    if (!region || static_cast<double>(graph.size()) + region->nodes() > kMostNodes) continue;
    if (!best || region->better_than(*best)) best = std::move(region);
  }
  for (NodeId id = 0; id < graph.size(); ++id)
    if ((best && best->carries(id)) ||
        (never_parts[index(id)] && graph.tape.node(id).shape == shape))
      tried[index(id)] = true;
  return best;
}

// The region around the largest node that can be taken apart; nullopt when there is none. Counts
// in `looks`.
std::optional<Graph> next_region_in_chunks(const Graph& graph, const ChunkOptions& options,
                                           double& looks) {
  const SizedGraph sized(graph, options);
  std::vector<NodeId> seeds;
  for (NodeId id = 0; id < sized.size(); ++id)
    if (sized.too_large(id) && !sized.tape.node(id).inputs.empty()) seeds.push_back(id);
  std::ranges::stable_sort(seeds, std::greater{},
                           [&](NodeId id) { return sized.bytes[index(id)]; });
  if (seeds.empty()) return std::nullopt;
  // Sums are there twice while they are added: not worth it where little else is large.
  const double most_bytes = most_alive(sized) + sized.target;
  const double most_work = options.most_work * work(graph);
  std::vector<bool> tried(graph.tape->size(), false);
  for (const NodeId seed : seeds) {
    if (tried[index(seed)]) continue;
    looks += static_cast<double>(sized.size());
    if (looks > kMostLooks) break;
    const std::optional<Region> region = best_region(sized, seed, tried);
    if (!region) continue;
    const Graph written = Writer(graph, *region).write();
    Graph result = live_part(*written.tape, written.roots);
    verify(*result.tape);
    if (most_alive(SizedGraph(result, options)) <= most_bytes && work(result) <= most_work)
      return result;
  }
  return std::nullopt;
}

}  // namespace

Graph in_chunks(const Graph& graph, const ChunkOptions& options) {
  Graph result = live_part(*graph.tape, graph.roots);
  if (options.bytes <= 0) return result;
  double looks = 0;
  for (int round = 0; round < kMostRounds; ++round) {
    std::optional<Graph> next = next_region_in_chunks(result, options, looks);
    if (!next) break;
    result = std::move(*next);
  }
  return result;
}

}  // namespace jacquard
