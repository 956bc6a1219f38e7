#include "autodiff/algebra/form.hpp"

#include <algorithm>
#include <iterator>
#include <tuple>
#include <unordered_map>

#include "autodiff/ops.hpp"

namespace jacquard::algebra {
namespace {

void replace(std::vector<Factor>& factors, Label from, Label to) {
  for (Factor& f : factors) std::ranges::replace(f.labels, from, to);
}

// Beside delta[a,b] every factor may read a instead of b: one name makes equal factors equal.
void use_one_name(Form& form, std::size_t identity) {
  const Factor f = form.factors[identity];
  replace(form.factors, f.labels[1], f.labels[0]);
  replace(form.half, f.labels[1], f.labels[0]);
  form.factors[identity] = f;
}

}  // namespace

bool is_identity(const Factor& factor) { return factor.node.op().name == "eye"; }

Expr scale_product(Expr a, Expr b) { return !a ? b : !b ? a : a * b; }

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

bool has_tie(const Form& form) {
  return std::ranges::any_of(form.factors, is_tie) || std::ranges::any_of(form.half, is_tie);
}

void rename(Form& form, Label from, Label to) {
  replace(form.factors, from, to);
  replace(form.half, from, to);
  std::ranges::replace(form.output, from, to);
  std::ranges::replace(form.shared, from, to);
}

bool is_tie(const Factor& factor) {
  return factor.node.op().name == "reshape" && factor.labels.size() > 2 &&
         factor.node.tape->expr(factor.node.tape->node(factor.node).inputs[0]).op().name == "eye";
}

namespace {

// Where nothing has a label any more, what is left is a sum of ones.
void count_ones(Form& form, Label label, const Labels& labels) {
  if (!contains(form.output, label) && !contains(labels_of(form.factors), label) &&
      !contains(labels_of(form.half), label))
    form.coefficient *= static_cast<double>(labels.size(label));
}

// Uses up identity number i, if it can be; true when the form was changed.
bool use_identity(Form& form, std::size_t i, const Labels& labels) {
  const Factor f = form.factors[i];
  const Label a = f.labels[0], b = f.labels[1];
  if (a == kNoLabel) return false;
  if (a != b && contains(form.output, a) && contains(form.output, b)) {
    use_one_name(form, i);
    return false;
  }
  form.factors.erase(form.factors.begin() + static_cast<std::ptrdiff_t>(i));
  // The label that is not summed keeps its name. delta[j,j] is 1.
  const Label kept = contains(form.output, a) ? a : b;
  rename(form, kept == a ? b : a, kept);
  count_ones(form, kept, labels);
  return true;
}

// A tie of labels g, p, ... to one label k that is summed over: factors that have k are read along
// g, p, ... instead.
bool use_tie(Form& form, std::size_t i, const Labels& labels) {
  const Factor tie = form.factors[i];
  const Label whole = tie.labels.back();
  const std::vector<Label> parts(tie.labels.begin(), tie.labels.end() - 1);
  if (contains(form.output, whole) || contains(form.shared, whole) ||
      contains(labels_of(form.half), whole))
    return false;
  std::vector<Factor> others;
  for (std::size_t k = 0; k < form.factors.size(); ++k) {
    if (k == i) continue;
    Factor f = form.factors[k];
    if (std::ranges::count(f.labels, whole) > 1 || is_tie(f)) return false;
    if (const auto at = std::ranges::find(f.labels, whole); at != f.labels.end()) {
      const auto axis = at - f.labels.begin();
      if (is_identity(f)) {
        // delta[r,k] and the tie of k: the tie of r.
        const Label other = f.labels[axis == 0 ? 1 : 0];
        Factor renamed = tie;
        renamed.labels.back() = other;
        form.factors[i] = std::move(renamed);
        form.factors.erase(form.factors.begin() + static_cast<std::ptrdiff_t>(k));
        return true;
      }
      std::vector<std::int64_t> sizes = f.node.shape().sizes();
      const auto place = sizes.begin() + axis;
      const Shape& tied = tie.node.shape();
      *place = tied[0];
      sizes.insert(place + 1, tied.begin() + 1, tied.end() - 1);
      f.node = reshape(f.node, Shape(std::move(sizes)));
      *at = parts[0];
      f.labels.insert(f.labels.begin() + axis + 1, parts.begin() + 1, parts.end());
    }
    others.push_back(std::move(f));
  }
  form.factors = std::move(others);
  for (std::size_t k = 0; k < parts.size(); ++k) {
    if (std::ranges::find(parts, parts[k]) != parts.begin() + static_cast<std::ptrdiff_t>(k))
      continue;
    count_ones(form, parts[k], labels);
    // Both copies of the half read the tie: they still read one label.
    if (!contains(form.output, parts[k]) && !contains(form.shared, parts[k]) &&
        contains(labels_of(form.half), parts[k]))
      form.shared.push_back(parts[k]);
  }
  return true;
}

}  // namespace

void eliminate_identities(Form& form, const Labels& labels) {
  for (std::size_t i = 0; i < form.factors.size();) {
    const bool used = is_identity(form.factors[i]) ? use_identity(form, i, labels)
                      : is_tie(form.factors[i])    ? use_tie(form, i, labels)
                                                   : false;
    i = used ? 0 : i + 1;
  }
}

void close(Form& form, const std::vector<Label>& before, const Labels& labels) {
  for (const Label l : before) {
    if (l == kNoLabel || contains(form.output, l)) continue;
    count_ones(form, l, labels);
    if (contains(labels_of(form.half), l)) form.shared.push_back(l);
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
  std::unordered_map<Label, int> readers;
  for (const Factor& f : factors)
    for (const Label l : labels_of({f})) ++readers[l];
  struct Link {
    const Factor* factor;
    std::vector<Label> labels;  // that it may be connected by
    std::ptrdiff_t ends = 0;    // axes that no other factor has
  };
  std::vector<Link> left;
  for (const Factor& f : factors) {
    Link link{&f, {}};
    for (const Label l : f.labels) {
      if (l == kNoLabel) continue;
      if (readers[l] == 1) ++link.ends;
      if (!contains(everywhere, l) && !contains(link.labels, l)) link.labels.push_back(l);
    }
    left.push_back(std::move(link));
  }
  std::unordered_map<Label, std::ptrdiff_t> reached;  // the newest has the largest place
  // Small is good: what closes a label, what goes on from the newest one, an end of the chain.
  const auto rank = [&](const Link& link) {
    std::ptrdiff_t fresh = 0, newest = -1;
    for (const Label l : link.labels) {
      const auto at = reached.find(l);
      if (at == reached.end())
        ++fresh;
      else
        newest = std::max(newest, at->second);
    }
    if (newest >= 0) return std::tuple{fresh == 0 ? 0 : 1, -newest, std::ptrdiff_t{0}};
    return std::tuple{2, -link.ends, fresh};
  };
  std::vector<Factor> order;
  while (!left.empty()) {
    const auto next = std::ranges::min_element(left, {}, rank);
    for (const Label l : next->labels) reached.emplace(l, std::ssize(reached));
    order.push_back(*next->factor);
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
  // Those of two factors link them all the same: W[o,j] and e[b,o].
  std::erase_if(outside, [&](Label l) {
    return std::ranges::count_if(form.half,
                                 [l](const Factor& f) { return contains(f.labels, l); }) <= 2;
  });
  form.half = along_chain(form.half, outside);
}

namespace {

// The outputs, and the labels that they fix through ties: one place along the others each, so that
// nothing is summed.
std::vector<Label> fixed_labels(const Form& form) {
  std::vector<Label> fixed = form.output;
  for (std::size_t before = 0; before != fixed.size();) {
    before = fixed.size();
    for (const Factor& f : form.factors) {
      if (!is_tie(f)) continue;
      const Label whole = f.labels.back();
      const std::vector<Label> parts(f.labels.begin(), f.labels.end() - 1);
      const auto add = [&](Label l) {
        if (!contains(fixed, l)) fixed.push_back(l);
      };
      if (contains(fixed, whole)) std::ranges::for_each(parts, add);
      if (std::ranges::all_of(parts, [&](Label l) { return contains(fixed, l); })) add(whole);
    }
  }
  return fixed;
}

}  // namespace

Form squared(const Form& form) {
  Form result;
  result.coefficient = form.coefficient * form.coefficient;
  if (form.scale) result.scale = square(form.scale);
  result.output = form.output;
  const std::vector<Label> fixed = fixed_labels(form);
  const bool inner =
      std::ranges::any_of(labels_of(form.factors), [&](Label l) { return !contains(fixed, l); });
  // A tie that sums stays with what it is summed with.
  const auto own_square = [&](const Factor& f) {
    return is_identity(f) || (is_tie(f) && std::ranges::all_of(f.labels, [&](Label l) {
                                return contains(fixed, l);
                              }));
  };
  for (const Factor& f : form.factors)
    if (own_square(f))
      result.factors.push_back(f);
    else if (inner)
      result.half.push_back(f);
    else
      result.factors.push_back({square(f.node), f.labels});
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

}  // namespace jacquard::algebra
