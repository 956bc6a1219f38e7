#include "autodiff/algebra/simplify.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>

#include "autodiff/algebra/emit.hpp"
#include "autodiff/elementwise.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard {
namespace {

using algebra::Factor;
using algebra::Form;
using algebra::kNoLabel;
using algebra::Label;
using algebra::Labels;

// The label of each axis of an operand that is read aligned with a result of `rank` axes.
Label aligned(const std::vector<Label>& output, int rank, int axis) {
  const int at = axis - (rank - static_cast<int>(output.size()));
  return at < 0 ? kNoLabel : output[static_cast<std::size_t>(at)];
}

std::optional<double> constant_value(const Tape& tape, Expr e) {
  const Node& node = tape.node(e);
  if (node.op->name != "constant") return std::nullopt;
  return node.attributes.number("value");
}

class Simplifier {
 public:
  explicit Simplifier(Tape& tape) : tape_(tape) {}

  std::vector<Expr> run(const std::vector<Expr>& roots) {
    const std::vector<NodeId> order = ancestors(tape_, roots);
    for (const NodeId id : order) {
      const Node& node = tape_.node(id);
      std::optional<Form> form = read(id, node);
      if (form && form->factors.size() + form->half.size() <= kMostFactors) {
        algebra::eliminate_identities(*form, labels_);
        algebra::merge_factors(*form);
        forms_.emplace(id, std::move(*form));
      } else {
        values_[id] = copy(id, node);
      }
    }
    std::vector<Expr> result;
    for (const Expr& root : roots) result.push_back(value(root.id));
    return result;
  }

 private:
  static constexpr std::size_t kMostFactors = 120;

  const Form* form_of(NodeId id) const {
    const auto it = forms_.find(id);
    return it == forms_.end() ? nullptr : &it->second;
  }

  // The node itself, written out where it was kept as a form.
  Expr value(NodeId id) {
    if (const auto it = values_.find(id); it != values_.end()) return it->second;
    const Node& node = tape_.node(id);
    Expr e = algebra::emit(tape_, forms_.at(id), labels_, node.shape);
    if (!e) e = copy(id, node);
    return values_[id] = e;
  }

  Expr copy(NodeId id, const Node& node) {
    bool same = true;
    std::vector<Expr> in;
    for (const NodeId i : node.inputs) {
      in.push_back(value(i));
      same = same && in.back().id == i;
    }
    if (same) return tape_.expr(id);
    const Expr e = tape_.append(*node.op, in, node.attributes);
    if (!tape_.label(id).empty()) tape_.label(e, tape_.label(id));
    return e;
  }

  // ------------------------------------------------------------ nodes as forms
  std::optional<Form> read(NodeId id, const Node& node) {
    const std::string_view op = node.op->name;
    if (op == "eye") return leaf(tape_.expr(id));
    if (op == "slice") return window(id, node);
    if (op == "concat") return rejoined(node);
    const bool structured =
        std::ranges::any_of(node.inputs, [&](NodeId i) { return forms_.contains(i); });
    if (op == "contract" && (structured || is_outer(node))) return read_contract(node);
    if (!structured) return std::nullopt;
    if (op == "multiply") return read_multiply(node, node.inputs[0], node.inputs[1]);
    if (op == "divide") return read_divide(node);
    if (op == "negate") return negated(*form_of(node.inputs[0]));
    if (op == "square") return read_square(node);
    if (op == "where") return read_where(node);
    if (op == "add" || op == "subtract") return read_sum(node);
    if (op == "sum") return read_reduction(node);
    if (op == "reshape") return read_reshape(node);
    if (op == "transpose") return read_transpose(node);
    if (op == "broadcast_to") return read_broadcast(node);
    return std::nullopt;
  }

  Form leaf(Expr e) {
    Form form;
    Factor factor{e, {}};
    for (const std::int64_t n : e.shape())
      factor.labels.push_back(n == 1 ? kNoLabel : labels_.add(n));
    form.output = factor.labels;
    form.factors.push_back(std::move(factor));
    return form;
  }

