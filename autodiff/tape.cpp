#include "autodiff/tape.hpp"

#include <algorithm>

#include "autodiff/error.hpp"

namespace jacquard {
namespace {

std::size_t hash_of(const Op& op, const std::vector<NodeId>& inputs, const Attributes& attributes) {
  std::size_t h = std::hash<const Op*>{}(&op);
  for (const NodeId id : inputs) h = hash_combine(h, static_cast<std::size_t>(id));
  return hash_combine(h, attributes.hash());
}

Shape infer_shape(const Tape& tape, const Op& op, const std::vector<NodeId>& inputs,
                  const Attributes& attributes) {
  std::vector<const Shape*> shapes;
  shapes.reserve(inputs.size());
  for (const NodeId id : inputs) shapes.push_back(&tape.node(id).shape);
  return op.shape(op, shapes, attributes);
}

}  // namespace

const Shape& Expr::shape() const { return tape->node(id).shape; }
const Op& Expr::op() const { return *tape->node(id).op; }

constinit const Op input_op{
    .name = "input",
    .arity = 0,
    .shape = [](const Op&, std::span<const Shape* const>,
                const Attributes& attributes) { return Shape(attributes.integers("shape")); },
    .derivative = [](const Call&, Expr) { return std::vector<Expr>{}; },
    .examples = [](const ExampleCall&) { return kNoAxis; },
};

Expr Tape::append(const Op& op, std::vector<Expr> inputs, Attributes attributes) {
  if (op.arity != kAnyArity && inputs.size() != static_cast<std::size_t>(op.arity))
    throw InternalError(cat(op.name, ": ", inputs.size(), " inputs for an op of arity ", op.arity));
  std::vector<NodeId> ids;
  ids.reserve(inputs.size());
  for (const Expr& e : inputs) {
    if (e.tape != this)
      throw Error(cat(op.name,
                      ": an operand stands on another tape or is empty; expressions of "
                      "one cost must be written on one tape"));
    ids.push_back(e.id);
  }
  if (op.commutative) std::ranges::sort(ids);
  const std::size_t hash = hash_of(op, ids, attributes);
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto it = first; it != last; ++it) {
    const Node& found = node(it->second);
    if (found.op == &op && found.inputs == ids && found.attributes == attributes)
      return {this, it->second};
  }
  if (nodes_.size() >= kMaxNodes)
    throw Error(cat("tape: more than ", kMaxNodes,
                    " nodes; a derivative of high order or a loop of definitions is too large"));
  Shape shape = infer_shape(*this, op, ids, attributes);
  const NodeId id = static_cast<NodeId>(nodes_.size());
  nodes_.push_back({&op, std::move(ids), std::move(attributes), std::move(shape)});
  by_hash_.emplace(hash, id);
  return {this, id};
}

Expr Tape::input(const std::string& name, Shape shape, InputKind kind) {
  Attributes attributes{
      {"name", name}, {"kind", static_cast<std::int64_t>(kind)}, {"shape", shape.sizes()}};
  if (const auto it = inputs_.find(name); it != inputs_.end()) {
    const Node& found = node(it->second);
    if (!(found.attributes == attributes))
      throw Error(cat("tape: input '", name, "' exists with shape ", found.shape,
                      " and is declared again with shape ", shape,
                      " or as another kind; use another name"));
    return {this, it->second};
  }
  const Expr e = append(input_op, {}, std::move(attributes));
  inputs_.emplace(name, e.id);
  label(e, name);
  return e;
}

void Tape::label(Expr e, const std::string& name) { labels_.try_emplace(e.id, name); }

const std::string& Tape::label(NodeId id) const {
  static const std::string none;
  const auto it = labels_.find(id);
  return it == labels_.end() ? none : it->second;
}

std::string Tape::describe(NodeId id) const {
  const std::string& name = label(id);
  return name.empty() ? cat('%', id) : cat('%', id, " '", name, "'");
}

bool is_input(const Node& node) { return node.op == &input_op; }
const std::string& input_name(const Node& node) { return node.attributes.text("name"); }
InputKind input_kind(const Node& node) {
  return static_cast<InputKind>(node.attributes.integer("kind"));
}

std::vector<NodeId> ancestors(const Tape& tape, std::span<const Expr> roots) {
  std::vector<bool> seen(tape.size(), false);
  std::vector<NodeId> stack, found;
  for (const Expr& root : roots) stack.push_back(root.id);
  while (!stack.empty()) {
    const NodeId id = stack.back();
    stack.pop_back();
    if (seen[static_cast<std::size_t>(id)]) continue;
    seen[static_cast<std::size_t>(id)] = true;
    found.push_back(id);
    for (const NodeId in : tape.node(id).inputs) stack.push_back(in);
  }
  std::ranges::sort(found);
  return found;
}

std::vector<bool> dependents(const Tape& tape, std::span<const Expr> sources, NodeId last) {
  std::vector<bool> marks(static_cast<std::size_t>(last) + 1, false);
  NodeId first = last + 1;
  for (const Expr& source : sources) {
    if (source.id > last) continue;
    marks[static_cast<std::size_t>(source.id)] = true;
    first = std::min(first, source.id);
  }
  for (NodeId id = first; id <= last; ++id)
    for (const NodeId in : tape.node(id).inputs)
      if (marks[static_cast<std::size_t>(in)]) marks[static_cast<std::size_t>(id)] = true;
  return marks;
}

void verify(const Tape& tape) {
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
    const Node& node = tape.node(id);
    if (node.op->arity != kAnyArity &&
        node.inputs.size() != static_cast<std::size_t>(node.op->arity))
      throw InternalError(cat("verify: %", id, " ", node.op->name, " has ", node.inputs.size(),
                              " inputs, its op takes ", node.op->arity));
    for (const NodeId in : node.inputs)
      if (in < 0 || in >= id)
        throw InternalError(
            cat("verify: %", id, " ", node.op->name, " reads %", in, ", which comes later"));
    const Shape shape = infer_shape(tape, *node.op, node.inputs, node.attributes);
    if (!(shape == node.shape))
      throw InternalError(cat("verify: %", id, " ", node.op->name, " has shape ", node.shape,
                              ", its op gives ", shape));
  }
}

}  // namespace jacquard
