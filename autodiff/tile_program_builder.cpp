// How a tile program is made: rows and columns, tiles and parts, places in memory, steps.
#include <algorithm>
#include <span>

#include "autodiff/error.hpp"
#include "autodiff/loops.hpp"
#include "autodiff/runs.hpp"
#include "autodiff/tile_passes.hpp"
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
  const TilePasses<T> passes;
  Shape space{};                                   // without axes of size 1
  std::vector<std::vector<std::int64_t>> walks{};  // strides of each reference, then of each sum
  std::vector<bool> along{};
  std::vector<NodeId> summed{};  // the sums among the nodes
  std::vector<Slot> slot_of{};   // by place in group.nodes
  std::vector<Slot> free_buffers{};
  std::size_t time = 0;  // counts operations, in the order in which they see the memory

  // ---- places in memory
  void find_reads() {
    for (const NodeId id : group.nodes) {
      if (passes.is_sum(id)) summed.push_back(id);
      for (const NodeId in : tape.node(id).inputs)
        if (!passes.inside(in) && std::ranges::find(p.reads_, in) == p.reads_.end())
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
  // Tiles are as long as their buffers stay in the nearest cache.
  void choose_tiles() {
    constexpr std::int64_t kBytes = 16 << 10, kLongest = 4096 / sizeof(T);
    std::int64_t tile = kLongest;
    while (tile > kSumPiece &&
           passes.most_alive() * tile * static_cast<std::int64_t>(sizeof(T)) > kBytes)
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
    for (const NodeId id : p.writes_)
      p.direct_writes_.push_back(passes.is_sum(id) ? 0 : new_slot());
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
  Slot slot(NodeId id) const {
    if (passes.inside(id)) return slot_of[passes.place(id)];
    return p.references_[read_of(id)].slot;
  }
  std::size_t read_of(NodeId id) const {
    return static_cast<std::size_t>(std::ranges::find(p.reads_, id) - p.reads_.begin());
  }
  bool one_number(NodeId id) const {
    if (passes.inside(id)) return false;
    const Reference& r = p.references_[read_of(id)];
    return r.kind == Kind::kWithinRow && !r.along;
  }

  // Buffers of what is not needed after this pass.
  void give_back(std::size_t pass, std::span<const NodeId> operands) {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const NodeId in = operands[i];
      if (!passes.inside(in) || passes.last_use(passes.place(in)) != pass) continue;
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

  // An operation takes place: what it reads and writes outside.
  void note_time(std::size_t n) {
    const NodeId id = group.nodes[n];
    for (const NodeId in : tape.node(id).inputs)
      if (!passes.inside(in)) p.last_read_[read_of(in)] = time;
    if (const auto w = std::ranges::find(p.writes_, id); w != p.writes_.end())
      p.first_write_[static_cast<std::size_t>(w - p.writes_.begin())] = time;
    ++time;
  }

  void add_operation(std::size_t pass, std::size_t n) {
    const NodeId id = group.nodes[n];
    const Node& node = tape.node(id);
    std::vector<Slot> slots;
    std::size_t numbers = 0;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      slots.push_back(slot(node.inputs[i]));
      if (one_number(node.inputs[i])) numbers |= std::size_t{1} << i;
    }
    if (!node.op->run_attribute.empty()) {
      numbers |= std::size_t{1} << slots.size();
      slots.push_back(attribute_slot(n));
    }
    give_back(pass, node.inputs);
    Step step;
    step.run = runs::of<T>(*node.op->runs)[numbers];
    step.places[0] = slot_of[n] = result_slot(id);
    std::ranges::copy(slots, step.places.begin() + 1);
    step.count = 4;
    p.steps_.push_back(step);
  }

  // Numbers have the first slots, in the order of the nodes whose attributes they are.
  Slot attribute_slot(std::size_t n) const {
    Slot slot = 1;
    for (std::size_t before = 0; before < n; ++before)
      if (!tape.node(group.nodes[before]).op->run_attribute.empty()) ++slot;
    return slot;
  }

  void add_code(std::size_t pass) {
    const auto chain = passes.chain(pass, [this](NodeId id) { return one_number(id); });
    Step step;
    step.code = vector_code<T>(chain.code);
    if (step.code == nullptr)
      throw Error("plan: the system gives no more memory for machine code; free some");
    for (const NodeId in : chain.loaded) step.places[step.count++] = slot(in);
    for (const std::size_t n : chain.stored)
      step.places[step.count++] = slot_of[n] = result_slot(group.nodes[n]);
    give_back(pass, chain.loaded);  // not before: it loads while it stores
    p.steps_.push_back(step);
  }

  void add_sum(std::size_t pass, std::size_t n) {
    const Node& node = tape.node(group.nodes[n]);
    Step step;
    step.is_sum = true;
    step.sum = static_cast<std::size_t>(std::ranges::find(summed, group.nodes[n]) - summed.begin());
    step.places[step.count++] = slot(node.inputs[0]);
    p.steps_.push_back(step);
    give_back(pass, node.inputs);
  }

  void add_steps() {
    slot_of.assign(passes.size(), 0);
    p.last_read_.assign(p.reads_.size(), 0);
    p.first_write_.assign(p.writes_.size(), 0);
    for (std::size_t pass = 0; pass < passes.all().size(); ++pass) {
      const auto& [nodes, by_code] = passes.all()[pass];
      for (const std::size_t n : nodes) note_time(n);
      if (by_code)
        add_code(pass);
      else if (passes.is_sum(group.nodes[nodes[0]]))
        add_sum(pass, nodes[0]);
      else
        add_operation(pass, nodes[0]);
    }
  }
};

template <class T>
TileProgram<T>::TileProgram(const Tape& tape, const TileGroup& group) {
  Builder builder{*this, tape, group, TilePasses<T>(tape, group, has_vector_code())};
  builder.find_reads();
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
