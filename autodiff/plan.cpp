#include "autodiff/plan.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <optional>

#include "autodiff/chunks.hpp"
#include "autodiff/error.hpp"
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
  std::size_t index = 0;  // of the block, the constant or the binding
};

template <class T>
struct Instruction {
  NodeId id = 0;
  Location to;
  std::vector<Location> from;
  Prepared<T> prepared;       // run is empty where the op's plain kernel is used
  std::size_t workspace = 0;  // block index, if prepared.workspace > 0
  // Resolved when bindings change:
  std::vector<Operand<T>> operands;
  T* out = nullptr;
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
  struct Write {
    std::size_t binding;
    Location from;
    std::int64_t count;
  };

  ThreadPool& pool;
  PlanOptions options;
  Graph graph;
  std::vector<Instruction<T>> instructions;
  std::vector<Lifetime> blocks;
  Placement placement;
  std::int64_t needed = 0;  // bytes of the smallest arena that was tried
  std::unique_ptr<std::byte, FreeAligned> arena;
  std::vector<std::vector<T>> constants;
  std::vector<Binding> bindings;
  std::vector<std::string> names;
  std::vector<Location> locations;  // of every node of graph.tape
  std::vector<Location> outputs, guards;
  std::vector<std::int64_t> output_sizes;
  std::vector<Write> writes;
  bool resolved = false;

