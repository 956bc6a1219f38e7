#include "autodiff/algebra/index_text.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "autodiff/error.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard::algebra {
namespace {

// Deeper expressions are cut by names.
constexpr int kDeepest = 6;

constexpr std::string_view kLetters = "ijklmnopqrstuvwxyzacdefgh";

struct Infix {
  std::string_view op, text;
};
constexpr std::array kInfix = {Infix{"less", " < "},   Infix{"less_equal", " <= "},
                               Infix{"equal", " == "}, Infix{"not_equal", " != "},
                               Infix{"and", " and "},  Infix{"or", " or "}};

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : between) + part;
  return text;
}

Indices without_empty(Indices indices) {
  std::erase(indices, "");
  return indices;
}

// Axes of size 1 aside, are both the same list?
bool adds_or_drops_ones(const Shape& a, const Shape& b) {
  std::vector<std::int64_t> x = a.sizes(), y = b.sizes();
  std::erase(x, 1);
  std::erase(y, 1);
  return x == y;
}

std::vector<bool> reduced(const Node& node, const Shape& operand) {
  std::vector<bool> gone(static_cast<std::size_t>(operand.rank()), false);
  for (const std::int64_t axis : node.attributes.integers("axes"))
    gone[static_cast<std::size_t>(axis + operand.rank())] = true;
  return gone;
}

bool is_reduction(const Node& node) {
  return node.op->name == "sum" || node.op->name == "max" || node.op->name == "min";
}

// Is what the op gives 0 or 1?
bool is_truth(const Op& op) {
  return op.name == "not" || std::ranges::find(kInfix, op.name, &Infix::op) != kInfix.end();
}

std::string sum_over(const std::string& op, const std::vector<std::string>& indices) {
  const std::string list = joined(indices, ",");
  return op + '_' + (indices.size() > 1 ? '{' + list + '}' : list) + ' ';
}

}  // namespace

std::string fresh_index(const std::set<std::string>& used) {
  for (int round = 0;; ++round)
    for (const char c : kLetters)
      if (const std::string index = c + (round == 0 ? "" : std::to_string(round));
          !used.contains(index))
        return index;
}

int place_of_index(const std::string& index) {
  if (index.empty() || index == "b") return 0;
  const int round = std::atoi(index.c_str() + 1);  // 0 without a number
  return 1 + round * static_cast<int>(kLetters.size()) + static_cast<int>(kLetters.find(index[0]));
}

Indices distinct(Indices indices) {
  for (std::size_t i = 0; i < indices.size(); ++i)
    while (!indices[i].empty() &&
           std::find(indices.begin(), indices.begin() + static_cast<std::ptrdiff_t>(i),
                     indices[i]) != indices.begin() + static_cast<std::ptrdiff_t>(i))
      indices[i] += '\'';
  return indices;
}

bool is_view(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  if (node.op->name == "transpose" || node.op->name == "broadcast_to") return true;
  return node.op->name == "reshape" &&
         adds_or_drops_ones(node.shape, tape.node(node.inputs[0]).shape);
}

std::string short_number(double x) {
  constexpr std::size_t kShort = 8;
  const std::string exact = number_text(x);
  if (exact.size() <= kShort) return exact;
  const double inverse = std::round(1 / x);
  if (std::abs(inverse) < 1e9 && std::abs(inverse * x - 1) < 1e-12)
    return cat(x < 0 ? "-1/" : "1/", number_text(std::abs(inverse)));
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), "%.6g", x);
  return buffer.data();
}

IndexText::IndexText(Tape& tape, std::span<const Expr> roots, std::set<std::string> taken)
    : tape_(tape), taken_(std::move(taken)) {
  std::unordered_map<NodeId, int> readers;
  for (const NodeId id : ancestors(tape, roots)) {
    if (const std::string name = name_of(id); !name.empty()) taken_.insert(name);
    for (const NodeId in : tape.node(id).inputs)
      if (++readers[in] > 1) shared_.insert(in);
  }
}

std::string IndexText::new_name(const std::string& prefix, bool with_number) {
  if (!with_number && taken_.insert(prefix).second) return prefix;
  for (int number = 1;; ++number)
    if (std::string name = cat(prefix, number); taken_.insert(name).second) return name;
}

