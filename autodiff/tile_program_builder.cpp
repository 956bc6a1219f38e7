// How a tile program is made: rows and columns, tiles and parts, places in memory, steps.
#include <algorithm>
#include <numeric>
#include <span>
#include <utility>

#include "autodiff/error.hpp"
#include "autodiff/loops.hpp"
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
  Shape space{};                                   // without axes of size 1
  std::vector<std::vector<std::int64_t>> walks{};  // strides of each reference, then of each sum
  std::vector<bool> along{};
  std::vector<NodeId> summed{};  // the sums among the nodes
  std::vector<Slot> slot_of{};   // by place in group.nodes
  // Nodes that are computed in one pass over a tile, in the order of the passes: arithmetic, or a
  // single operation or sum.
  std::vector<std::vector<std::size_t>> passes{};
  std::vector<std::vector<std::size_t>> readers{};  // of each node, inside, ascending
  std::vector<std::size_t> pass_of{};               // 0 for the first
  std::vector<std::size_t> last_use{};              // the last pass that reads a node from a slot
  std::vector<bool> in_slot{};  // something outside its own pass reads it, or it is written
  std::vector<Slot> free_buffers{};
  std::size_t time = 0;  // counts operations, in the order in which they see the memory

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
    std::vector<std::int64_t> ending(passes.size(), 0);
    std::int64_t alive = 0, most = 0;
    for (std::size_t pass = 0; pass < passes.size(); ++pass) {
      for (const std::size_t n : passes[pass])
        if (in_slot[n] && !written(group.nodes[n])) {
          ++alive;
          ++ending[last_use[n]];
        }
      most = std::max(most, alive);
      alive -= ending[pass];
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

  void find_readers() {
    readers.assign(none(), {});
    for (std::size_t n = 0; n < none(); ++n)
      for (const NodeId in : tape.node(group.nodes[n]).inputs)
        if (inside(in)) readers[place_in_group(in)].push_back(n);
  }

  // What reads only the memory is best computed where it is needed first; but not behind anything
  // that is written outside, for that may be over what it reads.
  std::vector<std::size_t> order() const {
    std::vector<std::size_t> at(none());
    std::size_t barrier = none();
    for (std::size_t n = none(); n-- > 0;) {
      const NodeId id = group.nodes[n];
      if (written(id)) barrier = n;
      at[n] = n;
      const auto& inputs = tape.node(id).inputs;
      if (written(id) || is_sum(id) ||
          std::ranges::any_of(inputs, [&](NodeId in) { return inside(in); }))
        continue;
      at[n] = readers[n].empty() ? n : std::min(readers[n].front(), barrier);
    }
    std::vector<std::size_t> result(none());
    std::iota(result.begin(), result.end(), std::size_t{0});
    std::ranges::stable_sort(result, {},
                             [&](std::size_t n) { return std::pair(at[n], at[n] == n); });
    return result;
  }

  // Arithmetic waits in an open pass until something needs its results from a slot. What does not
  // wait for it comes before it, unless it is written outside: that may be over something that the
  // open pass reads.
  void find_passes() {
    const ArithmeticChain smallest{{false}, {{Arithmetic::kNegate, 0, 0}}, {1}};
    const bool has_code = arithmetic_code<T>(smallest) != nullptr;
    std::vector<std::size_t> open, sums_of_open;
    const auto close = [&] {
      if (!open.empty()) passes.push_back(std::move(open));
      for (const std::size_t n : sums_of_open) passes.push_back({n});
      open.clear();
      sums_of_open.clear();
    };
    for (const std::size_t n : order()) {
      const NodeId id = group.nodes[n];
      const bool waits = std::ranges::any_of(tape.node(id).inputs, [&](NodeId in) {
        return inside(in) && std::ranges::find(open, place_in_group(in)) != open.end();
      });
      if (is_sum(id)) {
        if (waits)
          sums_of_open.push_back(n);
        else
          passes.push_back({n});
      } else if (!has_code || tape.node(id).op->arithmetic == Arithmetic::kNone) {
        if (waits || written(id)) close();
        passes.push_back({n});
      } else {
        open.push_back(n);
        if (open.size() == 1 || fits(open)) continue;
        open.pop_back();
        close();
        open.push_back(n);
      }
    }
    close();
  }

  void find_last_uses() {
    pass_of.assign(none(), 0);
    last_use.assign(none(), 0);
    in_slot.assign(none(), false);
    for (std::size_t pass = 0; pass < passes.size(); ++pass)
      for (const std::size_t n : passes[pass]) {
        pass_of[n] = pass;
        in_slot[n] = written(group.nodes[n]) && !is_sum(group.nodes[n]);
      }
    for (std::size_t pass = 0; pass < passes.size(); ++pass)
      for (const std::size_t n : passes[pass])
        for (const NodeId in : tape.node(group.nodes[n]).inputs) {
          if (!inside(in) || pass_of[place_in_group(in)] == pass) continue;
          in_slot[place_in_group(in)] = true;
          last_use[place_in_group(in)] = pass;
        }
  }

  // A pass as code: what it loads and stores, in the order of its places.
  struct Chain {
    ArithmeticChain code;
    std::vector<NodeId> loaded;
    std::vector<std::size_t> stored;
  };

  // `is_stored` and `is_number` say so of a place in the group and of a node.
  template <class IsStored, class IsNumber>
  Chain chain_of(const std::vector<std::size_t>& nodes, const IsStored& is_stored,
                 const IsNumber& is_number) const {
    Chain chain;
    const auto within = [&](NodeId id) {
      const auto at = inside(id) ? std::ranges::find(nodes, place_in_group(id)) : nodes.end();
      return static_cast<std::size_t>(at - nodes.begin());
    };
    for (const std::size_t n : nodes)
      for (const NodeId in : tape.node(group.nodes[n]).inputs)
        if (within(in) == nodes.size() &&
            std::ranges::find(chain.loaded, in) == chain.loaded.end()) {
          chain.loaded.push_back(in);
          chain.code.loads.push_back(is_number(in));
        }
    const auto value = [&](NodeId id) {
      const std::size_t loads = chain.loaded.size(), step = within(id);
      if (step < nodes.size()) return static_cast<std::uint8_t>(loads + step);
      return static_cast<std::uint8_t>(std::ranges::find(chain.loaded, id) - chain.loaded.begin());
    };
    for (const std::size_t n : nodes) {
      const Node& node = tape.node(group.nodes[n]);
      chain.code.steps.push_back(
          {node.op->arithmetic, value(node.inputs[0]),
           node.inputs.size() > 1 ? value(node.inputs[1]) : std::uint8_t{0}});
      if (!is_stored(n)) continue;
      chain.stored.push_back(n);
      chain.code.stored.push_back(value(group.nodes[n]));
    }
    return chain;
  }

  // Could these be one pass, if it ended here?
  bool fits(const std::vector<std::size_t>& nodes) const {
    constexpr std::size_t kMostNodes = 64;
    if (nodes.size() > kMostNodes) return false;
    const auto is_stored = [&](std::size_t n) {
      return written(group.nodes[n]) || std::ranges::any_of(readers[n], [&](std::size_t reader) {
               return std::ranges::find(nodes, reader) == nodes.end();
             });
    };
    const Chain chain = chain_of(nodes, is_stored, [](NodeId) { return false; });
    return chain.loaded.size() + chain.stored.size() <= kMostPlaces && fits_registers(chain.code);
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

  // Buffers of what is not needed after this pass.
  void give_back(std::size_t pass, std::span<const NodeId> operands) {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const NodeId in = operands[i];
      if (!inside(in) || last_use[place_in_group(in)] != pass) continue;
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
      if (!inside(in)) p.last_read_[read_of(in)] = time;
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
    step.run = runs::of<T>(*node.op->runs, simd())[numbers];
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

  void add_arithmetic(std::size_t pass) {
    const Chain chain = chain_of(
        passes[pass], [&](std::size_t n) { return in_slot[n]; },
        [&](NodeId id) { return one_number(id); });
    Step step;
    step.code = arithmetic_code<T>(chain.code);
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
    slot_of.assign(none(), 0);
    p.last_read_.assign(p.reads_.size(), 0);
    p.first_write_.assign(p.writes_.size(), 0);
    for (std::size_t pass = 0; pass < passes.size(); ++pass) {
      for (const std::size_t n : passes[pass]) note_time(n);
      const std::size_t first = passes[pass][0];
      if (passes[pass].size() > 1)
        add_arithmetic(pass);
      else if (is_sum(group.nodes[first]))
        add_sum(pass, first);
      else
        add_operation(pass, first);
    }
  }
};

template <class T>
TileProgram<T>::TileProgram(const Tape& tape, const TileGroup& group) {
  Builder builder{*this, tape, group};
  builder.find_reads();
  builder.find_readers();
  builder.find_passes();
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
