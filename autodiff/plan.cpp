#include "autodiff/plan.hpp"

#include <algorithm>
#include <limits>
#include <new>

#include "autodiff/error.hpp"
#include "autodiff/plan_layout.hpp"
#include "autodiff/plan_text.hpp"
#include "autodiff/work.hpp"

namespace jacquard {
namespace {

struct FreeAligned {
  void operator()(void* memory) const {
    ::operator delete(memory, std::align_val_t(static_cast<std::size_t>(kAlignment)));
  }
};

// An instruction with all its addresses.
template <class T>
struct ReadyInstruction {
  bool updates = false;
  const TileProgram<T>* tiles = nullptr;
  typename TileProgram<T>::Bound bound;
  // Where an op is called:
  const Node* node = nullptr;
  const Prepared<T>* prepared = nullptr;
  std::vector<Operand<T>> operands;
  T* out = nullptr;
  T* workspace = nullptr;
  typename Prepared<T>::Each follow;  // where the tiles follow it

  void run(const RunContext& context) const {
    if (node == nullptr) return tiles->run(context.pool, bound);
    const KernelCall<T> call{operands, node->shape, out, node->attributes, context, workspace};
    if (follow)
      prepared->run_in_rectangles(call, follow);
    else if (prepared->run)
      prepared->run(call);
    else
      node->op->kernel(call);
  }
};

}  // namespace

template <class T>
struct Plan<T>::State {
  using Layout = PlanLayout<T>;
  struct Binding {
    T* data = nullptr;
    bool bound = false;
  };
  struct Copy {
    const T* from;
    T* to;
    std::int64_t count;
  };

  ThreadPool& pool;
  PlanOptions options;
  Layout layout;
  std::unique_ptr<std::byte, FreeAligned> arena;
  std::vector<Binding> bindings;
  std::vector<std::string> names;
  // Made anew when bindings change:
  std::vector<ReadyInstruction<T>> instructions;
  std::vector<const T*> guards;
  std::vector<Copy> copies;
  bool resolved = false;

  State(const Tape& tape, const Program& program, ThreadPool& p, const PlanOptions& o)
      : pool(p), options(o), layout(tape, program, o), bindings(layout.inputs().size()) {
    for (const auto& input : layout.inputs()) names.push_back(input.name);
    allocate();
  }

  void allocate() {
    const std::int64_t needed = layout.placement().bytes;
    if (needed > options.memory_limit)
      throw SpecError(memory_refusal(*layout.graph().tape, layout.lines(), layout.needed_bytes(),
                                     options.memory_limit, options.limit_name,
                                     static_cast<std::int64_t>(sizeof(T))));
    const auto bytes = static_cast<std::size_t>(std::max(needed, kAlignment));
    arena.reset(static_cast<std::byte*>(
        ::operator new(bytes, std::align_val_t(static_cast<std::size_t>(kAlignment)))));
  }

  T* block(std::size_t index) const {
    return reinterpret_cast<T*>(arena.get() + layout.placement().offsets[index]);
  }

  T* address(const Location& at) const {
    if (at.kind == Location::kNowhere) return nullptr;
    if (at.kind == Location::kArena) return block(at.index) + at.offset;
    if (at.kind == Location::kConstant)
      return const_cast<T*>(layout.constants()[at.index].data());  // nobody writes there
    return bindings[at.index].data;
  }

  void resolve() {
    for (std::size_t i = 0; i < bindings.size(); ++i)
      if (!bindings[i].bound)
        throw Error(cat("plan: input '", names[i], "' of shape ", layout.inputs()[i].shape,
                        " is not bound"));
    instructions.clear();
    guards.clear();
    copies.clear();
    for (const Instruction<T>& i : layout.instructions()) instructions.push_back(ready(i));
    for (const Location& guard : layout.guards()) guards.push_back(address(guard));
    for (const auto& w : layout.writes()) {
      T* const to = bindings[w.input].data;
      if (address(w.from) != to) copies.push_back({address(w.from), to, w.count});
    }
    resolved = true;
  }