  static Form negated(Form form) {
    form.coefficient = -form.coefficient;
    return form;
  }

  static Expr scale_product(Expr a, Expr b) { return !a ? b : !b ? a : a * b; }

  // A form of an operand: its own, or the node as one factor.
  Form operand(NodeId id) {
    const Form* form = form_of(id);
    if (form == nullptr) {
      if (tape_.node(id).shape.rank() > 0) return leaf(value(id));
      Form number;
      number.scale = value(id);
      return number;
    }
    Form copy = *form;
    algebra::refresh_inner(copy, labels_);
    return copy;
  }

  std::optional<Form> multiplied(const Node& node, Form a, Form b) {
    if (!a.half.empty() && !b.half.empty()) return std::nullopt;
    // Outputs get names of their own before they are brought together: one node may be both.
    for (Label l : std::vector<Label>(b.output))
      if (l != kNoLabel) algebra::rename(b, l, labels_.add(labels_.size(l)));
    Form result;
    const int rank = node.shape.rank();
    for (int axis = 0; axis < rank; ++axis) {
      const Label in_a = aligned(a.output, rank, axis), in_b = aligned(b.output, rank, axis);
      if (in_a != kNoLabel && in_b != kNoLabel) algebra::rename(b, in_b, in_a);
    }
    for (int axis = 0; axis < rank; ++axis) {
      const Label in_a = aligned(a.output, rank, axis), in_b = aligned(b.output, rank, axis);
      result.output.push_back(in_a != kNoLabel ? in_a : in_b);
    }
    result.coefficient = a.coefficient * b.coefficient;
    result.scale = scale_product(a.scale, b.scale);
    for (const Form* f : {&a, &b}) {
      result.factors.insert(result.factors.end(), f->factors.begin(), f->factors.end());
      result.half.insert(result.half.end(), f->half.begin(), f->half.end());
      result.shared.insert(result.shared.end(), f->shared.begin(), f->shared.end());
    }
    return result;
  }

  std::optional<Form> read_multiply(const Node& node, NodeId a, NodeId b) {
    if (a == b) return read_square_of(a);
    return multiplied(node, operand(a), operand(b));
  }

  std::optional<Form> read_divide(const Node& node) {
    if (!forms_.contains(node.inputs[0]) || forms_.contains(node.inputs[1])) return std::nullopt;
    const Expr divisor = value(node.inputs[1]);
    if (divisor.shape().rank() == 0) {
      Form form = *form_of(node.inputs[0]);
      form.scale = form.scale ? form.scale / divisor : 1.0 / divisor;
      return form;
    }
    return multiplied(node, operand(node.inputs[0]), leaf(1.0 / divisor));
  }

  std::optional<Form> read_square(const Node& node) { return read_square_of(node.inputs[0]); }
  std::optional<Form> read_square_of(NodeId id) {
    if (!form_of(id) || !form_of(id)->half.empty()) return std::nullopt;
    return algebra::squared(operand(id));
  }

  // where(mask, form, 0): the mask is a factor of 0 and 1.
  std::optional<Form> read_where(const Node& node) {
    const auto zero = constant_value(tape_, tape_.expr(node.inputs[2]));
    if (!zero || *zero != 0 || !forms_.contains(node.inputs[1]) || forms_.contains(node.inputs[0]))
      return std::nullopt;
    const Expr mask = not_equal(value(node.inputs[0]), constant(tape_, 0.0));
    return multiplied(node, operand(node.inputs[1]), leaf(mask));
  }

  std::optional<Form> read_sum(const Node& node) {
    if (!std::ranges::all_of(node.inputs, [&](NodeId i) {
          return forms_.contains(i) && tape_.node(i).shape == node.shape;
        }))
      return std::nullopt;
    Form total = operand(node.inputs[0]);
    const double sign = node.op->name == "subtract" ? -1 : 1;
    for (std::size_t i = 1; i < node.inputs.size(); ++i)
      if (!algebra::join(total, operand(node.inputs[i]), sign)) return std::nullopt;
    return total;
  }

