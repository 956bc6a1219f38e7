#include "autodiff/plan_layout.hpp"

#include <algorithm>

#include "autodiff/chunks.hpp"
#include "autodiff/error.hpp"
#include "autodiff/followed_products.hpp"
#include "autodiff/lowering.hpp"
#include "autodiff/updates.hpp"
#include "autodiff/work.hpp"

namespace jacquard {
namespace {

// Values of this size or less that depend on no input are computed once.
constexpr std::int64_t kLargestConstant = std::int64_t{1} << 20;

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

template <class T>
std::int64_t bytes_of(std::int64_t count) {
  return count * static_cast<std::int64_t>(sizeof(T));
}

std::vector<bool> varying_nodes(const Tape& tape) {
  std::vector<bool> varies(tape.size(), false);
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
    const Node& node = tape.node(id);
    bool v = is_input(node) || node.op->name == "uniform" || node.op->name == "normal" ||
             node.shape.size() > kLargestConstant;
    for (const NodeId in : node.inputs) v = v || varies[index(in)];
    varies[index(id)] = v;
  }
  return varies;
}

std::int64_t concat_axis(const Node& node) {
  return node.attributes.integer("axis") + node.shape.rank();
}

}  // namespace

template <class T>
PlanLayout<T>::PlanLayout(const Tape& tape, const Program& program, const PlanOptions& options)
    : options_(options),
      output_count_(program.outputs.size()),
      update_count_(program.updates.size()) {
  check_updates(tape, program.updates);
  std::vector<Expr> roots = program.outputs;
  for (const Update& u : program.updates) roots.push_back(u.value);
  roots.insert(roots.end(), program.guards.begin(), program.guards.end());
  // Targets are roots, so that they are bound even when nobody reads their old values.
  for (const Update& u : program.updates) roots.push_back(u.target);
  Graph prepared = prepare(tape, roots, options_.without_passes);
  copy_updated_roots(prepared, output_count_ + update_count_, update_count_);
  fit(prepared);
  connect(program);
}

template <class T>
bool PlanLayout<T>::does(std::string_view step) const {
  return std::ranges::find(options_.without_passes, step) == options_.without_passes.end();
}

// Chunks of the usual size, or smaller ones where the memory does not suffice: far below the limit,
// other things are what does not fit.
template <class T>
void PlanLayout<T>::fit(const Graph& prepared) {
  lay_out(prepared, options_.chunk_bytes);
  needed_ = placement_.bytes;
  for (const std::int64_t share : {4, 16}) {
    const std::int64_t chunk = options_.memory_limit / share;
    if (needed_ <= options_.memory_limit || chunk >= options_.chunk_bytes) continue;
    lay_out(prepared, chunk);
    needed_ = std::min(needed_, placement_.bytes);
  }
}

template <class T>
void PlanLayout<T>::lay_out(const Graph& prepared, std::int64_t chunk_bytes) {
  // What fits into a processor's caches is done sooner: there, smaller chunks that cost nothing.
  constexpr std::int64_t kCached = std::int64_t{4} << 20;
  constexpr double kNoMoreWork = 1.02;
  graph_ = in_chunks(prepared, {std::min(kCached, chunk_bytes), bytes_of<T>(1), kNoMoreWork});
  graph_ = in_chunks(graph_, {chunk_bytes, bytes_of<T>(1)});
  if (does(kAccumulation)) graph_ = stacked(accumulated(graph_));
  graph_ = in_single_additions(graph_);
  if (does(kFusion)) graph_ = spread_contractions(graph_);
  graph_ = numbers_first(graph_);
  instructions_.clear();
  blocks_.clear();
  const std::vector<bool> ready = find_leaves();
  std::vector<InstructionGroup> groups =
      instruction_groups(graph_, ready, does(kFusion) ? Fusion::kFull : Fusion::kNone);
  if (does(kFusion) && does(kFollowing)) follow_products<T>(graph_, groups);
  const UpdateOrder order =
      order_updates(graph_, std::move(groups), output_count_, update_count_, does(kInPlace));
  guarded_ = order.guarded;
  for (std::size_t id = 0; id < order.over.size(); ++id)
    if (order.over[id] >= 0) locations_[id] = locations_[index(order.over[id])];
  const std::vector<std::int64_t> last_use = last_uses(order.groups);
  find_joined(order, ready);
  for (std::size_t g = 0; g < order.groups.size(); ++g) {
    add_instruction(g, order.groups[g], last_use);
    instructions_.back().updates = order.updates[g];
  }
  placement_ = place(blocks_);
}

