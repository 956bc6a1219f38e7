#include "autodiff/algebra/emit.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/algebra/search.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::algebra {
namespace {

// A label of a value: of the part itself, or of its mirror image.
struct Tag {
  Label label;
  bool mirrored;
  bool operator==(const Tag&) const = default;
};
using Tags = std::vector<Tag>;

struct Value {
  Expr e;
  Tags tags;  // one per axis
};

bool contains(const Tags& tags, const Tag& tag) {
  return std::ranges::find(tags, tag) != tags.end();
}

Tags tags_of(const Order& order) {
  Tags tags;
  for (const Label l : order.own) tags.push_back({l, false});
  for (const Label l : order.mirrored) tags.push_back({l, true});
  return tags;
}

// Sums over the axes that nobody wants.
Value keep_only(const Value& v, const Tags& wanted) {
  Axes gone;
  Tags kept;
  for (std::size_t i = 0; i < v.tags.size(); ++i)
    if (contains(wanted, v.tags[i]))
      kept.push_back(v.tags[i]);
    else
      gone.push_back(static_cast<std::int64_t>(i));
  return gone.empty() ? v : Value{sum(v.e, gone), kept};
}

Tags joined(const Tags& a, const Tags& b) {
  Tags all = a;
  for (const Tag& t : b)
    if (!contains(all, t)) all.push_back(t);
  return all;
}

std::string letters(const Tags& tags, const Tags& all) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  std::string text;
  for (const Tag& t : tags)
    text += kLetters.at(static_cast<std::size_t>(std::ranges::find(all, t) - all.begin()));
  return text;
}

// The product of two values, summed over what is not wanted.
Value product(Value a, Value b, const Tags& wanted) {
  // What only one of them has is summed in it alone.
  a = keep_only(a, joined(wanted, b.tags));
  b = keep_only(b, joined(wanted, a.tags));
  // The axes keep the order of the larger operand, so that memory is walked in order.
  if (b.tags.size() > a.tags.size()) std::swap(a, b);
  const Tags all = joined(a.tags, b.tags);
  Tags kept;
  for (const Tag& t : all)
    if (contains(wanted, t)) kept.push_back(t);
  const Expr e = contract(
      letters(a.tags, all) + "," + letters(b.tags, all) + "->" + letters(kept, all), {a.e, b.e});
  return {e, kept};
}

class Emitter {
 public:
  explicit Emitter(const Form& form) {
    elements_ = form.half;
    elements_.insert(elements_.end(), form.factors.begin(), form.factors.end());
    // Labels that the mirror image shares: outputs, and those of factors outside the half.
    shared_ = labels_of(form.factors);
    shared_.insert(shared_.end(), form.output.begin(), form.output.end());
    shared_.insert(shared_.end(), form.shared.begin(), form.shared.end());
  }

  Value emit(const Order& order) const {
    const Tags wanted = tags_of(order);
    if (order.kind == Order::kFactor) return keep_only(factor(elements_[order.factor]), wanted);
    // One after the other: a tape shall not depend on the order in which a compiler takes
    // arguments.
    const Value left = emit(*order.left);
    if (order.kind == Order::kSquare) return square_of(left, wanted);
    const Value right = emit(*order.right);
    return order.kind == Order::kPair ? product(left, right, wanted)
                                      : sandwich(left, right, wanted);
  }

 private:
  static Value factor(const Factor& f) {
    std::vector<std::int64_t> sizes;
    Tags tags;
    for (std::size_t i = 0; i < f.labels.size(); ++i) {
      if (f.labels[i] == kNoLabel) continue;
      sizes.push_back(f.node.shape()[static_cast<int>(i)]);
      tags.push_back({f.labels[i], false});
    }
    Value v{reshape(f.node, Shape(std::move(sizes))), tags};
    Tags distinct = joined({}, tags);
    if (distinct.size() == tags.size()) return v;
    // A label that stands twice reads the diagonal.
    return {contract(letters(tags, distinct) + "->" + letters(distinct, distinct), {v.e}),
            distinct};
  }

  Value mirror(const Value& v) const {
    Value result = v;
    for (Tag& t : result.tags)
      if (!contains_label(t.label)) t.mirrored = !t.mirrored;
    return result;
  }
  bool contains_label(Label l) const { return algebra::contains(shared_, l); }

  Value square_of(const Value& v, const Tags& wanted) const {
    const Value image = mirror(v);
    if (image.tags == v.tags) return keep_only({square(v.e), v.tags}, wanted);
    return product(v, image, wanted);
  }

  Value sandwich(const Value& middle, const Value& side, const Tags& wanted) const {
    const Value image = mirror(side);
    return product(product(side, middle, joined(wanted, image.tags)), image, wanted);
  }

  std::vector<Factor> elements_;
  std::vector<Label> shared_;
};

// Brings the axes into the order of the form's output and adds those that no factor has.
Expr arranged(const Value& v, const Form& form, const Shape& shape) {
  Axes order;
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < form.output.size(); ++i) {
    const auto at = std::ranges::find(v.tags, Tag{form.output[i], false});
    const bool there = form.output[i] != kNoLabel && at != v.tags.end();
    if (there) order.push_back(at - v.tags.begin());
    sizes.push_back(there ? shape[static_cast<int>(i)] : 1);
  }
  return broadcast_to(reshape(transpose(v.e, order), Shape(std::move(sizes))), shape);
}

}  // namespace

Emitted emit(Tape& tape, Form form, const Labels& labels, const Shape& shape, bool whole_half) {
  const auto times_scale = [&](Expr e) {
    if (form.coefficient != 1) e = form.coefficient * e;
    return form.scale ? form.scale * e : e;
  };
  if (form.factors.empty() && form.half.empty()) return {times_scale(full(tape, shape, 1.0))};
  put_in_chain_order(form);
  const Found found = find_order(form, labels, whole_half);
  if (!found.order) return {};
  const Value v = Emitter(form).emit(*found.order);
  return {times_scale(arranged(v, form, shape)), found.weighted_flops,
          takes_half_apart(*found.order)};
}

Expr incoherent(Tape& tape, const Form& form, const Labels& labels, const Shape& shape) {
  Form squares;
  squares.coefficient = std::abs(form.coefficient);
  if (form.scale) squares.scale = abs(form.scale);
  squares.output = form.output;
  for (const Factor& f : form.factors)
    squares.factors.push_back(is_identity(f) ? f : Factor{abs(f.node), f.labels});
  for (const Factor& f : form.half) squares.factors.push_back({square(f.node), f.labels});
  return emit(tape, std::move(squares), labels, shape).value;
}

}  // namespace jacquard::algebra