  ReadyInstruction<T> ready(const Instruction<T>& i) const {
    ReadyInstruction<T> result;
    result.updates = i.updates;
    T* const workspace = i.workspace_bytes > 0 ? block(i.workspace) : nullptr;
    std::vector<T*> memory;
    for (std::size_t f = i.operands; f < i.from.size(); ++f) memory.push_back(address(i.from[f]));
    for (const Location& at : i.to) memory.push_back(address(at));
    if (!i.tiles || i.operands > 0) {
      const Tape& tape = *layout.graph().tape;
      result.node = &tape.node(i.nodes[0]);
      for (std::size_t k = 0; k < i.operands; ++k)
        result.operands.push_back({&tape.node(result.node->inputs[k]).shape, address(i.from[k])});
      result.workspace = workspace;
      result.prepared = &i.prepared;
    }
    if (!i.tiles) {
      result.out = memory.back();
      return result;
    }
    result.tiles = &*i.tiles;
    result.bound = i.tiles->bind(std::move(memory), reinterpret_cast<std::byte*>(workspace));
    if (result.node != nullptr) {
      const auto& reads = i.tiles->reads();
      const auto read =
          static_cast<std::size_t>(std::ranges::find(reads, i.nodes[0]) - reads.begin());
      result.follow = [&i, read, bound = result.bound](const Rectangle<T>& rectangle) {
        i.tiles->follow(bound, read, i.prepared.width, rectangle);
      };
    }
    return result;
  }

  // ------------------------------------------------------------ running
  // Returns whether all guards are finite.
  bool execute(const RunContext& context) {
    bool finite = true;
    const std::size_t guarded = layout.guarded();
    for (std::size_t n = 0; n < instructions.size(); ++n) {
      if (n == guarded) finite = guards_are_finite();
      if (!instructions[n].updates || finite) instructions[n].run(context);
      if (options.poison) poison_finished(static_cast<std::int64_t>(n));
    }
    return guarded < instructions.size() ? finite : guards_are_finite();
  }

  bool guards_are_finite() const {
    return std::ranges::all_of(guards, [](const T* guard) { return number::is_finite(*guard); });
  }

  void poison_finished(std::int64_t now) {
    const std::vector<Lifetime>& blocks = layout.blocks();
    for (std::size_t b = 0; b < blocks.size(); ++b)
      if (blocks[b].last == now) fill_with_nan(block(b), blocks[b].bytes);
  }

  static void fill_with_nan(T* memory, std::int64_t bytes) {
    std::fill_n(memory, bytes / static_cast<std::int64_t>(sizeof(T)),
                std::numeric_limits<T>::quiet_NaN());
  }

  bool run(const RunContext& context) {
    if (!resolved) resolve();
    if (options.poison) fill_with_nan(reinterpret_cast<T*>(arena.get()), layout.placement().bytes);
    if (!execute(context)) return false;
    for (const Copy& c : copies) std::copy_n(c.from, c.count, c.to);
    return true;
  }

  // The place of an input; names.size() if there is none.
  std::size_t find(std::string_view name) const {
    return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
  }

  void bind(std::string_view name, T* data, std::size_t count, bool writable) {
    const std::size_t i = find(name);
    if (i == names.size()) return;
    const auto& input = layout.inputs()[i];
    if (static_cast<std::int64_t>(count) != input.shape.size())
      throw Error(cat("plan: input '", name, "' has shape ", input.shape, " and was given ", count,
                      " numbers"));
    if (input.written && !writable)
      throw InternalError(cat("plan: input '", name, "' is updated but bound to constant memory"));
    Binding& b = bindings[i];
    if (b.bound && b.data == data) return;
    b.data = data;
    b.bound = true;
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
  return state_->find(name) < state_->names.size();
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
  return {state_->address(state_->layout.outputs().at(i)),
          static_cast<std::size_t>(state_->layout.output_sizes()[i])};
}
template <class T>
T Plan<T>::scalar(std::size_t i) const {
  return output(i)[0];
}
template <class T>
PlanStatistics Plan<T>::statistics() const {
  PlanStatistics s;
  const PlanLayout<T>& layout = state_->layout;
  s.instructions = static_cast<std::int64_t>(layout.instructions().size());
  s.arena_bytes = layout.placement().bytes;
  for (const Instruction<T>& i : layout.instructions())
    for (const NodeId id : i.nodes) s.flops += flops(*layout.graph().tape, id);
  return s;
}
template <class T>
std::string Plan<T>::describe() const {
  return plan_text(*state_->layout.graph().tape, state_->layout.lines(), statistics(),
                   static_cast<std::int64_t>(sizeof(T)));
}

template class Plan<float>;
template class Plan<double>;

}  // namespace jacquard
