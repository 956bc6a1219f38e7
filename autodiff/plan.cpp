#include "autodiff/plan.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <optional>

#include "autodiff/chunks.hpp"
#include "autodiff/error.hpp"
#include "autodiff/fusion.hpp"
#include "autodiff/in_place.hpp"
#include "autodiff/lowering.hpp"
#include "autodiff/memory.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/plan_text.hpp"
#include "autodiff/updates.hpp"
#include "autodiff/work.hpp"

namespace jacquard {
namespace {

// Where a node's value lives.
struct Location {
  enum Kind { kArena, kConstant, kBound } kind = kArena;
  std::size_t index = 0;    // of the block, the constant or the binding
  std::int64_t offset = 0;  // in numbers, within the block
};

// What is done in one go: a tile program, or one node by its op.
template <class T>
struct Instruction {
  std::vector<NodeId> nodes;
  std::vector<Location> from, to;
  bool updates = false;  // writes over what an update changes
  std::optional<TileProgram<T>> tiles;
  Prepared<T> prepared;       // run is empty where the op's plain kernel is used
  std::size_t workspace = 0;  // block index, if it needs scratch memory
  std::int64_t workspace_bytes = 0;
  // Resolved when bindings change:
  std::vector<Operand<T>> operands;
  std::vector<T*> memory;  // of `from`, then of `to`
  typename TileProgram<T>::Bound bound;
};

template <class T>
Prepared<T> prepared_call(const Op& op, const ShapeCall& call);
template <>
Prepared<float> prepared_call(const Op& op, const ShapeCall& call) {
  return op.prepare_float ? op.prepare_float(call) : Prepared<float>{};
}
template <>
Prepared<double> prepared_call(const Op& op, const ShapeCall& call) {
  return op.prepare_double ? op.prepare_double(call) : Prepared<double>{};
}

// Values of this size or less that depend on no input are computed once.
constexpr std::int64_t kLargestConstant = std::int64_t{1} << 20;

struct FreeAligned {
  void operator()(void* memory) const {
    ::operator delete(memory, std::align_val_t(static_cast<std::size_t>(kAlignment)));
  }
};

}  // namespace

template <class T>
struct Plan<T>::State {
  struct Binding {
    std::string name;
    Shape shape;
    T* data = nullptr;
    bool bound = false;
    bool written = false;  // by an update
  };
  // A node that lies in the memory of a concatenation, `whole`.
  struct Joined {
    NodeId whole = -1;
    std::int64_t offset = 0;                // in numbers
    std::optional<std::size_t> block = {};  // of `whole` itself, once it is known
  };
  struct Write {
    std::size_t binding;
    Location from;
    std::int64_t count;
  };

  ThreadPool& pool;
  PlanOptions options;
  std::size_t output_count, update_count;
  Graph graph;
  std::vector<Instruction<T>> instructions;
  std::size_t guarded = 0;  // from this instruction on the guards have their values
  std::vector<Lifetime> blocks;
  Placement placement;
  std::int64_t needed = 0;  // bytes of the smallest arena that was tried
  std::unique_ptr<std::byte, FreeAligned> arena;
  std::vector<std::vector<T>> constants;
  std::vector<Binding> bindings;
  std::vector<std::string> names;
  std::vector<Location> locations;  // of every node of graph.tape
  std::vector<Joined> joined;       // by node
  std::vector<Location> outputs, guards;
  std::vector<std::int64_t> output_sizes;
  std::vector<Write> writes;
  bool resolved = false;

  State(const Tape& tape, const Program& program, ThreadPool& p, const PlanOptions& o)
      : pool(p),
        options(o),
        output_count(program.outputs.size()),
        update_count(program.updates.size()) {
    check_updates(tape, program.updates);
    std::vector<Expr> roots = program.outputs;
    for (const Update& u : program.updates) roots.push_back(u.value);
    roots.insert(roots.end(), program.guards.begin(), program.guards.end());
    // Targets are roots, so that they are bound even when nobody reads their old values.
    for (const Update& u : program.updates) roots.push_back(u.target);
    Graph prepared = prepare(tape, roots, options.without_passes);
    copy_updated_roots(prepared, program.outputs.size() + program.updates.size(),
                       program.updates.size());
    fit(prepared);
    connect(program);
    allocate();
  }

  bool does(std::string_view step) const {
    return std::ranges::find(options.without_passes, step) == options.without_passes.end();
  }