// Inputs and constants, which are there before a run: marked in the result.
template <class T>
std::vector<bool> PlanLayout<T>::find_leaves() {
  const Tape& tape = *graph_.tape;
  constants_.clear();
  inputs_.clear();
  locations_.assign(tape.size(), {});
  const std::vector<bool> varies = varying_nodes(tape);
  std::vector<bool> ready(tape.size(), true);
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
    const Node& node = tape.node(id);
    if (is_input(node)) {
      if (input_kind(node) == InputKind::kPlaceholder)
        throw InternalError(cat("plan: a placeholder is left in the program: ", tape.describe(id)));
      locations_[index(id)] = {Location::kBound, inputs_.size()};
      inputs_.push_back({input_name(node), node.shape});
    } else if (!varies[index(id)]) {
      locations_[index(id)] = {Location::kConstant, constants_.size()};
      constants_.push_back(compute_constant(node));
    } else {
      ready[index(id)] = false;
    }
  }
  return ready;
}

// A part of a concatenation along the first axis is computed where it belongs.
template <class T>
void PlanLayout<T>::find_joined(const UpdateOrder& order, const std::vector<bool>& ready) {
  const Tape& tape = *graph_.tape;
  joined_.assign(tape.size(), {});
  for (const InstructionGroup& group : order.groups) {
    const NodeId whole = group.group.nodes[0];
    const Node& node = tape.node(whole);
    if (group.tiled || node.op->name != "concat" || concat_axis(node) != 0) continue;
    joined_[index(whole)] = {whole, 0};
    std::int64_t offset = 0;
    for (const NodeId in : node.inputs) {
      const auto source = index(viewed(tape, in));
      const bool elsewhere = ready[source] || order.over[source] >= 0 ||
                             joined_[source].whole >= 0 ||
                             tape.node(static_cast<NodeId>(source)).op->name == "concat";
      if (!elsewhere) joined_[source] = {whole, offset};
      offset += tape.node(in).shape.size();
    }
  }
}

// The place of a part of a concatenation, or of all of it.
template <class T>
Location PlanLayout<T>::joined_place(const Joined& part, std::int64_t now,
                                     const std::vector<std::int64_t>& last_use) {
  const auto whole = index(part.whole);
  if (!joined_[whole].block) {
    std::int64_t last = std::max(now, last_use[whole]);
    for (std::size_t id = 0; id < joined_.size(); ++id)
      if (joined_[id].whole == part.whole) last = std::max(last, last_use[id]);
    joined_[whole].block = blocks_.size();
    blocks_.push_back({bytes_of<T>(graph_.tape->node(part.whole).shape.size()), now, last});
  }
  return {Location::kArena, *joined_[whole].block, part.offset};
}

// By node: the last group that reads it, or what is viewed in its memory. Time is counted in
// groups.
template <class T>
std::vector<std::int64_t> PlanLayout<T>::last_uses(
    const std::vector<InstructionGroup>& groups) const {
  const Tape& tape = *graph_.tape;
  std::vector<std::int64_t> last(tape.size(), -1);
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (const NodeId id : groups[g].computed())
      for (const NodeId in : tape.node(id).inputs)
        last[index(viewed(tape, in))] = static_cast<std::int64_t>(g);
  for (const Expr& root : graph_.roots)
    last[index(viewed(tape, root.id))] = static_cast<std::int64_t>(groups.size());
  return last;
}

template <class T>
std::vector<T> PlanLayout<T>::compute_constant(const Node& node) const {
  std::vector<T> value(static_cast<std::size_t>(node.shape.size()));
  std::vector<Operand<T>> in;
  for (const NodeId id : node.inputs) {
    const Location& at = locations_[index(id)];
    in.push_back({&graph_.tape->node(id).shape, constants_[at.index].data()});
  }
  node.op->kernel(KernelCall<T>{in, node.shape, value.data(), node.attributes, RunContext{}});
  return value;
}

template <class T>
const Location& PlanLayout<T>::place_of(NodeId id) const {
  return locations_[index(viewed(*graph_.tape, id))];
}

