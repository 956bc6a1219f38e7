#include "autodiff/algebra/form.hpp"

#include <algorithm>
#include <tuple>

#include "autodiff/ops.hpp"

namespace jacquard::algebra {
namespace {

void replace(std::vector<Factor>& factors, Label from, Label to) {
  for (Factor& f : factors) std::ranges::replace(f.labels, from, to);
}

}  // namespace

bool is_identity(const Factor& factor) { return factor.node.op().name == "eye"; }

bool contains(const std::vector<Label>& labels, Label label) {
  return std::ranges::find(labels, label) != labels.end();
}

std::vector<Label> labels_of(const std::vector<Factor>& factors) {
  std::vector<Label> labels;
  for (const Factor& f : factors)
    for (const Label l : f.labels)
      if (l != kNoLabel && !contains(labels, l)) labels.push_back(l);
  return labels;
}

void rename(Form& form, Label from, Label to) {
  replace(form.factors, from, to);
  replace(form.half, from, to);
  std::ranges::replace(form.output, from, to);
  std::ranges::replace(form.shared, from, to);
}

void eliminate_identities(Form& form, const Labels& labels) {
  for (std::size_t i = 0; i < form.factors.size();) {
    const Factor f = form.factors[i];
    const Label a = is_identity(f) ? f.labels[0] : kNoLabel;
    const Label b = is_identity(f) ? f.labels[1] : kNoLabel;
    const bool both_open = a != b && contains(form.output, a) && contains(form.output, b);
    if (a == kNoLabel || both_open) {
      ++i;
      continue;
    }
    form.factors.erase(form.factors.begin() + static_cast<std::ptrdiff_t>(i));
    // The label that is not summed keeps its name. delta[j,j] is 1.
    const Label kept = contains(form.output, a) ? a : b;
    rename(form, kept == a ? b : a, kept);
    // Where nothing else has the label, what is left is a sum of ones.
    if (!contains(form.output, kept) && !contains(labels_of(form.factors), kept) &&
        !contains(labels_of(form.half), kept))
      form.coefficient *= static_cast<double>(labels.size(kept));
    i = 0;
  }
}

void refresh_inner(Form& form, Labels& labels) {
  std::vector<Factor> all = form.factors;
  all.insert(all.end(), form.half.begin(), form.half.end());
  for (const Label l : labels_of(all))
    if (!contains(form.output, l)) rename(form, l, labels.add(labels.size(l)));
}

namespace {

// The factors in an order in which neighbours share labels: along a chain of layers from one end to
// the other. `everywhere` are labels that connect nothing.
std::vector<Factor> along_chain(const std::vector<Factor>& factors,
                                const std::vector<Label>& everywhere) {
  std::vector<Factor> left = factors, order;
  std::vector<Label> reached;  // the newest last
  const auto links = [&](const Factor& f) {
    std::vector<Label> result;
    for (const Label l : f.labels)
      if (l != kNoLabel && !contains(everywhere, l) && !contains(result, l)) result.push_back(l);
    return result;
  };
  // Small is good: what closes a label, what goes on from the newest one, an end of the chain.
  const auto rank = [&](const Factor& f) {
    std::ptrdiff_t fresh = 0, newest = -1, ends = 0;
    for (const Label l : links(f)) {
      const auto at = std::ranges::find(reached, l);
      if (at == reached.end())
        ++fresh;
      else
        newest = std::max(newest, at - reached.begin());
    }
    for (const Label l : f.labels)
      if (l != kNoLabel && std::ranges::count_if(factors, [&](const Factor& g) {
                             return contains(g.labels, l);
                           }) == 1)
        ++ends;
    if (newest >= 0) return std::tuple{fresh == 0 ? 0 : 1, -newest, std::ptrdiff_t{0}};
    return std::tuple{2, fresh, -ends};
  };
  while (!left.empty()) {
    const auto next = std::ranges::min_element(left, {}, rank);
    for (const Label l : links(*next))
      if (!contains(reached, l)) reached.push_back(l);
    order.push_back(*next);
    left.erase(next);
  }
  return order;
}

}  // namespace

void put_in_chain_order(Form& form) {
  std::vector<Label> outside = form.output;
  outside.insert(outside.end(), form.shared.begin(), form.shared.end());
  form.factors = along_chain(form.factors, outside);
  for (const Label l : labels_of(form.factors)) outside.push_back(l);
  form.half = along_chain(form.half, outside);
}

Form squared(const Form& form) {
  Form result;
  result.coefficient = form.coefficient * form.coefficient;
  if (form.scale) result.scale = square(form.scale);
  result.output = form.output;
  const bool inner = std::ranges::any_of(labels_of(form.factors),
                                         [&](Label l) { return !contains(form.output, l); });
  if (inner) {
    result.half = form.factors;
  } else {
    for (const Factor& f : form.factors)
      result.factors.push_back({is_identity(f) ? f.node : square(f.node), f.labels});
  }
  return result;
}

void merge_factors(Form& form) {
  for (std::vector<Factor>* factors : {&form.factors, &form.half})
    for (std::size_t i = 0; i < factors->size(); ++i)
      for (std::size_t k = i + 1; k < factors->size();) {
        Factor &a = (*factors)[i], &b = (*factors)[k];
        if (a.labels != b.labels || is_identity(a) || is_identity(b)) {
          ++k;
          continue;
        }
        a.node = a.node == b.node ? square(a.node) : a.node * b.node;
        factors->erase(factors->begin() + static_cast<std::ptrdiff_t>(k));
      }
}

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

// coefficient * scale * node, where scale and node may be missing.
Expr weighted(Tape& tape, double coefficient, Expr scale, const Factor* factor) {
  Expr e = factor == nullptr ? Expr{} : factor->node;
  if (scale) e = e ? scale * e : scale;
  if (!e) return constant(tape, coefficient);
  return coefficient == 1 ? e : coefficient * e;
}

}  // namespace

bool join(Form& sum, const Form& term, double sign) {
  if (sum.factors.empty() || !sum.half.empty() || !term.half.empty() ||
      sum.output.size() != term.output.size())
    return false;
  Form other = term;
  for (std::size_t i = 0; i < sum.output.size(); ++i) {
    if ((sum.output[i] == kNoLabel) != (other.output[i] == kNoLabel)) return false;
    if (sum.output[i] != kNoLabel) rename(other, other.output[i], sum.output[i]);
  }
  match_labels(sum, other);
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
  const double a = sum.coefficient, b = sign * other.coefficient;
  const Factor* left = mine.empty() ? nullptr : &mine[0];
  const Factor* right = theirs.empty() ? nullptr : &theirs[0];
  const bool same_scale = sum.scale == other.scale;
  if (left == nullptr && right == nullptr && same_scale) {
    sum.coefficient = a + b;
    return true;
  }
  if (left != nullptr && right != nullptr && left->labels != right->labels) return false;
  std::vector<Label> labels;
  if (left != nullptr || right != nullptr) labels = (left != nullptr ? left : right)->labels;
  // A label that only one side has must stay with the other as well.
  for (const Label l : labels)
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
    sum.factors.insert(sum.factors.begin(), {joined, labels});
  else
    std::ranges::find(sum.factors, *left)->node = joined;
  return true;
}

}  // namespace jacquard::algebra
