#include "autodiff/algebra/sums.hpp"

#include <algorithm>
#include <optional>

#include "autodiff/algebra/emit.hpp"
#include "autodiff/algebra/search.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::algebra {
namespace {

// Gives the inner labels of `other` the names that they have in `sum`, as far as equal nodes tell.
void match_labels(const Form& sum, Form& other) {
  for (const Factor& a : sum.factors)
    for (std::size_t i = 0; i < other.factors.size(); ++i) {
      const Factor b = other.factors[i];
      if (!(a.node == b.node)) continue;
      for (std::size_t k = 0; k < a.labels.size(); ++k) {
        const Label from = other.factors[i].labels[k], to = a.labels[k];
        if (from != to && from != kNoLabel && to != kNoLabel && !contains(sum.output, from) &&
            !contains(sum.output, to) && !contains(labels_of(other.factors), to))
          rename(other, from, to);
      }
    }
}

// The term with the output labels of another, its inner labels named alike where equal nodes tell.
Form alike(const Form& base, Form term, Labels& labels) {
  refresh_inner(term, labels);
  // By way of fresh names: one may be another's name in the other order.
  for (const Label l : std::vector<Label>(term.output))
    if (l != kNoLabel) rename(term, l, labels.add(labels.size(l)));
  for (std::size_t i = 0; i < base.output.size(); ++i)
    if (base.output[i] != kNoLabel) rename(term, term.output[i], base.output[i]);
  match_labels(base, term);
  return term;
}

// coefficient * scale * node, where scale and node may be missing.
Expr weighted(Tape& tape, double coefficient, Expr scale, const Factor* factor) {
  Expr e = factor == nullptr ? Expr{} : factor->node;
  if (scale) e = e ? scale * e : scale;
  if (!e) return constant(tape, coefficient);
  return coefficient == 1 ? e : coefficient * e;
}

// Joins a term to one that it differs from in one factor over the same labels at most. False, with
// nothing changed, where they do not fit.
bool join(Form& sum, const Form& term, Labels& labels) {
  if (sum.factors.empty() || !sum.half.empty() || !term.half.empty()) return false;
  const Form other = alike(sum, term, labels);
  // Takes away what both have; one factor over the same labels may be left on each side.
  std::vector<Factor> common, mine = sum.factors;
  for (const Factor& f : other.factors) {
    const auto same = std::ranges::find(mine, f);
    if (same == mine.end()) continue;
    common.push_back(f);
    mine.erase(same);
  }
  std::vector<Factor> theirs = other.factors;
  for (const Factor& f : common) theirs.erase(std::ranges::find(theirs, f));
  if (mine.size() > 1 || theirs.size() > 1) return false;
  const double a = sum.coefficient, b = other.coefficient;
  const Factor* left = mine.empty() ? nullptr : &mine[0];
  const Factor* right = theirs.empty() ? nullptr : &theirs[0];
  const bool same_scale = sum.scale == other.scale;
  if (left == nullptr && right == nullptr && same_scale) {
    sum.coefficient = a + b;
    return true;
  }
  if (left != nullptr && right != nullptr && left->labels != right->labels) return false;
  std::vector<Label> over;
  if (left != nullptr || right != nullptr) over = (left != nullptr ? left : right)->labels;
  // A label that only one side has must stay with the other as well.
  for (const Label l : over)
    if (l != kNoLabel && (left == nullptr || right == nullptr) && !contains(labels_of(common), l))
      return false;
  for (const Factor* f : {left, right})
    if (f != nullptr && is_identity(*f)) return false;
  Tape& tape = *sum.factors[0].node.tape;
  Expr joined;
  if (same_scale && left != nullptr && right != nullptr && (a == b || a == -b)) {
    joined = a == b ? left->node + right->node : left->node - right->node;
  } else if (same_scale) {
    joined = weighted(tape, a, {}, left) + weighted(tape, b, {}, right);
    sum.coefficient = 1;
  } else {
    joined = weighted(tape, a, sum.scale, left) + weighted(tape, b, other.scale, right);
    sum.coefficient = 1;
    sum.scale = Expr{};
  }
  // Where it stood, so that the factors keep the order of the layers.
  if (left == nullptr)
    sum.factors.insert(sum.factors.begin(), {joined, over});
  else
    std::ranges::find(sum.factors, *left)->node = joined;
  return true;
}

// What the terms of a sum have in common, and what is left of each.
struct Split {
  std::vector<Factor> common;
  std::vector<Form> rests;
};

// The terms with the outputs of the first, and inner labels named alike where equal nodes tell.
std::vector<Form> aligned(const std::vector<Form>& terms, Labels& labels) {
  std::vector<Form> result{terms[0]};
  for (std::size_t t = 1; t < terms.size(); ++t)
    result.push_back(alike(terms[0], terms[t], labels));
  return result;
}

Split split(const std::vector<Form>& terms) {
  Split result;
  for (const Factor& f : terms[0].factors) {
    const auto times = [&](const std::vector<Factor>& in) { return std::ranges::count(in, f); };
    const bool everywhere = std::ranges::all_of(
        terms, [&](const Form& t) { return times(t.factors) > times(result.common); });
    if (everywhere) result.common.push_back(f);
  }
  result.rests = terms;
  for (Form& rest : result.rests)
    for (const Factor& f : result.common) rest.factors.erase(std::ranges::find(rest.factors, f));
  return result;
}

// Axis along which equal nodes of all rests are read under different labels, if it is one only.
struct Difference {
  std::size_t axis = 0;
  std::vector<std::size_t> factors;  // of each rest
};

std::optional<Difference> difference(const Split& s) {
  for (std::size_t i = 0; i < s.rests[0].factors.size(); ++i) {
    const Factor& f = s.rests[0].factors[i];
    if (is_identity(f)) continue;
    Difference d{0, {i}};
    int differing = 0;
    for (std::size_t t = 1; t < s.rests.size(); ++t) {
      const auto& factors = s.rests[t].factors;
      const auto same = std::ranges::find(factors, f.node, &Factor::node);
      if (same == factors.end()) break;
      d.factors.push_back(static_cast<std::size_t>(same - factors.begin()));
      for (std::size_t axis = 0; axis < f.labels.size(); ++axis)
        if (same->labels[axis] != f.labels[axis] && (differing == 0 || d.axis != axis)) {
          d.axis = axis;
          ++differing;
        }
    }
    if (d.factors.size() == s.rests.size() && differing == 1) return d;
  }
  return std::nullopt;
}

// The terms with identities put in, so that the factor that they read differently is common.
std::optional<std::vector<Form>> with_identities(const Split& s, Labels& labels) {
  const auto d = difference(s);
  if (!d) return std::nullopt;
  const std::vector<Label> shared = labels_of(s.common);
  Tape& tape = *s.rests[0].factors[d->factors[0]].node.tape;
  const std::int64_t size =
      s.rests[0].factors[d->factors[0]].node.shape()[static_cast<int>(d->axis)];
  const Label joint = labels.add(size);
  std::vector<Form> terms;
  for (std::size_t t = 0; t < s.rests.size(); ++t) {
    Form term = s.rests[t];
    const Label own = term.factors[d->factors[t]].labels[d->axis];
    const bool outside = contains(shared, own) || contains(term.output, own);
    for (Factor& f : term.factors) std::ranges::replace(f.labels, own, joint);
    if (outside) term.factors.push_back({eye(tape, size), {own, joint}});
    term.factors.insert(term.factors.begin(), s.common.begin(), s.common.end());
    terms.push_back(std::move(term));
  }
  return terms;
}

// common * (the sum of the rests, as one factor).
std::optional<Sum> with_formed_factor(Tape& tape, const Split& s, double formed_before,
                                      Labels& labels) {
  const Form& first = s.rests[0];
  std::vector<Label> outside = first.output;
  for (const Label l : labels_of(s.common))
    if (!contains(outside, l)) outside.push_back(l);
  std::vector<Label> open;
  for (const Label l : outside)
    if (l != kNoLabel && std::ranges::any_of(s.rests, [&](const Form& rest) {
          return contains(labels_of(rest.factors), l);
        }))
      open.push_back(l);
  std::vector<std::int64_t> sizes;
  double elements = 1;
  for (const Label l : open) {
    sizes.push_back(labels.size(l));
    elements *= static_cast<double>(labels.size(l));
  }
  // Rests that share little have many open indices: such a factor is no tensor.
  if (elements > static_cast<double>(Shape::kMaxElements) ||
      open.size() > static_cast<std::size_t>(Shape::kMaxRank))
    return std::nullopt;
  const Shape shape(sizes);

  Sum result;
  result.formed = formed_before;
  Expr total;
  for (Form rest : s.rests) {
    rest.output = open;
    eliminate_identities(rest, labels);
    const bool minus = total && rest.coefficient < 0;
    if (minus) rest.coefficient = -rest.coefficient;
    const Emitted e = emit(tape, rest, labels, shape);
    if (!e.value) return std::nullopt;
    total = !total ? e.value : minus ? total - e.value : total + e.value;
    result.formed += e.weighted_flops + 3 * static_cast<double>(shape.size());
  }
  Form form;
  form.output = first.output;
  form.factors = s.common;
  if (open.empty())
    form.scale = total;
  else
    form.factors.push_back({total, open});
  result.terms = {std::move(form)};
  return result;
}

}  // namespace

