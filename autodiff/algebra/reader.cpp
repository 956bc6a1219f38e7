#include "autodiff/algebra/reader.hpp"

#include <algorithm>
#include <map>

#include "autodiff/ops.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard::algebra {
namespace {

constexpr std::size_t kMostFactors = 120;
constexpr std::size_t kMostAlternatives = 4;

// The label of each axis of an operand that is read aligned with a result of `rank` axes.
Label aligned(const std::vector<Label>& output, int rank, int axis) {
  const int at = axis - (rank - static_cast<int>(output.size()));
  return at < 0 ? kNoLabel : output[static_cast<std::size_t>(at)];
}

bool is_zero(const Node& node) {
  return node.op->name == "constant" && node.attributes.number("value") == 0;
}

}  // namespace

bool Reader::read(NodeId id) {
  Maybe found = structure(id, tape_.node(id));
  if (found) found = tidied(std::move(*found));
  if (!found || found->empty()) return false;
  known_.emplace(id, std::move(*found));
  return true;
}

Reader::Maybe Reader::structure(NodeId id, const Node& node) {
  const std::string_view op = node.op->name;
  if (op == "eye") return Alternatives{{.terms = {leaf(tape_.expr(id))}}};
  const bool structured = std::ranges::any_of(node.inputs, [&](NodeId i) { return known(i); });
  if (op == "contract" && (structured || is_outer(node))) return contraction(node);
  if (!structured) return std::nullopt;
  const NodeId first = node.inputs[0];
  if (op == "multiply")
    return first == node.inputs[1] ? square_of(first) : multiply(node, first, node.inputs[1]);
  if (op == "divide") return divide(node);
  if (op == "negate")
    return each(first, [](Form f) {
      f.coefficient = -f.coefficient;
      return std::optional(std::move(f));
    });
  if (op == "square") return square_of(first);
  if (op == "where") return where(node);
  if (op == "add" || op == "subtract") return sum_of(node);
  if (op == "sum") return reduction(node);
  if (op == "reshape") return reshape(node);
  if (op == "transpose") return transpose(node);
  if (op == "broadcast_to")
    return each(first, [&](Form f) { return std::optional(broadcast(std::move(f), node.shape)); });
  return std::nullopt;
}

Reader::Maybe Reader::tidied(Alternatives all) {
  std::erase_if(all, [&](Sum& sum) {
    for (Form& form : sum.terms) {
      if (form.factors.size() + form.half.size() > kMostFactors) return true;
      eliminate_identities(form, labels_);
      merge_factors(form);
    }
    return sum.terms.size() > kMostTerms && !sum.expanded;
  });
  if (all.size() > kMostAlternatives) {
    std::vector<double> costs;
    for (const Sum& sum : all) costs.push_back(cost_of_square(sum, labels_));
    while (all.size() > kMostAlternatives) {
      const auto worst = std::ranges::max_element(costs);
      all.erase(all.begin() + (worst - costs.begin()));
      costs.erase(worst);
    }
  }
  return all;
}

Form Reader::leaf(Expr e) {
  Form form;
  Factor factor{e, {}};
  for (const std::int64_t n : e.shape())
    factor.labels.push_back(n == 1 ? kNoLabel : labels_.add(n));
  form.output = factor.labels;
  form.factors.push_back(std::move(factor));
  return form;
}

// The forms of an operand, or the node as one factor.
Alternatives Reader::operand(NodeId id) {
  if (const Alternatives* all = find(id)) return *all;
  if (tape_.node(id).shape.rank() > 0) return {{.terms = {leaf(value_(id))}}};
  Form number;
  number.scale = value_(id);
  return {{.terms = {number}}};
}

Reader::Maybe Reader::each(NodeId id, const std::function<std::optional<Form>(Form)>& step) {
  return products({id}, [&](std::vector<Form> one) { return step(std::move(one[0])); });
}