std::string IndexText::name_of(NodeId id) const {
  if (const auto it = names_.find(id); it != names_.end()) return it->second;
  if (const std::string& label = tape_.label(id); !label.empty()) return label;
  const Node& node = tape_.node(id);
  return is_input(node) ? input_name(node) : "";
}

std::optional<double> IndexText::constant(NodeId id) const {
  // What is constant may be an expression of constants, such as 1 / 100.
  constexpr int kLargest = 64;
  while (is_view(tape_, id)) id = tape_.node(id).inputs[0];
  std::vector<NodeId> open{id};
  for (int seen = 0; !open.empty(); ++seen) {
    const Node& node = tape_.node(open.back());
    open.pop_back();
    const bool scalar = node.op->name == "constant" ||
                        (node.op->elementwise && !node.inputs.empty() && node.shape.rank() == 0);
    if (seen > kLargest || !scalar) return std::nullopt;
    open.insert(open.end(), node.inputs.begin(), node.inputs.end());
  }
  return evaluate<double>(tape_.expr(id))[0];
}

std::optional<View> IndexText::view(NodeId id, const Indices& indices) const {
  const Node& node = tape_.node(id);
  if (const auto k = only_operand(node))
    return View{node.inputs[*k], operand_indices(node, *k, indices)};
  if (!is_view(tape_, id)) return std::nullopt;
  const Shape& inner = tape_.node(node.inputs[0]).shape;
  View result{node.inputs[0], Indices(static_cast<std::size_t>(inner.rank()))};
  if (node.op->name == "transpose") {
    const auto& axes = node.attributes.integers("axes");
    for (std::size_t i = 0; i < axes.size(); ++i)
      result.indices[static_cast<std::size_t>(axes[i])] = indices[i];
  } else if (node.op->name == "broadcast_to") {
    result.indices = operand_indices(node, 0, indices);
  } else {
    int axis = 0;
    for (std::size_t i = 0; i < indices.size(); ++i) {
      if (node.shape[static_cast<int>(i)] == 1) continue;
      while (inner[axis] == 1) ++axis;
      result.indices[static_cast<std::size_t>(axis++)] = indices[i];
    }
  }
  return result;
}

// Number of the operand that an elementwise node hands on as it is.
std::optional<std::size_t> IndexText::only_operand(const Node& node) const {
  const bool product = node.op->name == "multiply";
  if (!product && node.op->name != "not_equal") return std::nullopt;
  for (const std::size_t k : {0u, 1u})
    if (constant(node.inputs[k]) == (product ? 1.0 : 0.0) &&
        (product || is_truth(*tape_.node(node.inputs[1 - k]).op)))
      return 1 - k;
  return std::nullopt;
}

bool IndexText::hands_on(NodeId id) const {
  return is_view(tape_, id) || only_operand(tape_.node(id)).has_value();
}

View IndexText::seen(View v) const {
  while (name_of(v.node).empty()) {
    const auto next = view(v.node, v.indices);
    if (!next) break;
    v = *next;
  }
  return v;
}

// The indices of an operand that is broadcast to the result: aligned at the end.
Indices IndexText::operand_indices(const Node& node, std::size_t k, const Indices& indices) const {
  const Shape& shape = tape_.node(node.inputs[k]).shape;
  const std::size_t rank = static_cast<std::size_t>(shape.rank());
  Indices result(rank);
  for (std::size_t i = 0; i < rank; ++i)
    if (shape[static_cast<int>(i)] != 1) result[i] = indices[indices.size() - rank + i];
  return result;
}

// An index to sum over, of this size: the suggested one, unless it means something else here.
std::string IndexText::enter(const std::string& suggested, std::int64_t size) {
  const auto before = sizes_.find(suggested);
  const bool fits = !suggested.empty() && !open_.contains(suggested) &&
                    (before == sizes_.end() || before->second == size);
  std::set<std::string> used = open_;
  for (const auto& [index, known] : sizes_) used.insert(index);
  const std::string index = fits ? suggested : fresh_index(used);
  open_.insert(index);
  sizes_[index] = size;
  return index;
}

void IndexText::leave(const std::vector<std::string>& inner) {
  for (const std::string& index : inner) open_.erase(index);
}