  const Location& location(Expr e) const { return place_of(e.id); }

  // ------------------------------------------------------------ building
  // Chunks of the usual size, or smaller ones where the memory does not suffice: far below the
  // limit, other things are what does not fit.
  void fit(const Graph& prepared) {
    lay_out(prepared, options.chunk_bytes);
    needed = placement.bytes;
    for (const std::int64_t share : {4, 16}) {
      const std::int64_t chunk = options.memory_limit / share;
      if (needed <= options.memory_limit || chunk >= options.chunk_bytes) continue;
      lay_out(prepared, chunk);
      needed = std::min(needed, placement.bytes);
    }
  }

  void lay_out(const Graph& prepared, std::int64_t chunk_bytes) {
    graph = in_chunks(prepared, {chunk_bytes, bytes_of(1)});
    if (does(kAccumulation)) graph = stacked(accumulated(graph));
    graph = in_single_additions(graph);
    if (does(kFusion)) graph = spread_contractions(graph);
    const Tape& tape = *graph.tape;
    instructions.clear();
    blocks.clear();
    constants.clear();
    bindings.clear();
    names.clear();
    locations.clear();
    locations.resize(tape.size());
    const std::vector<bool> varies = varying_nodes(tape);
    std::vector<bool> ready(tape.size(), false);
    for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
      const Node& node = tape.node(id);
      Location& at = locations[static_cast<std::size_t>(id)];
      ready[static_cast<std::size_t>(id)] = true;
      if (is_input(node)) {
        if (input_kind(node) == InputKind::kPlaceholder)
          throw InternalError(
              cat("plan: a placeholder is left in the program: ", tape.describe(id)));
        at = {Location::kBound, bindings.size()};
        bindings.push_back({input_name(node), node.shape});
        names.push_back(input_name(node));
      } else if (!varies[static_cast<std::size_t>(id)]) {
        at = {Location::kConstant, constants.size()};
        constants.push_back(compute_constant(node));
      } else {
        ready[static_cast<std::size_t>(id)] = false;
      }
    }
    const UpdateOrder order = order_updates(
        graph, instruction_groups(graph, ready, does(kFusion) ? Fusion::kFull : Fusion::kNone),
        output_count, update_count, does(kInPlace));
    guarded = order.guarded;
    for (std::size_t id = 0; id < order.over.size(); ++id)
      if (order.over[id] >= 0) locations[id] = locations[static_cast<std::size_t>(order.over[id])];
    const std::vector<std::int64_t> last_use = last_uses(order.groups);
    find_joined(order, ready);
    for (std::size_t g = 0; g < order.groups.size(); ++g) {
      add_instruction(g, order.groups[g], last_use);
      instructions.back().updates = order.updates[g];
    }
    placement = place(blocks);
  }

  // A part of a concatenation along the first axis is computed where it belongs.
  void find_joined(const UpdateOrder& order, const std::vector<bool>& ready) {
    const Tape& tape = *graph.tape;
    joined.assign(tape.size(), {});
    for (const InstructionGroup& group : order.groups) {
      const NodeId whole = group.group.nodes[0];
      const Node& node = tape.node(whole);
      if (group.tiled || node.op->name != "concat" || concat_axis(node) != 0) continue;
      joined[static_cast<std::size_t>(whole)] = {whole, 0};
      std::int64_t offset = 0;
      for (const NodeId in : node.inputs) {
        const auto source = static_cast<std::size_t>(viewed(tape, in));
        const bool elsewhere = ready[source] || order.over[source] >= 0 ||
                               joined[source].whole >= 0 ||
                               tape.node(static_cast<NodeId>(source)).op->name == "concat";
        if (!elsewhere) joined[source] = {whole, offset};
        offset += tape.node(in).shape.size();
      }
    }
  }

  static std::int64_t concat_axis(const Node& node) {
    return node.attributes.integer("axis") + node.shape.rank();
  }

  // The place of a part of a concatenation, or of all of it.
  Location joined_place(const Joined& part, std::int64_t now,
                        const std::vector<std::int64_t>& last_use) {
    const auto whole = static_cast<std::size_t>(part.whole);
    if (!joined[whole].block) {
      std::int64_t last = std::max(now, last_use[whole]);
      for (std::size_t id = 0; id < joined.size(); ++id)
        if (joined[id].whole == part.whole) last = std::max(last, last_use[id]);
      joined[whole].block = blocks.size();
      blocks.push_back({bytes_of(graph.tape->node(part.whole).shape.size()), now, last});
    }
    return {Location::kArena, *joined[whole].block, part.offset};
  }