void add_term(Sum& sum, const Form& term, Labels& labels) {
  // Terms of one sign stay apart where one of the other sign is there: each may nearly cancel it,
  // and then what the rest of them leaves would be lost in their sum.
  const bool both_signs = std::ranges::any_of(
      sum.terms, [&](const Form& t) { return t.coefficient * term.coefficient < 0; });
  for (Form& there : sum.terms)
    if ((!both_signs || there.coefficient * term.coefficient < 0) && join(there, term, labels))
      return;
  sum.terms.push_back(term);
}

std::vector<Sum> formed(Tape& tape, const Sum& sum, Labels& labels) {
  if (std::ranges::any_of(sum.terms, [](const Form& t) { return !t.half.empty(); })) return {};
  std::vector<Sum> result;
  const auto add = [&](const Split& s) {
    if (auto one = with_formed_factor(tape, s, sum.formed, labels)) result.push_back(*one);
  };
  std::vector<Form> terms = aligned(sum.terms, labels);
  Split s = split(terms);
  const Split whole{{}, terms};
  if (!s.common.empty()) add(s);
  // Each identity makes one more factor common.
  for (int more = 0; more < 3; ++more) {
    const auto with = with_identities(s, labels);
    if (!with) break;
    terms = aligned(*with, labels);
    s = split(terms);
    add(s);
  }
  add(whole);
  return result;
}