// ------------------------------------------------------------------------------ indices
int IndexText::example_axis(NodeId id) {
  if (const auto it = example_axes_.find(id); it != example_axes_.end()) return it->second;
  for (const NodeId i : ancestors(tape_, std::vector<Expr>{tape_.expr(id)})) {
    const Node& node = tape_.node(i);
    int& axis = example_axes_[i] = kNoAxis;
    if (is_input(node) && input_kind(node) == InputKind::kData && node.shape.rank() > 0) axis = 0;
    std::vector<const Shape*> shapes;
    std::vector<int> axes;
    for (const NodeId in : node.inputs) {
      shapes.push_back(&tape_.node(in).shape);
      axes.push_back(example_axes_.at(in));
    }
    if (std::ranges::any_of(axes, [](int a) { return a != kNoAxis; }))
      axis = std::max(kNoAxis, node.op->examples({shapes, axes, node.shape, node.attributes}));
  }
  return example_axes_.at(id);
}

Indices IndexText::indices(NodeId id, int depth) {
  if (const auto it = suggested_.find(id); it != suggested_.end()) return it->second;
  const Node& node = tape_.node(id);
  Indices result(static_cast<std::size_t>(node.shape.rank()));
  if (depth < kDeepest && (depth == 0 || name_of(id).empty())) result = from_operands(id, depth);
  std::set<std::string> used(result.begin(), result.end());
  for (std::size_t axis = 0; axis < result.size(); ++axis) {
    if (!result[axis].empty() || node.shape[static_cast<int>(axis)] == 1) continue;
    const bool example = example_axis(id) == static_cast<int>(axis) && !used.contains("b");
    result[axis] = example ? "b" : fresh_index(used);
    used.insert(result[axis]);
  }
  return suggested_[id] = distinct(result);
}

// What the operands of a node suggest for its axes; empty where they have nothing to say.
Indices IndexText::from_operands(NodeId id, int depth) {
  const Node& node = tape_.node(id);
  const std::size_t rank = static_cast<std::size_t>(node.shape.rank());
  Indices result(rank);
  const bool contraction = node.op->name == "contract";
  if (!node.op->elementwise && !is_view(tape_, id) && !is_reduction(node) && !contraction)
    return result;
  std::vector<Indices> of;
  for (const NodeId in : node.inputs)
    of.push_back(constant(in) ? Indices(static_cast<std::size_t>(tape_.node(in).shape.rank()))
                              : indices(in, depth + 1));
  const auto take = [&result](std::size_t axis, const std::string& index) {
    if (result[axis].empty()) result[axis] = index;
  };
  if (contraction) {
    const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
    for (std::size_t axis = 0; axis < rank; ++axis)
      for (std::size_t k = 0; k < of.size(); ++k)
        if (const auto at = s.inputs[k].find(s.output[axis]); at != std::string::npos)
          take(axis, of[k][at]);
  } else if (node.op->name == "transpose") {
    const auto& axes = node.attributes.integers("axes");
    for (std::size_t axis = 0; axis < rank; ++axis)
      take(axis, of[0][static_cast<std::size_t>(axes[axis])]);
  } else if (is_reduction(node)) {
    const std::vector<bool> gone = reduced(node, tape_.node(node.inputs[0]).shape);
    const bool keeps = node.attributes.integer("keepdims") != 0;
    std::size_t axis = 0;
    for (std::size_t i = 0; i < gone.size(); ++i) {
      if (!gone[i]) take(axis, of[0][i]);
      if (keeps || !gone[i]) ++axis;
    }
  } else if (node.op->name == "reshape") {
    const Indices inner = without_empty(of[0]);
    for (std::size_t axis = 0, next = 0; axis < rank; ++axis)
      if (node.shape[static_cast<int>(axis)] != 1) take(axis, inner[next++]);
  } else {
    // The operand with most axes knows them best.
    std::ranges::stable_sort(of, std::greater{}, &Indices::size);
    for (const Indices& in : of)
      for (std::size_t i = 0; i < in.size(); ++i) take(rank - in.size() + i, in[i]);
  }
  return result;
}

// ------------------------------------------------------------------------------ texts
IndexText::Text IndexText::reference(const std::string& name, const Indices& indices) {
  const Indices shown = without_empty(indices);
  if (!shown.empty() && shown != left_) as_left_ = false;
  if (shown.empty() || without_indices_) return {name, kAtom};
  return {cat(name, '[', joined(shown, ","), ']'), kAtom};
}