template <class T>
void PlanLayout<T>::add_instruction(std::size_t g, const InstructionGroup& group,
                                    const std::vector<std::int64_t>& last_use) {
  const auto now = static_cast<std::int64_t>(g);
  Instruction<T> instruction;
  instruction.nodes = group.computed();
  if (group.tiled) {
    instruction.tiles.emplace(*graph_.tape, group.group);
    instruction.workspace_bytes = instruction.tiles->workspace_bytes();
  }
  if (!group.tiled || group.product >= 0) {
    instruction.prepared = prepared_node<T>(*graph_.tape, instruction.nodes[0]);
    instruction.workspace_bytes = bytes_of<T>(instruction.prepared.workspace);
    for (const NodeId in : graph_.tape->node(instruction.nodes[0]).inputs)
      instruction.from.push_back(place_of(in));
    instruction.operands = instruction.from.size();
  }
  if (group.tiled)
    for (const NodeId in : instruction.tiles->reads())
      instruction.from.push_back(in == group.product ? Location{Location::kNowhere} : place_of(in));
  if (instruction.workspace_bytes > 0) {
    instruction.workspace = blocks_.size();
    blocks_.push_back({instruction.workspace_bytes, now, now});
  }
  for (std::size_t w = 0; w < group.group.written.size(); ++w) {
    const NodeId id = group.group.written[w];
    Location& at = locations_[index(id)];
    const std::int64_t last = std::max(now, last_use[index(id)]);
    if (at.kind == Location::kBound) {
      // It is written over what it updates.
    } else if (const Joined& part = joined_[index(id)]; part.whole >= 0) {
      at = joined_place(part, now, last_use);
    } else if (const auto shared = shared_place(instruction, w, now)) {
      at = *shared;
      blocks_[at.index].last = std::max(blocks_[at.index].last, last);
    } else {
      at = {Location::kArena, blocks_.size()};
      blocks_.push_back({bytes_of<T>(graph_.tape->node(id).shape.size()), now, last});
    }
    instruction.to.push_back(at);
  }
  instructions_.push_back(std::move(instruction));
}

// A value that nobody else reads any more gives its memory to what is computed from it, element
// by element, or by adding to it.
template <class T>
std::optional<Location> PlanLayout<T>::shared_place(const Instruction<T>& instruction,
                                                    std::size_t w, std::int64_t now) const {
  const auto same = [](const Location& a, const Location& b) {
    return a.kind == b.kind && a.index == b.index;
  };
  const auto may_share = [&](std::size_t r) {
    if (instruction.tiles)
      return r >= instruction.operands && instruction.tiles->may_share(w, r - instruction.operands);
    return r == 0 && graph_.tape->node(instruction.nodes[0]).op->in_place;
  };
  for (std::size_t r = 0; r < instruction.from.size(); ++r) {
    const Location& at = instruction.from[r];
    if (at.kind != Location::kArena || blocks_[at.index].last != now) continue;
    const auto reads =
        std::ranges::count_if(instruction.from, [&](const Location& l) { return same(l, at); });
    const bool taken =
        std::ranges::any_of(instruction.to, [&](const Location& l) { return same(l, at); });
    if (reads == 1 && !taken && may_share(r)) return at;
  }
  return std::nullopt;
}

template <class T>
void PlanLayout<T>::connect(const Program& program) {
  std::size_t at = 0;
  for (const Expr& e : program.outputs) {
    outputs_.push_back(place_of(graph_.roots[at++].id));
    output_sizes_.push_back(e.shape().size());
  }
  const std::size_t targets = graph_.roots.size() - program.updates.size();
  for (std::size_t i = 0; i < program.updates.size(); ++i) {
    const std::size_t binding = place_of(graph_.roots[targets + i].id).index;
    inputs_[binding].written = true;
    writes_.push_back(
        {binding, place_of(graph_.roots[at++].id), program.updates[i].target.shape().size()});
  }
  for (std::size_t i = 0; i < program.guards.size(); ++i)
    guards_.push_back(place_of(graph_.roots[at++].id));
}

template <class T>
std::vector<PlanLine> PlanLayout<T>::lines() const {
  std::vector<PlanLine> result;
  for (const Instruction<T>& i : instructions_) {
    PlanLine line{i.nodes, {}};
    for (std::size_t w = 0; w < i.to.size(); ++w)
      line.written.push_back({i.tiles ? i.tiles->writes()[w] : i.nodes[0],
                              i.to[w].kind == Location::kArena
                                  ? placement_.offsets[i.to[w].index] + bytes_of<T>(i.to[w].offset)
                                  : PlanLine::kUpdated});
    result.push_back(std::move(line));
  }
  return result;
}

template class PlanLayout<float>;
template class PlanLayout<double>;

}  // namespace jacquard