  std::optional<Form> read_reduction(const Node& node) {
    Form form = operand(node.inputs[0]);
    const Shape& shape = tape_.node(node.inputs[0]).shape;
    const bool keepdims = node.attributes.integer("keepdims") != 0;
    std::vector<bool> gone(static_cast<std::size_t>(shape.rank()), false);
    for (const std::int64_t axis : node.attributes.integers("axes"))
      gone[static_cast<std::size_t>(axis + shape.rank())] = true;
    const std::vector<Label> before = form.output;
    form.output.clear();
    for (std::size_t i = 0; i < gone.size(); ++i) {
      if (!gone[i])
        form.output.push_back(before[i]);
      else if (keepdims)
        form.output.push_back(kNoLabel);
    }
    return closed(std::move(form), before);
  }

  // After outputs were taken away: a label that no factor has counts its size, and one that only
  // the half has must not be taken for one of the half's own.
  std::optional<Form> closed(Form form, const std::vector<Label>& before) {
    for (const Label l : before) {
      if (l == kNoLabel || algebra::contains(form.output, l)) continue;
      const bool outside = algebra::contains(algebra::labels_of(form.factors), l);
      const bool inside = algebra::contains(algebra::labels_of(form.half), l);
      if (!outside && !inside) form.coefficient *= static_cast<double>(labels_.size(l));
      if (inside) form.shared.push_back(l);
    }
    return form;
  }

  std::optional<Form> read_reshape(const Node& node) {
    Form form = *form_of(node.inputs[0]);
    std::vector<Label> real;
    std::vector<std::int64_t> from, to;
    const Shape& shape = tape_.node(node.inputs[0]).shape;
    for (int i = 0; i < shape.rank(); ++i)
      if (shape[i] != 1) {
        from.push_back(shape[i]);
        real.push_back(form.output[static_cast<std::size_t>(i)]);
      }
    for (const std::int64_t n : node.shape)
      if (n != 1) to.push_back(n);
    if (from != to) return std::nullopt;
    form.output.clear();
    std::size_t next = 0;
    for (const std::int64_t n : node.shape) form.output.push_back(n == 1 ? kNoLabel : real[next++]);
    return form;
  }

  std::optional<Form> read_transpose(const Node& node) {
    Form form = *form_of(node.inputs[0]);
    const std::vector<Label> before = form.output;
    const auto& axes = node.attributes.integers("axes");
    for (std::size_t i = 0; i < axes.size(); ++i)
      form.output[i] = before[static_cast<std::size_t>(axes[i])];
    return form;
  }

  std::optional<Form> read_broadcast(const Node& node) {
    Form form = *form_of(node.inputs[0]);
    std::vector<Label> output;
    for (int axis = 0; axis < node.shape.rank(); ++axis) {
      const Label l = aligned(form.output, node.shape.rank(), axis);
      output.push_back(l != kNoLabel || node.shape[axis] == 1 ? l : labels_.add(node.shape[axis]));
    }
    form.output = std::move(output);
    return form;
  }

  // ------------------------------------------------------------ contractions
  bool is_outer(const Node& node) const {
    const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
    std::int64_t largest = 0;
    for (std::size_t k = 0; k < s.inputs.size(); ++k) {
      largest = std::max(largest, tape_.node(node.inputs[k]).shape.size());
      for (const char c : s.inputs[k])
        if (s.output.find(c) == s.output.npos) return false;
    }
    return s.inputs.size() > 1 && node.shape.size() > largest;
  }