  // By node: the last group that reads it, or what is viewed in its memory. Time is counted in
  // groups.
  std::vector<std::int64_t> last_uses(const std::vector<InstructionGroup>& groups) const {
    const Tape& tape = *graph.tape;
    std::vector<std::int64_t> last(tape.size(), -1);
    for (std::size_t g = 0; g < groups.size(); ++g)
      for (const NodeId id : groups[g].group.nodes)
        for (const NodeId in : tape.node(id).inputs)
          last[static_cast<std::size_t>(viewed(tape, in))] = static_cast<std::int64_t>(g);
    for (const Expr& root : graph.roots)
      last[static_cast<std::size_t>(viewed(tape, root.id))] =
          static_cast<std::int64_t>(groups.size());
    return last;
  }

  static std::vector<bool> varying_nodes(const Tape& tape) {
    std::vector<bool> varies(tape.size(), false);
    for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
      const Node& node = tape.node(id);
      bool v = is_input(node) || node.op->name == "uniform" || node.op->name == "normal" ||
               node.shape.size() > kLargestConstant;
      for (const NodeId in : node.inputs) v = v || varies[static_cast<std::size_t>(in)];
      varies[static_cast<std::size_t>(id)] = v;
    }
    return varies;
  }

  std::vector<T> compute_constant(const Node& node) const {
    std::vector<T> value(static_cast<std::size_t>(node.shape.size()));
    std::vector<Operand<T>> in;
    for (const NodeId id : node.inputs) {
      const Location& at = locations[static_cast<std::size_t>(id)];
      in.push_back({&graph.tape->node(id).shape, constants[at.index].data()});
    }
    node.op->kernel(KernelCall<T>{in, node.shape, value.data(), node.attributes, RunContext{}});
    return value;
  }

  const Location& place_of(NodeId id) const {
    return locations[static_cast<std::size_t>(viewed(*graph.tape, id))];
  }

  void add_instruction(std::size_t g, const InstructionGroup& group,
                       const std::vector<std::int64_t>& last_use) {
    const auto now = static_cast<std::int64_t>(g);
    Instruction<T> instruction;
    instruction.nodes = group.group.nodes;
    if (group.tiled) {
      instruction.tiles.emplace(*graph.tape, group.group);
      instruction.workspace_bytes = instruction.tiles->workspace_bytes();
    } else {
      const Node& node = graph.tape->node(group.group.nodes[0]);
      std::vector<const Shape*> shapes;
      for (const NodeId in : node.inputs) {
        shapes.push_back(&graph.tape->node(in).shape);
        instruction.operands.push_back({shapes.back(), nullptr});
      }
      instruction.prepared =
          prepared_call<T>(*node.op, ShapeCall{shapes, node.shape, node.attributes});
      instruction.workspace_bytes = bytes_of(instruction.prepared.workspace);
    }
    const auto& reads =
        group.tiled ? instruction.tiles->reads() : graph.tape->node(group.group.nodes[0]).inputs;
    for (const NodeId in : reads) instruction.from.push_back(place_of(in));
    if (instruction.workspace_bytes > 0) {
      instruction.workspace = blocks.size();
      blocks.push_back({instruction.workspace_bytes, now, now});
    }
    for (std::size_t w = 0; w < group.group.written.size(); ++w) {
      const NodeId id = group.group.written[w];
      Location& at = locations[static_cast<std::size_t>(id)];
      const std::int64_t last = std::max(now, last_use[static_cast<std::size_t>(id)]);
      if (at.kind == Location::kBound) {
        // It is written over what it updates.
      } else if (const Joined& part = joined[static_cast<std::size_t>(id)]; part.whole >= 0) {
        at = joined_place(part, now, last_use);
      } else if (const auto shared = shared_place(instruction, w, now)) {
        at = *shared;
        blocks[at.index].last = std::max(blocks[at.index].last, last);
      } else {
        at = {Location::kArena, blocks.size()};
        blocks.push_back({bytes_of(graph.tape->node(id).shape.size()), now, last});
      }
      instruction.to.push_back(at);
    }
    instructions.push_back(std::move(instruction));
  }

  static std::int64_t bytes_of(std::int64_t count) {
    return count * static_cast<std::int64_t>(sizeof(T));
  }

  // A value that nobody else reads any more gives its memory to what is computed from it, element
  // by element, or by adding to it.
  std::optional<Location> shared_place(const Instruction<T>& instruction, std::size_t w,
                                       std::int64_t now) const {
    const auto same = [](const Location& a, const Location& b) {
      return a.kind == b.kind && a.index == b.index;
    };
    const auto may_share = [&](std::size_t r) {
      if (instruction.tiles) return instruction.tiles->may_share(w, r);
      return r == 0 && graph.tape->node(instruction.nodes[0]).op->in_place;
    };
    for (std::size_t r = 0; r < instruction.from.size(); ++r) {
      const Location& at = instruction.from[r];
      if (at.kind != Location::kArena || blocks[at.index].last != now) continue;
      const auto reads =
          std::ranges::count_if(instruction.from, [&](const Location& l) { return same(l, at); });
      const bool taken =
          std::ranges::any_of(instruction.to, [&](const Location& l) { return same(l, at); });
      if (reads == 1 && !taken && may_share(r)) return at;
    }
    return std::nullopt;
  }

  void connect(const Program& program) {
    std::size_t at = 0;
    for (const Expr& e : program.outputs) {
      outputs.push_back(location(graph.roots[at++]));
      output_sizes.push_back(e.shape().size());
    }
    const std::size_t targets = graph.roots.size() - program.updates.size();
    for (std::size_t i = 0; i < program.updates.size(); ++i) {
      const std::size_t binding = location(graph.roots[targets + i]).index;
      bindings[binding].written = true;
      writes.push_back(
          {binding, location(graph.roots[at++]), program.updates[i].target.shape().size()});
    }
    for (std::size_t i = 0; i < program.guards.size(); ++i)
      guards.push_back(location(graph.roots[at++]));
  }

  void allocate() {
    if (placement.bytes > options.memory_limit)
      throw SpecError(memory_refusal(*graph.tape, lines(), needed, options.memory_limit,
                                     options.limit_name, static_cast<std::int64_t>(sizeof(T))));
    const auto bytes = static_cast<std::size_t>(std::max(placement.bytes, kAlignment));
    arena.reset(static_cast<std::byte*>(
        ::operator new(bytes, std::align_val_t(static_cast<std::size_t>(kAlignment)))));
  }

  std::vector<PlanLine> lines() const {
    std::vector<PlanLine> result;
    for (const Instruction<T>& i : instructions) {
      PlanLine line{i.nodes, {}};
      for (std::size_t w = 0; w < i.to.size(); ++w)
        line.written.push_back({i.tiles ? i.tiles->writes()[w] : i.nodes[0],
                                i.to[w].kind == Location::kArena
                                    ? placement.offsets[i.to[w].index] + bytes_of(i.to[w].offset)
                                    : PlanLine::kUpdated});
      result.push_back(std::move(line));
    }
    return result;
  }

  // ------------------------------------------------------------ running
  T* block(std::size_t index) const {
    return reinterpret_cast<T*>(arena.get() + placement.offsets[index]);
  }

  T* address(const Location& at) {
    if (at.kind == Location::kArena) return block(at.index) + at.offset;
    if (at.kind == Location::kConstant) return constants[at.index].data();
    return bindings[at.index].data;
  }

  T* workspace_of(const Instruction<T>& i) const {
    return i.workspace_bytes > 0 ? block(i.workspace) : nullptr;
  }

  void resolve() {
    for (const Binding& b : bindings)
      if (!b.bound)
        throw Error(cat("plan: input '", b.name, "' of shape ", b.shape, " is not bound"));
    for (Instruction<T>& i : instructions) {
      i.memory.clear();
      for (const auto* places : {&i.from, &i.to})
        for (const Location& at : *places) i.memory.push_back(address(at));
      for (std::size_t k = 0; k < i.operands.size(); ++k) i.operands[k].data = i.memory[k];
      if (i.tiles) i.bound = i.tiles->bind(i.memory, reinterpret_cast<std::byte*>(workspace_of(i)));
    }
    resolved = true;
  }

  // Returns whether all guards are finite.
  bool execute(const RunContext& context) {
    bool finite = true;
    for (std::size_t n = 0; n < instructions.size(); ++n) {
      if (n == guarded) finite = guards_are_finite();
      if (!instructions[n].updates || finite) execute(instructions[n], context);
      if (options.poison) poison_finished(static_cast<std::int64_t>(n));
    }
    return guarded < instructions.size() ? finite : guards_are_finite();
  }

  bool guards_are_finite() {
    return std::ranges::all_of(
        guards, [&](const Location& guard) { return number::is_finite(*address(guard)); });
  }

  void execute(Instruction<T>& i, const RunContext& context) {
    if (i.tiles) return i.tiles->run(context.pool, i.bound);
    const Node& node = graph.tape->node(i.nodes[0]);
    const KernelCall<T> call{i.operands,      node.shape, i.memory.back(),
                             node.attributes, context,    workspace_of(i)};
    if (i.prepared.run)
      i.prepared.run(call);
    else
      node.op->kernel(call);
  }

  void poison_finished(std::int64_t now) {
    for (std::size_t b = 0; b < blocks.size(); ++b)
      if (blocks[b].last == now) fill_with_nan(arena.get() + placement.offsets[b], blocks[b].bytes);
  }

  static void fill_with_nan(std::byte* memory, std::int64_t bytes) {
    std::fill_n(reinterpret_cast<T*>(memory), bytes / static_cast<std::int64_t>(sizeof(T)),
                std::numeric_limits<T>::quiet_NaN());
  }

  bool run(const RunContext& context) {
    if (!resolved) resolve();
    if (options.poison) fill_with_nan(arena.get(), placement.bytes);
    if (!execute(context)) return false;
    for (const Write& w : writes) {
      const T* from = address(w.from);
      T* to = bindings[w.binding].data;
      if (from != to) std::copy_n(from, w.count, to);
    }
    return true;
  }

  Binding* find(std::string_view name) {
    const auto it = std::ranges::find(bindings, name, &Binding::name);
    return it == bindings.end() ? nullptr : &*it;
  }

  void bind(std::string_view name, T* data, std::size_t count, bool writable) {
    Binding* b = find(name);
    if (b == nullptr) return;
    if (static_cast<std::int64_t>(count) != b->shape.size())
      throw Error(cat("plan: input '", name, "' has shape ", b->shape, " and was given ", count,
                      " numbers"));
    if (b->written && !writable)
      throw InternalError(cat("plan: input '", name, "' is updated but bound to constant memory"));
    if (b->bound && b->data == data) return;
    b->data = data;
    b->bound = true;
    resolved = false;
  }
};

