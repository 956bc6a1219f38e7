#include "autodiff/chunk_region.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "autodiff/subscripts.hpp"

namespace jacquard {
namespace {

using OperandAxes = std::vector<int>;

std::size_t index(NodeId id) { return static_cast<std::size_t>(id); }

// ---------------------------------------------------------------- parts of one node
// The axis of the result that follows an axis of operand i; kNoAxis or kMixes where none does.
int axis_after(const Tape& tape, const Node& node, std::size_t i, int axis) {
  if (node.op->examples == nullptr) return kMixes;
  std::vector<const Shape*> shapes;
  for (const NodeId in : node.inputs) shapes.push_back(&tape.node(in).shape);
  OperandAxes axes(node.inputs.size(), kNoAxis);
  axes[i] = axis;
  return node.op->examples({shapes, axes, node.shape, node.attributes});
}

// The axes of the operands of which a part of the result along `axis` needs a part; nullopt where
// parts of the operands do not give it.
std::optional<OperandAxes> carried(const Tape& tape, const Node& node, int axis) {
  OperandAxes axes(node.inputs.size(), kNoAxis);
  bool any = node.op->name == "broadcast_to";  // may be stretched along the axis
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const Shape& shape = tape.node(node.inputs[i]).shape;
    for (int a = 0; a < shape.rank(); ++a) {
      if (shape[a] != node.shape[axis] || axis_after(tape, node, i, a) != axis) continue;
      if (axes[i] != kNoAxis) return std::nullopt;  // a diagonal: its rows are no slice
      axes[i] = a;
      any = true;
    }
  }
  if (!any) return std::nullopt;
  return axes;
}

// The same for a node whose value is the sum of what it gives for all parts along `axis` of operand
// i; nullopt where it is not.
std::optional<OperandAxes> summed(const Tape& tape, const Node& node, std::size_t i, int axis) {
  if (node.op->name == "sum") {
    const auto& axes = node.attributes.integers("axes");
    const int rank = tape.node(node.inputs[0]).shape.rank();
    if (std::ranges::find(axes, axis - rank) == axes.end()) return std::nullopt;
    return OperandAxes{axis};
  }
  if (node.op->name != "contract") return std::nullopt;
  const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
  const char label = s.inputs[i][static_cast<std::size_t>(axis)];
  if (s.output.find(label) != std::string::npos) return std::nullopt;
  OperandAxes axes;
  for (const std::string& in : s.inputs) {
    if (std::ranges::count(in, label) > 1) return std::nullopt;
    const std::size_t at = in.find(label);
    axes.push_back(at == std::string::npos ? kNoAxis : static_cast<int>(at));
  }
  return axes;
}

}  // namespace

// ---------------------------------------------------------------- memory
SizedGraph::SizedGraph(const Graph& g, const ChunkOptions& options)
    : graph(g),
      tape(*g.tape),
      target(static_cast<double>(options.bytes)),
      bytes_per_number(static_cast<double>(options.bytes_per_number)),
      bytes(tape.size(), 0),
      readers(tape.size()) {
  for (NodeId id = 0; id < size(); ++id) {
    const Node& node = tape.node(id);
    if (!is_input(node))
      bytes[index(id)] = static_cast<double>(node.shape.size()) * bytes_per_number;
    for (const NodeId in : node.inputs)
      if (readers[index(in)].empty() || readers[index(in)].back() != id)
        readers[index(in)].push_back(id);
  }
}

double most_alive(const Tape& tape, const std::vector<NodeId>& order,
                  const std::vector<double>& bytes, std::span<const Expr> kept) {
  constexpr std::size_t kForever = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> last(tape.size(), kForever);
  for (std::size_t at = 0; at < order.size(); ++at)
    for (const NodeId in : tape.node(order[at]).inputs) last[index(in)] = at;
  for (const Expr& e : kept) last[index(e.id)] = kForever;
  std::vector<bool> alive(tape.size(), false);
  double now = 0, most = 0;
  for (std::size_t at = 0; at < order.size(); ++at) {
    const Node& node = tape.node(order[at]);
    const bool in_place = node.op->elementwise || node.op->name == "reshape";
    double freed = 0, taken = 0;
    for (const NodeId in : node.inputs) {
      if (!alive[index(in)] || last[index(in)] != at) continue;
      alive[index(in)] = false;
      freed += bytes[index(in)];
      if (in_place && tape.node(in).shape.size() == node.shape.size()) taken = bytes[index(in)];
    }
    alive[index(order[at])] = true;
    now += bytes[index(order[at])] - taken;
    most = std::max(most, now);
    now -= freed - taken;
  }
  return most;
}

// ---------------------------------------------------------------- which nodes
std::optional<Region> Region::around(const SizedGraph& graph, NodeId seed, int axis,
                                     std::vector<bool>& whole) {
  // Parts that are joined are there twice. What is of the seed's size is better left as it is, and
  // then what it is made of has to be there as well.
  const double most_kept = std::max(graph.target, graph.bytes[index(seed)] / 4);
  whole.assign(graph.tape.size(), false);
  for (;;) {
    Region region(graph, seed, axis, whole);
    if (!region.carries(seed)) return std::nullopt;
    if (!region.drop_kept(most_kept, whole)) {
      region.plan_stages();
      region.choose_rows();
      return region;
    }
  }
}