  std::optional<Form> read_contract(const Node& node) {
    const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
    Form result;
    std::map<char, Label> letters;
    for (std::size_t k = 0; k < s.inputs.size(); ++k) {
      Form f = operand(node.inputs[k]);
      if (!f.half.empty() || !f.shared.empty()) return std::nullopt;
      const bool number = f.output.empty() && f.factors.empty();
      for (Label l : std::vector<Label>(f.output))
        if (l != kNoLabel && algebra::contains(f.output, l))
          algebra::rename(f, l, labels_.add(labels_.size(l)));
      for (std::size_t i = 0; i < s.inputs[k].size() && !number; ++i) {
        const Label l = f.output[i];
        if (l == kNoLabel) continue;
        const auto [it, added] = letters.emplace(s.inputs[k][i], l);
        if (!added) algebra::rename(f, l, it->second);
      }
      result.coefficient *= f.coefficient;
      result.scale = scale_product(result.scale, f.scale);
      result.factors.insert(result.factors.end(), f.factors.begin(), f.factors.end());
    }
    std::vector<Label> all;
    for (const auto& [letter, label] : letters) all.push_back(label);
    for (const char c : s.output)
      result.output.push_back(letters.contains(c) ? letters.at(c) : kNoLabel);
    return closed(std::move(result), all);
  }

  // ------------------------------------------------------------ Jacobians in chunks of rows
  // Rows [begin, end) of an identity matrix stand as one factor until the chunks meet again.
  std::optional<Form> window(NodeId id, const Node& node) {
    const bool rows =
        tape_.node(node.inputs[0]).op->name == "eye" && node.attributes.integer("axis") == -2;
    return rows ? std::optional<Form>(leaf(tape_.expr(id))) : std::nullopt;
  }

  // concat of forms that are equal but for consecutive windows of one identity: the whole.
  std::optional<Form> rejoined(const Node& node) {
    const Form* first = form_of(node.inputs[0]);
    if (first == nullptr || !first->half.empty()) return std::nullopt;
    const std::size_t axis =
        static_cast<std::size_t>(node.attributes.integer("axis") + node.shape.rank());
    std::int64_t next = 0;
    std::size_t place = 0;
    for (const NodeId in : node.inputs) {
      const Form* part = form_of(in);
      if (part == nullptr || part->factors.size() != first->factors.size() ||
          part->coefficient != first->coefficient || !(part->scale == first->scale))
        return std::nullopt;
      bool found = false;
      for (std::size_t i = 0; i < part->factors.size(); ++i) {
        const Node& f = tape_.node(part->factors[i].node);
        if (f.op->name == "slice" && part->factors[i].labels[0] == part->output[axis]) {
          if (f.attributes.integer("begin") != next || (next > 0 && i != place))
            return std::nullopt;
          next = f.attributes.integer("end");
          place = i;
          found = true;
        } else if (!(part->factors[i].node == first->factors[i].node)) {
          return std::nullopt;
        }
      }
      if (!found || !same_pattern(*first, *part)) return std::nullopt;
    }
    Form whole = *first;
    const Expr eye_node = tape_.expr(tape_.node(whole.factors[place].node).inputs[0]);
    if (next != eye_node.shape()[0]) return std::nullopt;
    const Label rows = labels_.add(next), old = whole.output[axis];
    algebra::rename(whole, old, rows);
    whole.factors[place].node = eye_node;
    return whole;
  }

  // Equal up to the names of labels.
  static bool same_pattern(const Form& a, const Form& b) {
    std::map<Label, Label> names;
    const auto match = [&](const std::vector<Label>& x, const std::vector<Label>& y) {
      if (x.size() != y.size()) return false;
      for (std::size_t i = 0; i < x.size(); ++i)
        if (names.emplace(x[i], y[i]).first->second != y[i]) return false;
      return true;
    };
    for (std::size_t i = 0; i < a.factors.size(); ++i)
      if (!match(a.factors[i].labels, b.factors[i].labels)) return false;
    return match(a.output, b.output);
  }

  Tape& tape_;
  Labels labels_;
  std::unordered_map<NodeId, Form> forms_;
  std::unordered_map<NodeId, Expr> values_;
};

}  // namespace

std::vector<Expr> simplified(const std::vector<Expr>& roots) {
  return roots.empty() ? roots : Simplifier(*roots[0].tape).run(roots);
}

Expr simplified(Expr root) { return simplified(std::vector<Expr>{root})[0]; }

}  // namespace jacquard