template <class T>
Plan<T>::Plan(const Tape& tape, const Program& program, ThreadPool& pool,
              const PlanOptions& options)
    : state_(std::make_unique<State>(tape, program, pool, options)) {}
template <class T>
Plan<T>::~Plan() = default;
template <class T>
Plan<T>::Plan(Plan&&) noexcept = default;
template <class T>
Plan<T>& Plan<T>::operator=(Plan&&) noexcept = default;

template <class T>
const std::vector<std::string>& Plan<T>::inputs() const {
  return state_->names;
}
template <class T>
bool Plan<T>::has_input(std::string_view name) const {
  return state_->find(name) != nullptr;
}
template <class T>
void Plan<T>::bind(std::string_view name, std::span<T> memory) {
  state_->bind(name, memory.data(), memory.size(), true);
}
template <class T>
void Plan<T>::bind_constant(std::string_view name, std::span<const T> memory) {
  // Written only by updates, and those refuse constant memory.
  state_->bind(name, const_cast<T*>(memory.data()), memory.size(), false);
}
template <class T>
bool Plan<T>::run(std::uint64_t seed, std::uint64_t step) {
  return state_->run({seed, step, &state_->pool});
}
template <class T>
std::span<const T> Plan<T>::output(std::size_t i) const {
  return {state_->address(state_->outputs.at(i)),
          static_cast<std::size_t>(state_->output_sizes[i])};
}
template <class T>
T Plan<T>::scalar(std::size_t i) const {
  return output(i)[0];
}
template <class T>
PlanStatistics Plan<T>::statistics() const {
  PlanStatistics s;
  s.instructions = static_cast<std::int64_t>(state_->instructions.size());
  s.arena_bytes = state_->placement.bytes;
  for (const Instruction<T>& i : state_->instructions)
    for (const NodeId id : i.nodes) s.flops += flops(*state_->graph.tape, id);
  return s;
}
template <class T>
std::string Plan<T>::describe() const {
  return plan_text(*state_->graph.tape, state_->lines(), statistics(),
                   static_cast<std::int64_t>(sizeof(T)));
}

template class Plan<float>;
template class Plan<double>;

}  // namespace jacquard