Reader::Maybe Reader::products(const std::vector<NodeId>& operands,
                               const std::function<std::optional<Form>(std::vector<Form>)>& step) {
  // Choices so far: an alternative of each operand, multiplied out.
  struct Partial {
    std::vector<std::vector<Form>> terms;  // the forms of the operands, term by term
    Sum rest;
  };
  std::vector<Partial> partial{{{{}}, {}}};
  // A product of two sums is no longer linear in what cancels within them.
  const bool several = std::ranges::count_if(operands, [&](NodeId id) { return known(id); }) > 1;
  for (const NodeId id : operands) {
    std::vector<Partial> next;
    const Alternatives all = several ? with_formed(operand(id)) : operand(id);
    for (const Partial& p : partial)
      for (const Sum& sum : all) {
        Partial more{{}, p.rest};
        more.rest.takes_over(sum);
        if (p.terms.size() * sum.terms.size() > kMostTerms * (kMostTerms + 1) / 2) continue;
        for (const std::vector<Form>& before : p.terms)
          for (Form form : sum.terms) {
            refresh_inner(form, labels_);
            more.terms.push_back(before);
            more.terms.back().push_back(std::move(form));
          }
        next.push_back(std::move(more));
      }
    partial = std::move(next);
  }
  Alternatives result;
  for (Partial& p : partial) {
    Sum sum = p.rest;
    bool whole = true;
    for (std::vector<Form>& forms : p.terms) {
      std::optional<Form> form = step(std::move(forms));
      whole = whole && form.has_value();
      if (form) sum.terms.push_back(std::move(*form));
    }
    if (whole) result.push_back(std::move(sum));
  }
  if (result.empty()) return std::nullopt;
  return result;
}