std::optional<Sum> squared(const Sum& sum, Labels& labels) {
  if (std::ranges::any_of(sum.terms, [](const Form& t) { return !t.half.empty(); }))
    return std::nullopt;
  Sum result;
  result.formed = sum.formed;
  result.expanded = sum.terms.size() > 1;
  for (std::size_t i = 0; i < sum.terms.size(); ++i) {
    result.terms.push_back(squared(sum.terms[i]));
    for (std::size_t k = 0; k < i; ++k) {
      const Form &a = sum.terms[k], b = alike(a, sum.terms[i], labels);
      Form cross = a;
      // Equal labels of inner sums would be one sum.
      refresh_inner(cross, labels);
      cross.coefficient = 2 * a.coefficient * b.coefficient;
      cross.scale = scale_product(a.scale, b.scale);
      cross.factors.insert(cross.factors.end(), b.factors.begin(), b.factors.end());
      result.loses_digits = result.loses_digits || cross.coefficient < 0;
      result.terms.push_back(std::move(cross));
    }
  }
  return result;
}

double cost(const Sum& sum, const Labels& labels) {
  // What digits are worth: an expanded difference must be this much cheaper than a formed one.
  constexpr double kPriceOfDigits = 8;
  double total = 0;
  for (Form form : sum.terms) {
    if (form.factors.empty() && form.half.empty()) continue;
    put_in_chain_order(form);
    total += estimated_flops(form, labels);
  }
  return sum.formed + total * (sum.loses_digits ? kPriceOfDigits : 1);
}

double cost_of_square(const Sum& sum, Labels& labels) {
  std::optional<Sum> square = squared(sum, labels);
  if (!square) return cost(sum, labels);
  for (Form& form : square->terms) {
    const std::vector<Label> open = form.output;
    form.output.clear();
    close(form, open, labels);
    eliminate_identities(form, labels);
    merge_factors(form);
  }
  return cost(*square, labels);
}

}  // namespace jacquard::algebra