IndexText::Text IndexText::identity(const Indices& indices) {
  as_left_ = false;  // delta without indices would say nothing
  return indices[0] == indices[1] ? Text{"1", kAtom} : reference("delta", indices);
}

IndexText::Text IndexText::text_of(View v, int depth) {
  v = seen(std::move(v));
  if (const std::string name = name_of(v.node); !name.empty()) {
    if (!names_.contains(v.node) && std::ranges::find(used_names_, name) == used_names_.end())
      used_names_.push_back(name);
    if (v.indices.size() == static_cast<std::size_t>(tape_.node(v.node).shape.rank()))
      suggest(v.node, v.indices);
    return reference(name, v.indices);
  }
  if (const auto number = constant(v.node))
    return {short_number(*number), *number < 0 ? kAddition : kAtom};
  const Node& node = tape_.node(v.node);
  if (node.op->name == "eye") return identity(v.indices);
  if (depth < kDeepest && !shared_.contains(v.node)) return body(v.node, v.indices, depth + 1);
  name(v.node, new_name("u"));
  explain(v.node);
  return text_of(v, depth);
}

std::string IndexText::wrapped(View v, Level least, int depth) {
  const Text t = text_of(std::move(v), depth);
  return t.level < least ? '(' + t.text + ')' : t.text;
}

std::string IndexText::operand(View v, bool tightly) {
  return wrapped(std::move(v), tightly ? kPower : kLogic, 0);
}

std::string IndexText::written(NodeId id, const Indices& indices) {
  open_ = {indices.begin(), indices.end()};
  sizes_.clear();
  return body(id, indices, 0).text;
}

IndexText::Text IndexText::body(NodeId id, const Indices& indices, int depth) {
  const Node& node = tape_.node(id);
  if (const auto v = view(id, indices)) return text_of(*v, depth);
  if (node.op->name == "contract") return contraction(node, indices, depth);
  if (is_reduction(node)) return reduction(node, node.op->name, indices, depth);
  return node.op->elementwise ? elementwise(node, indices, depth) : opaque(node, indices);
}

// A sum divided by the number of its terms.
bool IndexText::is_mean(const Node& node) const {
  const NodeId sum = node.inputs[0];
  if (tape_.node(sum).op->name != "sum" || !name_of(sum).empty() || shared_.contains(sum))
    return false;
  const double terms = static_cast<double>(tape_.node(tape_.node(sum).inputs[0]).shape.size()) /
                       static_cast<double>(tape_.node(sum).shape.size());
  return constant(node.inputs[1]) == terms;
}

IndexText::Text IndexText::elementwise(const Node& node, const Indices& indices, int depth) {
  const auto in = [&](std::size_t k, Level least) {
    return wrapped({node.inputs[k], operand_indices(node, k, indices)}, least, depth);
  };
  const std::string_view op = node.op->name;
  if (op == "add") {
    std::string text;
    for (std::size_t k = 0; k < node.inputs.size(); ++k)
      text += (k ? " + " : "") + in(k, kAddition);
    return {text, kAddition};
  }
  if (op == "subtract") return {in(0, kAddition) + " - " + in(1, kSum), kAddition};
  if (op == "negate") return {'-' + in(0, kProduct), kAddition};
  if (op == "multiply") return {in(0, kProduct) + " * " + in(1, kProduct), kProduct};
  if (op == "divide" && is_mean(node))
    return reduction(tape_.node(node.inputs[0]), "mean", operand_indices(node, 0, indices), depth);
  if (op == "divide") return {in(0, kProduct) + " / " + in(1, kPower), kProduct};
  if (op == "square") return {in(0, kAtom) + "^2", kPower};
  if (op == "power") return {in(0, kAtom) + '^' + in(1, kAtom), kPower};
  if (op == "power_constant")
    return {in(0, kAtom) + '^' + short_number(node.attributes.number("exponent")), kPower};
  if (const auto infix = std::ranges::find(kInfix, op, &Infix::op); infix != kInfix.end()) {
    const bool logic = op == "and" || op == "or";
    const Level level = logic ? kLogic : kComparison;
    const Level least = logic ? kComparison : kAddition;
    return {in(0, least) + std::string(infix->text) + in(1, least), level};
  }
  std::vector<std::string> operands;
  for (std::size_t k = 0; k < node.inputs.size(); ++k) operands.push_back(in(k, kLogic));
  return {cat(op, '(', joined(operands, ", "), ')'), kAtom};
}

