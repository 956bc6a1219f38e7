// How a tile program is made: rows and columns, tiles and parts, places in memory, steps.
#include <algorithm>
#include <span>

#include "autodiff/loops.hpp"
#include "autodiff/pair_runs.hpp"
#include "autodiff/runs.hpp"
#include "autodiff/simd.hpp"
#include "autodiff/tile_program.hpp"

namespace jacquard {

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
  std::vector<Slot> slot_of;   // by place in group.nodes, as all below
  std::vector<std::size_t> last_use;
  std::vector<std::size_t> inner;  // the operand that is computed in the same step
  std::vector<bool> is_inner;
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
    std::vector<std::int64_t> ending(group.nodes.size(), 0);
    std::int64_t alive = 0, most = 0;
    for (std::size_t n = 0; n < group.nodes.size(); ++n) {
      if (!is_sum(group.nodes[n]) && !written(group.nodes[n]) && !is_inner[n]) {
        ++alive;
        ++ending[last_use[n]];
      }
      most = std::max(most, alive);
      alive -= ending[n];
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
    const bool is_small = p.rows_ * p.columns_ <= kSumPiece;
    if ((p.columns_ <= kShort || is_small) && p.columns_ > 0)
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
    const bool same = std::ranges::all_of(walk, [](std::int64_t s) { return s == 0; });
    if (p.tile_rows_ == 1 || (same && !differs)) return Kind::kWithinRow;
    return same ? Kind::kCopiedOnce : Kind::kCopied;
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
  std::size_t none() const { return group.nodes.size(); }

  // By node: the one that reads it inside the program, if there is one and it does so once.
  std::vector<std::size_t> only_readers() const {
    std::vector<std::size_t> readers(none(), none());
    std::vector<int> reads(none(), 0);
    for (std::size_t n = 0; n < none(); ++n)
      for (const NodeId in : tape.node(group.nodes[n]).inputs)
        if (inside(in)) {
          readers[place_in_group(in)] = n;
          ++reads[place_in_group(in)];
        }
    for (std::size_t n = 0; n < none(); ++n)
      if (reads[n] != 1) readers[n] = none();
    return readers;
  }

  // A value that one op alone reads is computed in the step of that op where the two have a run.
  // Nothing is written between them, so that nothing is read later than it may be.
  void find_pairs() {
    inner.assign(none(), none());
    is_inner.assign(none(), false);
    const std::vector<std::size_t> readers = only_readers();
    std::size_t last_written = 0;
    for (std::size_t n = 0; n < none(); ++n) {
      const Node& node = tape.node(group.nodes[n]);
      for (std::size_t i = 0; i < node.inputs.size() && !is_sum(group.nodes[n]); ++i) {
        if (!inside(node.inputs[i])) continue;
        const std::size_t in = place_in_group(node.inputs[i]);
        if (readers[in] != n || inner[in] != none() || written(group.nodes[in]) ||
            in < last_written || pair_runs(*tape.node(node.inputs[i]).op, *node.op, i) == nullptr)
          continue;
        inner[n] = in;
        is_inner[in] = true;
        break;
      }
      if (written(group.nodes[n]) && !is_sum(group.nodes[n])) last_written = n;
    }
  }

  // When a value is needed for the last time.
  void find_last_uses() {
    last_use.assign(none(), 0);
    const auto note = [&](std::size_t from, std::size_t at) {
      for (const NodeId in : tape.node(group.nodes[from]).inputs)
        if (inside(in)) last_use[place_in_group(in)] = at;
    };
    for (std::size_t n = 0; n < none(); ++n) {
      if (is_inner[n]) continue;
      if (inner[n] != none()) note(inner[n], n);
      note(n, n);
    }
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

  // Buffers of what is not needed after node n.
  void give_back(std::size_t n, std::span<const NodeId> operands) {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const NodeId in = operands[i];
      if (!inside(in) || last_use[place_in_group(in)] != n) continue;
      const auto before = operands.first(i);
      if (std::ranges::find(before, in) != before.end()) continue;
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

  // What node n is computed from, and by which runs.
  const Runs& operands_of(std::size_t n, std::vector<NodeId>& operands) const {
    const Node& node = tape.node(group.nodes[n]);
    operands = node.inputs;
    if (inner[n] == none()) return *node.op->runs;
    const NodeId first = group.nodes[inner[n]];
    const auto side = std::ranges::find(operands, first);
    const Runs& runs = *pair_runs(*tape.node(first).op, *node.op,
                                  static_cast<std::size_t>(side - operands.begin()));
    operands.erase(side);
    operands.insert(operands.begin(), tape.node(first).inputs.begin(),
                    tape.node(first).inputs.end());
    return runs;
  }

  void add_elementwise(std::size_t n, std::size_t& attribute) {
    std::vector<NodeId> operands;
    const Runs& runs = operands_of(n, operands);
    const NodeId id = group.nodes[n];
    std::vector<Slot> slots;
    std::size_t numbers = 0;
    for (std::size_t i = 0; i < operands.size(); ++i) {
      slots.push_back(slot(operands[i]));
      if (one_number(operands[i])) numbers |= std::size_t{1} << i;
    }
    if (!tape.node(id).op->run_attribute.empty()) {
      numbers |= std::size_t{1} << slots.size();
      slots.push_back(static_cast<Slot>(1 + attribute++));
    }
    note_reads(operands);
    give_back(n, operands);
    Step step;
    step.run = runs::of<T>(runs, simd())[numbers];
    step.to = slot_of[n] = result_slot(id);
    Slot* const places[] = {&step.a, &step.b, &step.c};
    for (std::size_t i = 0; i < slots.size(); ++i) *places[i] = slots[i];
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
      if (is_inner[n]) continue;
      if (!is_sum(id)) {
        add_elementwise(n, attribute);
        continue;
      }
      const Node& node = tape.node(id);
      note_reads(node.inputs);
      Step step;
      step.to = static_cast<Slot>(sum++);
      step.a = slot(node.inputs[0]);
      p.steps_.push_back(step);
      give_back(n, node.inputs);
    }
  }
};

template <class T>
TileProgram<T>::TileProgram(const Tape& tape, const TileGroup& group) {
  Builder builder{*this, tape, group, {}, {}, {}, {}, {}, {}, {}, {}, {}};
  builder.find_reads();
  builder.find_pairs();
  builder.find_last_uses();
  builder.choose_axes();
  builder.choose_tiles();
  builder.choose_parts();
  builder.place_numbers();
  builder.place_references();
  builder.place_sums();
  builder.add_steps();
}

template TileProgram<float>::TileProgram(const Tape&, const TileGroup&);
template TileProgram<double>::TileProgram(const Tape&, const TileGroup&);

}  // namespace jacquard