// ---------------------------------------------------------------- products
std::optional<Form> Reader::multiplied(const Node& node, Form a, Form b) {
  if (!a.half.empty() && !b.half.empty()) return std::nullopt;
  // Outputs get names of their own before they are brought together: one node may be both.
  for (const Label l : std::vector<Label>(b.output))
    if (l != kNoLabel) rename(b, l, labels_.add(labels_.size(l)));
  Form result;
  const int rank = node.shape.rank();
  for (int axis = 0; axis < rank; ++axis) {
    const Label in_a = aligned(a.output, rank, axis), in_b = aligned(b.output, rank, axis);
    if (in_a != kNoLabel && in_b != kNoLabel) rename(b, in_b, in_a);
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

Reader::Maybe Reader::multiply(const Node& node, NodeId a, NodeId b) {
  return products({a, b}, [&](std::vector<Form> forms) {
    return multiplied(node, std::move(forms[0]), std::move(forms[1]));
  });
}

Reader::Maybe Reader::divide(const Node& node) {
  if (!known(node.inputs[0]) || known(node.inputs[1])) return std::nullopt;
  const Expr divisor = value_(node.inputs[1]);
  return each(node.inputs[0], [&](Form form) {
    if (divisor.shape().rank() > 0) return multiplied(node, std::move(form), leaf(1.0 / divisor));
    form.scale = form.scale ? form.scale / divisor : 1.0 / divisor;
    return std::optional(std::move(form));
  });
}

Reader::Maybe Reader::square_of(NodeId id) {
  if (!known(id)) return std::nullopt;
  Alternatives result;
  for (const Sum& sum : with_formed(*find(id)))
    if (auto square = squared(sum, labels_)) result.push_back(std::move(*square));
  if (result.empty()) return std::nullopt;
  return result;
}

// Sums of several terms beside what is formed of them: only that where care is taken.
Alternatives Reader::with_formed(const Alternatives& all) {
  Alternatives result;
  for (const Sum& sum : all) {
    const Alternatives more =
        sum.terms.size() > 1 && !sum.expanded ? formed(tape_, sum, labels_) : Alternatives{};
    result.insert(result.end(), more.begin(), more.end());
    if (more.empty() || !careful_) result.push_back(sum);
  }
  return result;
}

// where(mask, form, 0): the mask is a factor of 0 and 1.
Reader::Maybe Reader::where(const Node& node) {
  if (!is_zero(tape_.node(node.inputs[2])) || !known(node.inputs[1]) || known(node.inputs[0]))
    return std::nullopt;
  const Expr mask = not_equal(value_(node.inputs[0]), constant(tape_, 0.0));
  return each(node.inputs[1],
              [&](Form form) { return multiplied(node, std::move(form), leaf(mask)); });
}

// ---------------------------------------------------------------- sums
Reader::Maybe Reader::sum_of(const Node& node) {
  if (!std::ranges::all_of(node.inputs, [&](NodeId i) { return known(i); })) return std::nullopt;
  std::vector<Sum> all{{}};
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const double sign = i > 0 && node.op->name == "subtract" ? -1 : 1;
    std::vector<Sum> next;
    for (const Sum& before : all)
      for (const Sum& operand : *find(node.inputs[i])) {
        Sum sum = before;
        sum.takes_over(operand);
        for (Form term : operand.terms) {
          term = broadcast(std::move(term), node.shape);
          term.coefficient *= sign;
          add_term(sum, term, labels_);
        }
        next.push_back(std::move(sum));
      }
    all = std::move(next);
    if (all.size() > kMostAlternatives * kMostAlternatives)
      all.resize(kMostAlternatives * kMostAlternatives);
  }
  Alternatives result;
  for (Sum& sum : all) {
    if (sum.terms.size() > 1)
      for (Sum& one : formed(tape_, sum, labels_)) result.push_back(std::move(one));
    result.push_back(std::move(sum));
  }
  return result;
}

Reader::Maybe Reader::reduction(const Node& node) {
  const Shape& shape = tape_.node(node.inputs[0]).shape;
  const bool keepdims = node.attributes.integer("keepdims") != 0;
  std::vector<bool> gone(static_cast<std::size_t>(shape.rank()), false);
  for (const std::int64_t axis : node.attributes.integers("axes"))
    gone[static_cast<std::size_t>(axis + shape.rank())] = true;
  return each(node.inputs[0], [&](Form form) {
    const std::vector<Label> before = form.output;
    form.output.clear();
    for (std::size_t i = 0; i < gone.size(); ++i) {
      if (!gone[i])
        form.output.push_back(before[i]);
      else if (keepdims)
        form.output.push_back(kNoLabel);
    }
    close(form, before, labels_);
    return std::optional(std::move(form));
  });
}

// ---------------------------------------------------------------- moves
namespace {

// A run of axes of one shape that becomes a run of another: one of the two has a single axis.
struct Run {
  std::vector<std::size_t> from, to;
};

// The runs of a reshape, axes of size 1 left out; nothing where several axes become several others.
std::optional<std::vector<Run>> runs_of(const Shape& from, const Shape& to) {
  const auto real = [](const Shape& shape) {
    std::vector<std::size_t> axes;
    for (int i = 0; i < shape.rank(); ++i)
      if (shape[i] != 1) axes.push_back(static_cast<std::size_t>(i));
    return axes;
  };
  const std::vector<std::size_t> a = real(from), b = real(to);
  std::vector<Run> runs;
  std::size_t i = 0, k = 0;
  while (i < a.size() && k < b.size()) {
    Run run{{a[i]}, {b[k]}};
    std::int64_t left = from[static_cast<int>(a[i++])], right = to[static_cast<int>(b[k++])];
    while (left != right) {
      if (left < right && i < a.size()) {
        run.from.push_back(a[i]);
        left *= from[static_cast<int>(a[i++])];
      } else if (right < left && k < b.size()) {
        run.to.push_back(b[k]);
        right *= to[static_cast<int>(b[k++])];
      } else {
        return std::nullopt;
      }
    }
    if (run.from.size() > 1 && run.to.size() > 1) return std::nullopt;
    runs.push_back(std::move(run));
  }
  if (i != a.size() || k != b.size()) return std::nullopt;
  return runs;
}

}  // namespace

// Axes that are split or joined are tied to the new ones by an identity matrix of that shape; it
// goes when the factors that have the one are read along the others.
Reader::Maybe Reader::reshape(const Node& node) {
  const Shape from = tape_.node(node.inputs[0]).shape;
  const auto runs = runs_of(from, node.shape);
  if (!runs || from.size() == 0) return std::nullopt;
  return each(node.inputs[0], [&](Form form) -> std::optional<Form> {
    const std::vector<Label> before = form.output;
    form.output.assign(static_cast<std::size_t>(node.shape.rank()), kNoLabel);
    for (const Run& run : *runs) {
      if (run.from.size() == 1 && run.to.size() == 1) {
        form.output[run.to[0]] = before[run.from[0]];
        continue;
      }
      // A square is not taken apart.
      if (!form.half.empty()) return std::nullopt;
      Factor tie;
      std::vector<std::int64_t> sizes;
      const bool splits = run.from.size() == 1;
      for (const std::size_t axis : splits ? run.to : run.from) {
        const std::int64_t n =
            splits ? node.shape[static_cast<int>(axis)] : from[static_cast<int>(axis)];
        tie.labels.push_back(splits ? labels_.add(n) : before[axis]);
        if (splits) form.output[axis] = tie.labels.back();
        sizes.push_back(n);
      }
      const std::int64_t whole =
          splits ? from[static_cast<int>(run.from[0])] : node.shape[static_cast<int>(run.to[0])];
      tie.labels.push_back(splits ? before[run.from[0]] : labels_.add(whole));
      if (!splits) form.output[run.to[0]] = tie.labels.back();
      sizes.push_back(whole);
      tie.node = jacquard::reshape(eye(tape_, whole), Shape(std::move(sizes)));
      form.factors.push_back(std::move(tie));
    }
    return form;
  });
}

Reader::Maybe Reader::transpose(const Node& node) {
  const auto& axes = node.attributes.integers("axes");
  return each(node.inputs[0], [&](Form form) {
    const std::vector<Label> before = form.output;
    for (std::size_t i = 0; i < axes.size(); ++i)
      form.output[i] = before[static_cast<std::size_t>(axes[i])];
    return std::optional(std::move(form));
  });
}

// The form read along the axes of a larger shape.
Form Reader::broadcast(Form form, const Shape& shape) {
  std::vector<Label> output;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const Label l = aligned(form.output, shape.rank(), axis);
    output.push_back(l != kNoLabel || shape[axis] == 1 ? l : labels_.add(shape[axis]));
  }
  form.output = std::move(output);
  return form;
}