IndexText::Text IndexText::contraction(const Node& node, const Indices& indices, int depth) {
  const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
  std::unordered_map<char, std::string> index;
  for (std::size_t i = 0; i < indices.size(); ++i) index[s.output[i]] = indices[i];
  std::vector<std::string> inner;
  for (std::size_t k = 0; k < node.inputs.size(); ++k) {
    const auto suggestion = suggested_.find(node.inputs[k]);
    for (std::size_t i = 0; i < s.inputs[k].size(); ++i) {
      const char c = s.inputs[k][i];
      if (index.contains(c)) continue;
      if (tape_.node(node.inputs[k]).shape[static_cast<int>(i)] == 1) {
        index[c] = "";
        continue;
      }
      const std::string suggested = suggestion == suggested_.end() ? "" : suggestion->second[i];
      index[c] = enter(suggested, tape_.node(node.inputs[k]).shape[static_cast<int>(i)]);
      inner.push_back(index[c]);
    }
  }
  std::vector<View> views;
  for (std::size_t k = 0; k < node.inputs.size(); ++k) {
    views.push_back({node.inputs[k], {}});
    for (const char c : s.inputs[k]) views.back().indices.push_back(index.at(c));
  }
  std::vector<std::string> factors;
  if (views.size() == 2 && views[0] == views[1])
    factors = {wrapped(views[0], kAtom, depth) + "^2"};
  else
    for (const View& v : views) factors.push_back(wrapped(v, kFactors, depth));
  leave(inner);
  const std::string product = joined(factors, " ");
  if (!inner.empty()) return {sum_over("sum", inner) + product, kSum};
  return {product, factors.size() > 1 ? kFactors : kPower};
}

IndexText::Text IndexText::reduction(const Node& node, std::string_view name,
                                     const Indices& indices, int depth) {
  const Shape& operand = tape_.node(node.inputs[0]).shape;
  const std::vector<bool> gone = reduced(node, operand);
  const bool keeps = node.attributes.integer("keepdims") != 0;
  const auto suggestion = suggested_.find(node.inputs[0]);
  View v{node.inputs[0], {}};
  std::vector<std::string> inner;
  std::size_t axis = 0;
  for (std::size_t i = 0; i < gone.size(); ++i) {
    std::string index = gone[i] ? "" : indices[axis];
    if (gone[i] && operand[static_cast<int>(i)] != 1) {
      if (suggestion != suggested_.end()) index = suggestion->second[i];
      index = enter(index, operand[static_cast<int>(i)]);
      inner.push_back(index);
    }
    if (keeps || !gone[i]) ++axis;
    v.indices.push_back(index);
  }
  if (inner.empty()) return text_of(std::move(v), depth);
  const std::string terms = wrapped(std::move(v), kProduct, depth);
  leave(inner);
  return {sum_over(std::string(name), inner) + terms, kSum};
}

// Anything else is called by its op. Its operands have indices of their own.
IndexText::Text IndexText::opaque(const Node& node, const Indices& indices) {
  std::vector<std::string> operands;
  for (const NodeId in : node.inputs) {
    if (const auto number = constant(in)) {
      operands.push_back(short_number(*number));
    } else if (tape_.node(in).op->name == "eye") {
      operands.emplace_back("delta");
    } else {
      if (name_of(in).empty()) {
        name(in, new_name("u"));
        explain(in);
      }
      operands.push_back(text_of({in, {}}, 0).text);
    }
  }
  std::string call = cat(node.op->name, '(', joined(operands, ", "));
  if (!node.attributes.empty()) call += cat(operands.empty() ? "" : "; ", node.attributes);
  return reference(call + ')', indices);
}

std::string IndexText::definition(NodeId id) {
  const Indices indices = this->indices(id);
  left_ = without_empty(indices);
  as_left_ = true;
  std::string right = written(id, indices);
  if (as_left_) {
    without_indices_ = true;
    right = written(id, indices);
    without_indices_ = false;
  }
  return reference(names_.at(id), indices).text + " = " + right;
}

std::vector<std::string> IndexText::definitions() {
  std::vector<std::string> texts;
  for (; !pending_.empty(); pending_.pop_front()) texts.push_back(definition(pending_.front()));
  return texts;
}

}  // namespace jacquard::algebra
