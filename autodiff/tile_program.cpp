#include "autodiff/tile_program.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <new>

#include "autodiff/loops.hpp"
#include "autodiff/runs.hpp"
#include "autodiff/tile_sums.hpp"

namespace jacquard {
namespace {

// Three places in memory, a number and a buffer for each node.
constexpr std::size_t kMaxSlots = 1 + 5 * TileProgram<float>::kMaxNodes;

// Buffers lie on the stack, where each thread has its own without an allocation. A program that
// needs more of them, which is rare, has memory that the thread keeps.
constexpr std::size_t kStackBytes = std::size_t{64} << 10;

template <class T>
T* kept_buffers(std::size_t count) {
  struct Free {
    void operator()(T* memory) const { ::operator delete (memory, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<T, Free> memory;
  thread_local std::size_t size = 0;
  if (size < count) {
    memory.reset(static_cast<T*>(::operator new (count * sizeof(T), std::align_val_t{64})));
    size = count;
  }
  return memory.get();
}

}  // namespace

template <class T>
bool TileProgram<T>::is_one_tile() const {
  return parts_.count == 1 && rows_ <= tile_rows_ && columns_ <= tile_columns_ &&
         rows_ * columns_ > 0;
}

template <class T>
std::int64_t TileProgram<T>::workspace_bytes() const {
  const std::int64_t sums = accumulators_ * static_cast<std::int64_t>(sizeof(double));
  if (!is_one_tile()) return sums;
  return sums + static_cast<std::int64_t>((slots_ - first_buffer_) * sizeof(T)) * buffer_size_;
}

template <class T>
bool TileProgram<T>::may_share(std::size_t w, std::size_t r) const {
  return direct_writes_[w] != 0 && references_[r].kind == Reference::Kind::kDirect &&
         last_read_[r] <= first_write_[w];
}

template <class T>
typename TileProgram<T>::Bound TileProgram<T>::bind(std::vector<T*> memory,
                                                    std::byte* workspace) const {
  Bound bound{std::move(memory), workspace, {}};
  if (!is_one_tile()) return bound;
  bound.slots.resize(slots_);
  set_numbers(bound.slots.data(),
              reinterpret_cast<T*>(reinterpret_cast<double*>(workspace) + accumulators_));
  for (std::size_t r = 0; r < references_.size(); ++r)
    if (!copied(references_[r])) bound.slots[references_[r].slot] = bound.memory[r];
  for (std::size_t w = 0; w < direct_writes_.size(); ++w)
    if (direct_writes_[w] != 0) bound.slots[direct_writes_[w]] = bound.memory[reads_.size() + w];
  return bound;
}

template <class T>
void TileProgram<T>::run(ThreadPool* pool, const Bound& bound) const {
  double* const accumulators = reinterpret_cast<double*>(bound.workspace);
  std::fill_n(accumulators, accumulators_, 0.0);
  if (!bound.slots.empty()) {
    const Area all{0, rows_, 0, columns_};
    for (std::size_t r = 0; r < references_.size(); ++r)
      if (copied(references_[r]))
        copy_rows(references_[r], bound.memory[r], all, bound.slots[references_[r].slot]);
    run_steps(bound.slots.data(), accumulators, 0, all);
  } else if (rows_ * columns_ > 0) {
    const auto task = [&](std::int64_t i) { run_part(i, bound.memory, accumulators); };
    if (parts_.count > 1 && pool != nullptr)
      pool->run(parts_.count, task);
    else
      for (std::int64_t i = 0; i < parts_.count; ++i) task(i);
  }
  for (const Sum& sum : sums_)
    finish(sum, pool, accumulators, bound.memory[reads_.size() + sum.write]);
}

template <class T>
void TileProgram<T>::set_numbers(T** slots, T* buffers) const {
  slots[0] = nullptr;
  for (std::size_t n = 0; n < numbers_.size(); ++n) slots[n + 1] = const_cast<T*>(&numbers_[n]);
  for (std::size_t s = first_buffer_; s < slots_; ++s, buffers += buffer_size_) slots[s] = buffers;
}

template <class T>
typename TileProgram<T>::Place TileProgram<T>::place(std::int64_t row) const {
  Place at{};
  for (std::size_t i = row_axes_.size(); i-- > 0; row /= row_axes_[i]) at[i] = row % row_axes_[i];
  return at;
}

template <class T>
void TileProgram<T>::advance(Place& at) const {
  for (std::size_t i = row_axes_.size(); i-- > 0;) {
    if (++at[i] < row_axes_[i]) return;
    at[i] = 0;
  }
}

template <class T>
std::int64_t TileProgram<T>::offset(const Strides& strides, const Place& at) const {
  std::int64_t offset = 0;
  for (std::size_t i = 0; i < strides.size(); ++i) offset += at[i] * strides[i];
  return offset;
}

template <class T>
void TileProgram<T>::run_part(std::int64_t i, std::span<T* const> memory,
                              double* accumulators) const {
  std::array<T*, kMaxSlots> slots;
  alignas(64) std::array<T, kStackBytes / sizeof(T)> on_stack;
  const std::size_t numbers = (slots_ - first_buffer_) * static_cast<std::size_t>(buffer_size_);
  set_numbers(slots.data(),
              numbers <= on_stack.size() ? on_stack.data() : kept_buffers<T>(numbers));
  for (std::size_t r = 0; r < references_.size(); ++r)
    if (references_[r].kind == Reference::Kind::kCopiedOnce)
      copy_rows(references_[r], memory[r], {0, tile_rows_, 0, columns_},
                slots[references_[r].slot]);
  parts_.each_block(
      i, columns_,
      [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t columns) {
        run_block(memory, slots.data(), accumulators, i, {row, rows, column, columns});
      });
}

template <class T>
void TileProgram<T>::run_block(std::span<T* const> memory, T** slots, double* accumulators,
                               std::int64_t part, const Area& block) const {
  for (std::int64_t row = 0; row < block.rows; row += tile_rows_)
    for (std::int64_t column = 0; column < block.columns; column += tile_columns_)
      run_tile(memory, slots, accumulators, part,
               {block.row + row, std::min(tile_rows_, block.rows - row), block.column + column,
                std::min(tile_columns_, block.columns - column)});
}

template <class T>
void TileProgram<T>::run_tile(std::span<T* const> memory, T** slots, double* accumulators,
                              std::int64_t part, const Area& area) const {
  find_operands(memory, slots, area);
  run_steps(slots, accumulators, part, area);
}

template <class T>
void TileProgram<T>::find_operands(std::span<T* const> memory, T** slots, const Area& area) const {
  const Place first = place(area.row);
  const std::int64_t start = area.row * columns_ + area.column;
  for (std::size_t r = 0; r < references_.size(); ++r) {
    const Reference& reference = references_[r];
    switch (reference.kind) {
      case Reference::Kind::kDirect:
        slots[reference.slot] = memory[r] + start;
        break;
      case Reference::Kind::kWithinRow:
        slots[reference.slot] =
            memory[r] + offset(reference.strides, first) + (reference.along ? area.column : 0);
        break;
      case Reference::Kind::kCopied:
        copy_rows(reference, memory[r], area, slots[reference.slot]);
        break;
      case Reference::Kind::kCopiedOnce:
        break;
    }
  }
  for (std::size_t w = 0; w < direct_writes_.size(); ++w)
    if (direct_writes_[w] != 0) slots[direct_writes_[w]] = memory[reads_.size() + w] + start;
}

template <class T>
void TileProgram<T>::run_steps(T* const* slots, double* accumulators, std::int64_t part,
                               const Area& area) const {
  const std::int64_t count = area.rows * area.columns;
  for (const Step& step : steps_) {
    if (step.run != nullptr) {
      step.run(slots[step.to], slots[step.a], slots[step.b], slots[step.c], count);
    } else {
      const Sum& sum = sums_[step.to];
      add_to_sum(sum, slots[step.a], area,
                 accumulators + sum.offset + (sum.shared ? part * sum.size : 0));
    }
  }
}

template <class T>
void TileProgram<T>::copy_rows(const Reference& from, const T* data, const Area& area,
                               T* to) const {
  Place at = place(area.row);
  for (std::int64_t row = 0; row < area.rows; ++row, to += columns_, advance(at)) {
    const T* const source = data + offset(from.strides, at);
    if (from.along)
      std::copy_n(source, columns_, to);
    else
      std::fill_n(to, columns_, *source);
  }
}

template <class T>
void TileProgram<T>::add_to_sum(const Sum& sum, const T* values, const Area& area,
                                double* accumulators) const {
  const TileSums<T>& sums = tile_sums<T>();
  Place at = place(area.row);
  for (std::int64_t row = 0; row < area.rows; ++row, values += area.columns, advance(at)) {
    double* const to = accumulators + offset(sum.strides, at);
    if (sum.along)
      sums.add_sum(to, values, area.columns);
    else
      sums.add_each(to + area.column, values, area.columns);
  }
}

// Adds what several parts have summed, and rounds.
template <class T>
void TileProgram<T>::finish(const Sum& sum, ThreadPool* pool, const double* accumulators,
                            T* out) const {
  const double* const from = accumulators + sum.offset;
  const std::int64_t copies = sum.shared ? parts_.count : 1;
  loops::pieces(pool, sum.size, std::max<std::int64_t>(1, loops::kGrain / copies),
                [&](std::int64_t first, std::int64_t end) {
                  for (std::int64_t i = first; i < end; ++i) {
                    double total = from[i];
                    for (std::int64_t copy = 1; copy < copies; ++copy)
                      total += from[copy * sum.size + i];
                    out[i] = static_cast<T>(total);
                  }
                });
}

// ---------------------------------------------------------------- building
bool fits_tiles(const Node& node) {
  if (node.op->arity == kAnyArity && node.inputs.size() != 2) return false;
  if (node.op->prepare_float != nullptr || node.op->prepare_double != nullptr) return false;
  return node.op->runs != nullptr || node.op->name == "sum";
}

const Shape& tile_space(const Tape& tape, const Node& node) {
  return node.op->name == "sum" ? tape.node(node.inputs[0]).shape : node.shape;
}

template <class T>
struct TileProgram<T>::Builder {
  TileProgram& p;
  const Tape& tape;
  const TileGroup& group;
  Shape space;                                   // without axes of size 1
  std::vector<std::vector<std::int64_t>> walks;  // strides of each reference, then of each sum
  std::vector<bool> along;
  std::vector<NodeId> summed;  // the sums among the nodes
  std::vector<Slot> slot_of;   // by place in group.nodes
  std::vector<std::size_t> last_use;
  std::vector<Slot> free_buffers;

  // ---- places in memory
  std::size_t place_in_group(NodeId id) const {
    const auto at = std::ranges::lower_bound(group.nodes, id);
    return at != group.nodes.end() && *at == id ? static_cast<std::size_t>(at - group.nodes.begin())
                                                : group.nodes.size();
  }
  bool is_sum(NodeId id) const { return tape.node(id).op->name == "sum"; }
  // A value that the program computes for each element.
  bool inside(NodeId id) const { return place_in_group(id) < group.nodes.size() && !is_sum(id); }

  void find_reads() {
    for (const NodeId id : group.nodes) {
      if (is_sum(id)) summed.push_back(id);
      for (const NodeId in : tape.node(id).inputs)
        if (!inside(in) && std::ranges::find(p.reads_, in) == p.reads_.end())
          p.reads_.push_back(in);
    }
    p.writes_ = group.written;
  }

  // ---- rows and columns
  // Strides of a value that broadcasts against the space, or of the result of a sum.
  std::vector<std::int64_t> broadcast_walk(const Shape& shape) const {
    const auto steps = loops::read_strides(shape, group.space);
    std::vector<std::int64_t> walk;
    for (int i = 0; i < group.space.rank(); ++i)
      if (group.space[i] != 1) walk.push_back(steps[static_cast<std::size_t>(i)]);
    return walk;
  }

  std::vector<std::int64_t> sum_walk(const Node& node) const {
    const int rank = group.space.rank();
    std::vector<bool> gone(static_cast<std::size_t>(rank), false);
    for (const std::int64_t axis : node.attributes.integers("axes"))
      gone[static_cast<std::size_t>(axis + rank)] = true;
    std::vector<std::int64_t> walk;
    std::int64_t step = 1;
    for (int i = rank - 1; i >= 0; --i) {
      if (group.space[i] == 1) continue;
      const bool summed_over = gone[static_cast<std::size_t>(i)];
      walk.insert(walk.begin(), summed_over ? 0 : step);
      if (!summed_over) step *= group.space[i];
    }
    return walk;
  }

  // Neighbouring axes along which everything walks evenly become one. Columns stay what they are
  // where they are summed.
  void merge_axes(std::vector<std::int64_t>& sizes) {
    for (std::size_t i = sizes.size() - (summed.empty() ? 0 : 1); i-- > 1;) {
      const bool even =
          std::ranges::all_of(walks, [&](const auto& w) { return w[i - 1] == w[i] * sizes[i]; });
      if (!even) continue;
      sizes[i - 1] *= sizes[i];
      sizes.erase(sizes.begin() + static_cast<std::ptrdiff_t>(i));
      for (auto& w : walks) w.erase(w.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
  }

  void choose_axes() {
    std::vector<std::int64_t> sizes;
    for (const std::int64_t n : group.space)
      if (n != 1) sizes.push_back(n);
    space = Shape(sizes);
    for (const NodeId id : p.reads_) walks.push_back(broadcast_walk(tape.node(id).shape));
    for (const NodeId id : summed) walks.push_back(sum_walk(tape.node(id)));
    walks.push_back(strides(space));  // of what is written
    if (sizes.size() > 1) merge_axes(sizes);
    if (sizes.empty()) {
      sizes.push_back(1);
      for (auto& w : walks) w.push_back(0);
    }
    p.columns_ = sizes.back();
    sizes.pop_back();
    p.row_axes_ = std::move(sizes);
    for (const std::int64_t n : p.row_axes_) p.rows_ *= n;
    for (auto& w : walks) {
      along.push_back(w.back() != 0);
      w.pop_back();
    }
  }

  // ---- tiles and parts
  // The most values that are in buffers at one time.
  std::int64_t most_alive() const {
    std::int64_t alive = 0, most = 0;
    for (std::size_t n = 0; n < group.nodes.size(); ++n) {
      if (!is_sum(group.nodes[n]) && !written(group.nodes[n])) ++alive;
      most = std::max(most, alive);
      for (std::size_t i = 0; i <= n; ++i)
        if (!is_sum(group.nodes[i]) && !written(group.nodes[i]) && last_use[i] == n) --alive;
    }
    return most;
  }
  bool written(NodeId id) const { return std::ranges::binary_search(p.writes_, id); }

  // Tiles are as long as their buffers stay in the nearest cache.
  void choose_tiles() {
    constexpr std::int64_t kBytes = 16 << 10, kLongest = 4096 / sizeof(T);
    std::int64_t tile = kLongest;
    while (tile > kSumPiece && most_alive() * tile * static_cast<std::int64_t>(sizeof(T)) > kBytes)
      tile /= 2;
    constexpr std::int64_t kLine = 64 / sizeof(T);
    p.buffer_size_ = std::min(tile, (p.rows_ * p.columns_ + kLine - 1) / kLine * kLine);
    p.tile_columns_ = std::min(tile, p.columns_);
    // Short rows share a tile, though what broadcasts is copied for it.
    constexpr std::int64_t kShort = 96;
    if (p.columns_ <= kShort && p.columns_ > 0)
      p.tile_rows_ =
          std::clamp<std::int64_t>(tile / p.columns_, 1, std::max<std::int64_t>(1, p.rows_));
  }

  // For programs with sums, this depends on the shape alone.
  void choose_parts() {
    if (p.rows_ * p.columns_ == 0) return;
    std::vector<std::int64_t> sizes = space.sizes();
    if (summed.empty()) {
      sizes = p.row_axes_;
      sizes.push_back(p.columns_);
    }
    p.parts_ = parts_of(sizes);
  }

  // ---- references and sums
  Slot new_slot() { return static_cast<Slot>(p.slots_++); }

  void place_numbers() {
    p.slots_ = 1;  // slot 0 is nobody's
    for (const NodeId id : group.nodes) {
      const Node& node = tape.node(id);
      if (node.op->run_attribute.empty()) continue;
      p.numbers_.push_back(static_cast<T>(node.attributes.number(node.op->run_attribute)));
      new_slot();
    }
  }

  using Kind = typename Reference::Kind;

  Kind kind_of(const std::vector<std::int64_t>& walk, bool differs) const {
    if (walk == walks.back() && differs == along.back()) return Kind::kDirect;
    if (p.tile_rows_ == 1) return Kind::kWithinRow;
    return std::ranges::all_of(walk, [](std::int64_t s) { return s == 0; }) ? Kind::kCopiedOnce
                                                                            : Kind::kCopied;
  }

  void place_references() {
    for (std::size_t r = 0; r < p.reads_.size(); ++r)
      p.references_.push_back({kind_of(walks[r], along[r]), walks[r], along[r], 0});
    for (Reference& r : p.references_)
      if (!copied(r)) r.slot = new_slot();
    for (const NodeId id : p.writes_) p.direct_writes_.push_back(is_sum(id) ? 0 : new_slot());
    p.first_buffer_ = p.slots_;
    for (Reference& r : p.references_)
      if (copied(r)) r.slot = new_slot();
  }

  void place_sums() {
    for (std::size_t s = 0; s < summed.size(); ++s) {
      Sum sum;
      sum.strides = walks[p.reads_.size() + s];
      sum.along = !along[p.reads_.size() + s];
      sum.size = tape.node(summed[s]).shape.size();
      sum.shared = p.parts_.count > 1 && meets_parts(tape.node(summed[s]));
      sum.offset = p.accumulators_;
      sum.write =
          static_cast<std::size_t>(std::ranges::find(p.writes_, summed[s]) - p.writes_.begin());
      p.accumulators_ += sum.size * (sum.shared ? p.parts_.count : 1);
      p.sums_.push_back(std::move(sum));
    }
  }

  // Does an element of the sum get something from several parts?
  bool meets_parts(const Node& node) const {
    int axis = -1;  // of the space without axes of size 1: the one along which parts differ
    const int cut = p.parts_.axis < 0 ? space.rank() - 1 : p.parts_.axis;
    for (int i = 0; i < group.space.rank(); ++i) {
      if (group.space[i] == 1 || ++axis != cut) continue;
      const auto& gone = node.attributes.integers("axes");
      return std::ranges::find(gone, i - group.space.rank()) != gone.end();
    }
    return false;
  }

  // ---- steps
  void find_last_uses() {
    last_use.assign(group.nodes.size(), 0);
    for (std::size_t n = 0; n < group.nodes.size(); ++n)
      for (const NodeId in : tape.node(group.nodes[n]).inputs)
        if (inside(in)) last_use[place_in_group(in)] = n;
  }

  Slot slot(NodeId id) const {
    if (inside(id)) return slot_of[place_in_group(id)];
    return p.references_[read_of(id)].slot;
  }
  std::size_t read_of(NodeId id) const {
    return static_cast<std::size_t>(std::ranges::find(p.reads_, id) - p.reads_.begin());
  }
  bool one_number(NodeId id) const {
    if (inside(id)) return false;
    const Reference& r = p.references_[read_of(id)];
    return r.kind == Kind::kWithinRow && !r.along;
  }

  void give_back(std::size_t n, const Node& node) {
    std::vector<NodeId> seen;
    for (const NodeId in : node.inputs) {
      if (!inside(in) || last_use[place_in_group(in)] != n) continue;
      if (std::ranges::find(seen, in) != seen.end()) continue;
      seen.push_back(in);
      if (slot(in) >= p.first_buffer_) free_buffers.push_back(slot(in));
    }
  }

  Slot result_slot(NodeId id) {
    const auto at = std::ranges::lower_bound(p.writes_, id);
    if (at != p.writes_.end() && *at == id)
      return p.direct_writes_[static_cast<std::size_t>(at - p.writes_.begin())];
    if (free_buffers.empty()) return new_slot();
    const Slot slot = free_buffers.back();
    free_buffers.pop_back();
    return slot;
  }

  void note_reads(std::span<const NodeId> ids) {
    for (const NodeId id : ids)
      if (!inside(id)) p.last_read_[read_of(id)] = p.steps_.size();
  }

  void add_elementwise(std::size_t n, NodeId id, const Node& node, std::size_t& attribute) {
    std::vector<Slot> operands;
    std::size_t numbers = 0;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      operands.push_back(slot(node.inputs[i]));
      if (one_number(node.inputs[i])) numbers |= std::size_t{1} << i;
    }
    if (!node.op->run_attribute.empty()) {
      numbers |= std::size_t{1} << operands.size();
      operands.push_back(static_cast<Slot>(1 + attribute++));
    }
    note_reads(node.inputs);
    give_back(n, node);
    Step step;
    step.run = runs::of<T>(*node.op->runs, simd())[numbers];
    step.to = slot_of[n] = result_slot(id);
    Slot* const places[] = {&step.a, &step.b, &step.c};
    for (std::size_t i = 0; i < operands.size(); ++i) *places[i] = operands[i];
    if (const auto w = std::ranges::find(p.writes_, id); w != p.writes_.end())
      p.first_write_[static_cast<std::size_t>(w - p.writes_.begin())] = p.steps_.size();
    p.steps_.push_back(step);
  }

  void add_steps() {
    slot_of.assign(group.nodes.size(), 0);
    p.last_read_.assign(p.reads_.size(), 0);
    p.first_write_.assign(p.writes_.size(), 0);
    std::size_t attribute = 0, sum = 0;
    for (std::size_t n = 0; n < group.nodes.size(); ++n) {
      const NodeId id = group.nodes[n];
      const Node& node = tape.node(id);
      if (!is_sum(id)) {
        add_elementwise(n, id, node, attribute);
        continue;
      }
      note_reads(node.inputs);
      Step step;
      step.to = static_cast<Slot>(sum++);
      step.a = slot(node.inputs[0]);
      p.steps_.push_back(step);
      give_back(n, node);
    }
  }
};

template <class T>
TileProgram<T>::TileProgram(const Tape& tape, const TileGroup& group) {
  Builder builder{*this, tape, group, {}, {}, {}, {}, {}, {}, {}};
  builder.find_reads();
  builder.find_last_uses();
  builder.choose_axes();
  builder.choose_tiles();
  builder.choose_parts();
  builder.place_numbers();
  builder.place_references();
  builder.place_sums();
  builder.add_steps();
}

template class TileProgram<float>;
template class TileProgram<double>;

}  // namespace jacquard