  State(const Tape& tape, const Program& program, ThreadPool& p, const PlanOptions& o)
      : pool(p), options(o) {
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

  const Location& location(Expr e) const { return locations[static_cast<std::size_t>(e.id)]; }

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
    const Tape& tape = *graph.tape;
    instructions.clear();
    blocks.clear();
    constants.clear();
    bindings.clear();
    names.clear();
    locations.clear();
    locations.resize(tape.size());
    const std::vector<bool> varies = varying_nodes(tape);
    const std::vector<std::int64_t> last_use = last_uses(tape);
    for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
      const Node& node = tape.node(id);
      Location& at = locations[static_cast<std::size_t>(id)];
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
      } else if (node.op->name == "reshape") {
        at = locations[static_cast<std::size_t>(node.inputs[0])];
      } else {
        add_instruction(id, node, last_use);
      }
    }
    placement = place(blocks);
  }

  void extend(const Location& at, std::int64_t last) {
    if (at.kind == Location::kArena) blocks[at.index].last = std::max(blocks[at.index].last, last);
  }

  // Time is counted in node ids.
  std::vector<std::int64_t> last_uses(const Tape& tape) const {
    std::vector<std::int64_t> last(tape.size());
    for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
      last[static_cast<std::size_t>(id)] = id;
      for (const NodeId in : tape.node(id).inputs) last[static_cast<std::size_t>(in)] = id;
    }
    for (const Expr& root : graph.roots)
      last[static_cast<std::size_t>(root.id)] = static_cast<std::int64_t>(tape.size());
    // A reshape is read through its source's memory.
    for (NodeId id = static_cast<NodeId>(tape.size()) - 1; id >= 0; --id)
      if (tape.node(id).op->name == "reshape") {
        std::int64_t& source = last[static_cast<std::size_t>(tape.node(id).inputs[0])];
        source = std::max(source, last[static_cast<std::size_t>(id)]);
      }
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

  void add_instruction(NodeId id, const Node& node, const std::vector<std::int64_t>& last_use) {
    Instruction<T> instruction;
    instruction.id = id;
    std::vector<const Shape*> shapes;
    for (const NodeId in : node.inputs) {
      instruction.from.push_back(locations[static_cast<std::size_t>(in)]);
      shapes.push_back(&graph.tape->node(in).shape);
      instruction.operands.push_back({shapes.back(), nullptr});
    }
    instruction.prepared =
        prepared_call<T>(*node.op, ShapeCall{shapes, node.shape, node.attributes});
    if (instruction.prepared.workspace > 0) {
      instruction.workspace = blocks.size();
      blocks.push_back({bytes_of(instruction.prepared.workspace), id, id});
    }
    const std::int64_t last = last_use[static_cast<std::size_t>(id)];
    if (const auto shared = reusable_operand(id, node)) {
      instruction.to = *shared;
      extend(*shared, last);
    } else {
      instruction.to = {Location::kArena, blocks.size()};
      blocks.push_back({bytes_of(node.shape.size()), id, last});
    }
    locations[static_cast<std::size_t>(id)] = instruction.to;
    instructions.push_back(std::move(instruction));
  }

  static std::int64_t bytes_of(std::int64_t count) {
    return count * static_cast<std::int64_t>(sizeof(T));
  }

  // An operand of an elementwise op that nobody reads afterwards gives its memory to the result.
  // Operands from the third on are read after the result was first written.
  std::optional<Location> reusable_operand(NodeId id, const Node& node) const {
    if (!node.op->elementwise) return std::nullopt;
    for (std::size_t i = 0; i < std::min<std::size_t>(2, node.inputs.size()); ++i) {
      const Location& at = locations[static_cast<std::size_t>(node.inputs[i])];
      if (at.kind != Location::kArena || blocks[at.index].last != id ||
          !(graph.tape->node(node.inputs[i]).shape == node.shape))
        continue;
      bool read_later = false;
      for (std::size_t k = 2; k < node.inputs.size(); ++k) {
        const Location& other = locations[static_cast<std::size_t>(node.inputs[k])];
        read_later = read_later || (other.kind == at.kind && other.index == at.index);
      }
      if (!read_later) return at;
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
                                     static_cast<std::int64_t>(sizeof(T))));
    const auto bytes = static_cast<std::size_t>(std::max(placement.bytes, kAlignment));
    arena.reset(static_cast<std::byte*>(
        ::operator new(bytes, std::align_val_t(static_cast<std::size_t>(kAlignment)))));
  }

  std::vector<PlanLine> lines() const {
    std::vector<PlanLine> result;
    for (const Instruction<T>& i : instructions)
      result.push_back({i.id, placement.offsets[i.to.index]});
    return result;
  }

  // ------------------------------------------------------------ running
  T* block(std::size_t index) const {
    return reinterpret_cast<T*>(arena.get() + placement.offsets[index]);
  }

  T* address(const Location& at) {
    if (at.kind == Location::kArena) return block(at.index);
    if (at.kind == Location::kConstant) return constants[at.index].data();
    return bindings[at.index].data;
  }

  void resolve() {
    for (const Binding& b : bindings)
      if (!b.bound)
        throw Error(cat("plan: input '", b.name, "' of shape ", b.shape, " is not bound"));
    for (Instruction<T>& i : instructions) {
      for (std::size_t k = 0; k < i.from.size(); ++k) i.operands[k].data = address(i.from[k]);
      i.out = address(i.to);
    }
    resolved = true;
  }

  void execute(const RunContext& context) {
    if (options.poison) fill_with_nan(arena.get(), placement.bytes);
    for (std::size_t n = 0; n < instructions.size(); ++n) {
      Instruction<T>& i = instructions[n];
      const Node& node = graph.tape->node(i.id);
      KernelCall<T> call{i.operands, node.shape, i.out, node.attributes, context, nullptr};
      if (i.prepared.workspace > 0) call.workspace = block(i.workspace);
      if (i.prepared.run)
        i.prepared.run(call);
      else
        node.op->kernel(call);
      if (options.poison) poison_finished(i.id);
    }
  }

  void poison_finished(NodeId id) {
    for (std::size_t b = 0; b < blocks.size(); ++b)
      if (blocks[b].last == id) fill_with_nan(arena.get() + placement.offsets[b], blocks[b].bytes);
  }

  static void fill_with_nan(std::byte* memory, std::int64_t bytes) {
    std::fill_n(reinterpret_cast<T*>(memory), bytes / static_cast<std::int64_t>(sizeof(T)),
                std::numeric_limits<T>::quiet_NaN());
  }

  bool run(const RunContext& context) {
    if (!resolved) resolve();
    execute(context);
    for (const Location& guard : guards)
      if (!number::is_finite(*address(guard))) return false;
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
  for (const Instruction<T>& i : state_->instructions) s.flops += flops(*state_->graph.tape, i.id);
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