Region::Region(const SizedGraph& graph, NodeId seed, int axis, const std::vector<bool>& whole)
    : graph_(&graph),
      extent_(graph.tape.node(seed).shape[axis]),
      axis_(graph.tape.size(), kNoAxis),
      sums_(graph.tape.size(), false),
      kept_(graph.tape.size(), false),
      whole_(whole),
      operands_(graph.tape.size()),
      stage_(graph.tape.size(), 0) {
  enter(seed, axis);
  spread();
  drop_small();
  find_kept();
}

bool Region::enter(NodeId v, int axis) {
  if (contains(v) || whole_[index(v)] || node(v).inputs.empty()) return false;
  auto operands = carried(graph_->tape, node(v), axis);
  if (!operands) return false;
  axis_[index(v)] = axis;
  operands_[index(v)] = std::move(*operands);
  // Where ways meet that carry different axes, that of the large nodes is taken.
  graph_->large(v) ? open_.push_front(v) : open_.push_back(v);
  return true;
}

// v reads a node that carries the axis as its operand i.
bool Region::enter_carrying(NodeId v, std::size_t i) {
  const int after = axis_after(graph_->tape, node(v), i, axis(node(v).inputs[i]));
  return after >= 0 && enter(v, after);
}

bool Region::enter_summing(NodeId v, std::size_t i) {
  if (contains(v)) return false;
  auto operands = summed(graph_->tape, node(v), i, axis(node(v).inputs[i]));
  if (!operands) return false;
  sums_[index(v)] = true;
  operands_[index(v)] = std::move(*operands);
  open_.push_back(v);
  return true;
}

// Everything that carries the axis together with the seed, and the sums of what is large.
void Region::spread() {
  while (!open_.empty()) {
    const NodeId v = open_.front();
    open_.pop_front();
    for (std::size_t i = 0; i < node(v).inputs.size(); ++i)
      if (operand_axis(v, i) != kNoAxis) enter(node(v).inputs[i], operand_axis(v, i));
    if (!carries(v)) continue;
    for (const NodeId reader : graph_->readers[index(v)])
      for (std::size_t i = 0; i < node(reader).inputs.size(); ++i)
        if (node(reader).inputs[i] == v && !enter_carrying(reader, i) && graph_->large(v))
          enter_summing(reader, i);
  }
}

// Small nodes stay in the region where they are what is left of a large one, or stand between two
// of them. All others are computed whole, and cut where parts of them are read.
void Region::drop_small() {
  std::vector<bool> depends(graph_->tape.size(), false), needed(graph_->tape.size(), false),
      left(graph_->tape.size(), false);
  const auto for_parts = [&](NodeId v, const auto& act) {
    for (std::size_t i = 0; carries(v) && i < node(v).inputs.size(); ++i)
      if (reads_part(v, i)) act(node(v).inputs[i]);
  };
  for (NodeId v = 0; v < graph_->size(); ++v)
    for_parts(v, [&](NodeId in) {
      if (graph_->large(in)) left[index(v)] = true;
      if (graph_->large(in) || depends[index(in)]) depends[index(v)] = true;
    });
  for (NodeId v = graph_->size() - 1; v >= 0; --v)
    for_parts(v, [&](NodeId in) {
      if (graph_->large(v) || needed[index(v)]) needed[index(in)] = true;
    });
  for (NodeId v = 0; v < graph_->size(); ++v)
    if (!graph_->large(v) && !left[index(v)] && !(depends[index(v)] && needed[index(v)]))
      axis_[index(v)] = kNoAxis;
}

bool Region::reads_part(NodeId v, std::size_t i) const {
  const NodeId in = node(v).inputs[i];
  return contains(v) && carries(in) && operand_axis(v, i) == axis(in);
}

bool Region::reads_parts(NodeId v) const {
  for (std::size_t i = 0; i < node(v).inputs.size(); ++i)
    if (reads_part(v, i)) return true;
  return false;
}

void Region::find_kept() {
  for (NodeId v = 0; v < graph_->size(); ++v)
    for (std::size_t i = 0; i < node(v).inputs.size(); ++i)
      if (const NodeId in = node(v).inputs[i]; carries(in) && !reads_part(v, i))
        kept_[index(in)] = true;
  for (const Expr& root : graph_->graph.roots)
    if (carries(root.id)) kept_[index(root.id)] = true;
  // Cutting a whole value costs no more than joining or adding its parts.
  for (NodeId v = 0; v < graph_->size(); ++v)
    if ((is_kept(v) || sums(v)) && !reads_parts(v)) {
      axis_[index(v)] = kNoAxis;
      sums_[index(v)] = kept_[index(v)] = false;
    }
}

// Adds to `whole` what is larger than this and kept, and all that this makes so.
bool Region::drop_kept(double most, std::vector<bool>& whole) {
  bool any = false;
  for (NodeId v = graph_->size() - 1; v >= 0; --v) {
    if (!is_kept(v) || graph_->bytes[index(v)] <= most) continue;
    whole[index(v)] = any = true;
    for (std::size_t i = 0; i < node(v).inputs.size(); ++i)
      if (reads_part(v, i)) kept_[index(node(v).inputs[i])] = true;
  }
  return any;
}