// ---------------------------------------------------------------- contractions
bool Reader::is_outer(const Node& node) const {
  const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
  std::int64_t largest = 0;
  for (std::size_t k = 0; k < s.inputs.size(); ++k) {
    largest = std::max(largest, tape_.node(node.inputs[k]).shape.size());
    for (const char c : s.inputs[k])
      if (s.output.find(c) == s.output.npos) return false;
  }
  return s.inputs.size() > 1 && node.shape.size() > largest;
}

Reader::Maybe Reader::contraction(const Node& node) {
  const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
  return products(node.inputs, [&](std::vector<Form> forms) -> std::optional<Form> {
    Form result;
    std::map<char, Label> letters;
    for (std::size_t k = 0; k < forms.size(); ++k) {
      Form& f = forms[k];
      if (!f.half.empty() || !f.shared.empty()) return std::nullopt;
      const bool number = f.output.empty() && f.factors.empty();
      for (const Label l : std::vector<Label>(f.output))
        if (l != kNoLabel && contains(f.output, l)) rename(f, l, labels_.add(labels_.size(l)));
      for (std::size_t i = 0; i < s.inputs[k].size() && !number; ++i) {
        const Label l = f.output[i];
        if (l == kNoLabel) continue;
        const auto [it, added] = letters.emplace(s.inputs[k][i], l);
        if (!added) rename(f, l, it->second);
      }
      result.coefficient *= f.coefficient;
      result.scale = scale_product(result.scale, f.scale);
      result.factors.insert(result.factors.end(), f.factors.begin(), f.factors.end());
    }
    std::vector<Label> all;
    for (const auto& [letter, label] : letters) all.push_back(label);
    for (const char c : s.output)
      result.output.push_back(letters.contains(c) ? letters.at(c) : kNoLabel);
    close(result, all, labels_);
    return result;
  });
}

}  // namespace jacquard::algebra