// ---------------------------------------------------------------- stages
bool Region::computes_part(NodeId v, std::size_t i, std::size_t stage) const {
  const NodeId in = node(v).inputs[i];
  return reads_part(v, i) && !(is_kept(in) && stage_of(in) < stage);
}

// A node belongs to the stage after those of all whole values of the region that it depends on.
void Region::plan_stages() {
  std::size_t count = 0;
  for (NodeId v = 0; v < graph_->size(); ++v) {
    for (std::size_t i = 0; i < node(v).inputs.size(); ++i) {
      const NodeId in = node(v).inputs[i];
      const std::size_t later = contains(in) && !reads_part(v, i) ? 1 : 0;
      stage_[index(v)] = std::max(stage_[index(v)], stage_of(in) + later);
    }
    if (contains(v)) count = std::max(count, stage_of(v) + 1);
  }
  stages_.resize(count);
  // The last one first: it says what earlier ones have to keep.
  for (std::size_t stage = count; stage-- > 0;) stages_[stage] = needed_in(stage);
}

// Large values of earlier stages are computed again, small ones are kept from there.
std::vector<NodeId> Region::needed_in(std::size_t stage) {
  std::vector<bool> needed(graph_->tape.size(), false);
  std::vector<NodeId> order;
  for (NodeId v = graph_->size() - 1; v >= 0; --v) {
    if (stage_of(v) == stage && (sums(v) || is_kept(v))) needed[index(v)] = true;
    if (!needed[index(v)]) continue;
    order.push_back(v);
    for (std::size_t i = 0; i < node(v).inputs.size(); ++i) {
      if (!reads_part(v, i)) continue;
      const NodeId in = node(v).inputs[i];
      if (stage_of(in) < stage && !graph_->large(in)) kept_[index(in)] = true;
      if (computes_part(v, i, stage)) needed[index(in)] = true;
    }
  }
  std::ranges::reverse(order);
  return order;
}

// As few chunks as keep what lives of one of them below the target, of nearly equal sizes.
void Region::choose_rows() {
  std::vector<double> row(graph_->tape.size(), 0);
  for (NodeId v = 0; v < graph_->size(); ++v)
    if (carries(v)) row[index(v)] = graph_->bytes[index(v)] / static_cast<double>(extent_);
  for (const auto& stage : stages_)
    row_bytes_ = std::max(row_bytes_, most_alive(graph_->tape, stage, row));
  const auto rows = static_cast<std::int64_t>(graph_->target / row_bytes_);
  const std::int64_t most = std::clamp<std::int64_t>(rows, 1, (extent_ + 1) / 2);
  const std::int64_t count = (extent_ + most - 1) / most;
  rows_ = (extent_ + count - 1) / count;
  // Products of stacks give each thread some of the rows.
  if (rows_ > 4) rows_ -= rows_ % 2;
}

double Region::nodes() const {
  double count = 0;
  for (const auto& stage : stages_) count += static_cast<double>(stage.size());
  return count * static_cast<double>(chunks());
}

// ---------------------------------------------------------------- which region
bool Region::better_than(const Region& other) const {
  const auto rank = [](const Region& r) {
    return std::tuple(-r.covered(), !r.fits(), -r.contiguous(), r.copied());
  };
  return rank(*this) < rank(other);
}

double Region::covered() const {
  double total = 0;
  for (NodeId v = 0; v < graph_->size(); ++v)
    if (carries(v) && graph_->too_large(v)) total += graph_->bytes[index(v)];
  return total;
}

// Bytes of large values whose parts lie in one piece: kernels walk them in long runs.
double Region::contiguous() const {
  double total = 0;
  for (NodeId v = 0; v < graph_->size(); ++v) {
    if (!carries(v) || !graph_->large(v)) continue;
    const auto before = node(v).shape.begin();
    if (std::all_of(before, before + axis(v), [](std::int64_t size) { return size == 1; }))
      total += graph_->bytes[index(v)];
  }
  return total;
}

bool Region::fits() const { return row_bytes_ * static_cast<double>(rows_) <= graph_->target; }

// Bytes that are moved because of the chunks: sums read and written, parts cut and joined, values
// computed again.
double Region::copied() const {
  double total = 0;
  for (std::size_t stage = 0; stage < stages_.size(); ++stage)
    for (const NodeId v : stages_[stage]) {
      const double bytes = graph_->bytes[index(v)];
      if (sums(v)) total += 3 * bytes * static_cast<double>(chunks());
      if (carries(v) && (is_kept(v) || stage_of(v) != stage)) total += 2 * bytes;
      for (std::size_t i = 0; i < node(v).inputs.size(); ++i)
        if (operand_axis(v, i) != kNoAxis && !computes_part(v, i, stage))
          total += 2 * static_cast<double>(node(node(v).inputs[i]).shape.size()) *
                   graph_->bytes_per_number;
    }
  return total;
}

}  // namespace jacquard
