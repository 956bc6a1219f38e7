#include "autodiff/algebra/search.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <unordered_map>

namespace jacquard::algebra {
namespace {

// A set of factors, or of labels.
__extension__ using Mask = unsigned __int128;
constexpr std::size_t kMaskBits = 128;
constexpr double kImpossible = std::numeric_limits<double>::infinity();

// Up to this many factors all parts are tried; beyond it only runs of neighbours, in the order in
// which the factors stand: that of the layers.
constexpr std::size_t kAllParts = 10, kAllPartsOfEstimates = 6;

Mask bit(std::size_t i) { return Mask{1} << i; }
Mask first_bits(std::size_t count) { return count == kMaskBits ? ~Mask{0} : bit(count) - 1; }
bool is_single(Mask set) { return set != 0 && (set & (set - 1)) == 0; }

std::size_t lowest_of(Mask set) {
  const auto low = static_cast<std::uint64_t>(set);
  return static_cast<std::size_t>(
      low != 0 ? std::countr_zero(low)
               : 64 + std::countr_zero(static_cast<std::uint64_t>(set >> 64)));
}

std::size_t highest_of(Mask set) {
  const auto high = static_cast<std::uint64_t>(set >> 64);
  return static_cast<std::size_t>(high != 0
                                      ? 127 - std::countl_zero(high)
                                      : 63 - std::countl_zero(static_cast<std::uint64_t>(set)));
}

// Labels of a part, and of its mirror image where they differ from it.
struct Open {
  Mask own = 0, mirrored = 0;
  Open operator|(const Open& other) const { return {own | other.own, mirrored | other.mirrored}; }
};

struct Step {
  double weighted = kImpossible, value = 0;
  Order::Kind kind = Order::kFactor;
  Mask left = 0, right = 0;
  Open open = {};  // what the result leaves open
  bool known = false;
};

class Search {
 public:
  Search(const Form& form, const Labels& labels, bool whole_half, std::size_t all_parts)
      : all_parts_(all_parts), whole_half_(whole_half) {
    for (const auto* factors : {&form.half, &form.factors})
      for (const Factor& f : *factors) {
        Mask mask = 0;
        for (const Label l : f.labels)
          if (l != kNoLabel) mask |= bit(local(l, labels));
        element_labels_.push_back(mask);
      }
    half_ = first_bits(form.half.size());
    count_ = element_labels_.size();
    for (const Label l : form.output)
      if (l != kNoLabel && position_.contains(l)) output_ |= bit(position_.at(l));
    Mask outside = output_;
    for (const Label l : form.shared)
      if (position_.contains(l)) outside |= bit(position_.at(l));
    for (std::size_t i = form.half.size(); i < count_; ++i) outside |= element_labels_[i];
    inner_ = labels_in(half_) & ~outside;
    if (form.half.empty()) inner_ = 0;
  }

  bool fits() const { return count_ <= kMaskBits && sizes_.size() <= kMaskBits && count_ > 0; }

  Found run() {
    one_.resize(count_ <= all_parts_ ? std::size_t{1} << count_ : count_ * (count_ + 1));
    two_ = one_;
    const Mask all = first_bits(count_);
    const Step& best = two(all);
    Found found;
    found.weighted_flops = best.weighted;
    if (best.weighted == kImpossible) return found;
    found.value_flops = best.value;
    found.order = tree(all, true);
    return found;
  }

 private:
  std::size_t local(Label l, const Labels& labels) {
    const auto [it, added] = position_.emplace(l, sizes_.size());
    if (added) {
      sizes_.push_back(static_cast<double>(labels.size(l)));
      names_.push_back(l);
    }
    return std::min(it->second, kMaskBits - 1);
  }

  Mask labels_in(Mask part) const {
    Mask labels = 0;
    for (Mask rest = part; rest != 0; rest &= rest - 1) labels |= element_labels_[lowest_of(rest)];
    return labels;
  }
  Mask rest_of(Mask part) const { return ~part & first_bits(count_); }

  double size(Mask labels) const {
    double product = 1;
    for (Mask rest = labels; rest != 0; rest &= rest - 1) product *= sizes_[lowest_of(rest)];
    return product;
  }
  double size(const Open& open) const { return size(open.own) * size(open.mirrored); }

  // Labels of a part of the half that its mirror image or the rest need.
  Mask open_one(Mask part) const {
    return labels_in(part) & (labels_in(rest_of(part) & half_) | ~inner_);
  }
  // Labels that a part together with its mirror image leaves open.
  Open open_two(Mask part) const {
    const Mask labels = labels_in(part);
    const Mask joint = labels & inner_ & labels_in(rest_of(part) & half_);
    const Mask shared = labels & ~inner_ & (output_ | labels_in(rest_of(part)));
    return {joint | shared, joint};
  }

  static double work(double combinations, bool sums) { return combinations * (sums ? 2 : 1); }
  // Of a product over these labels whose result has `kept` elements.
  double work(const Open& together, double kept) const {
    const double combinations = size(together);
    return work(combinations, combinations > kept);
  }

  // Where the step of a part stands: the parts tried are all sets, or runs of neighbours.
  std::size_t place(Mask part) const {
    if (count_ <= all_parts_) return static_cast<std::size_t>(part);
    return lowest_of(part) * (count_ + 1) + highest_of(part);
  }

  // Calls visit(a, b) for the ways to split a part in two.
  template <class Visit>
  void splits(Mask part, const Visit& visit) const {
    if (count_ <= all_parts_) {
      const Mask lowest = part & (~part + 1), others = part & ~lowest;
      for (Mask sub = others; sub != 0; sub = (sub - 1) & others) visit(part & ~sub, sub);
      return;
    }
    // A run of neighbours: cut it after each of its members.
    Mask head = 0;
    for (Mask rest = part; rest != 0; rest &= rest - 1) {
      head |= rest & (~rest + 1);
      if (head != part) visit(head, part & ~head);
    }
  }

  const Step& one(Mask part) {
    Step& best = one_[place(part)];
    if (best.known) return best;
    best.known = true;
    best.open = {open_one(part), 0};
    if (is_single(part)) {
      best = {0, 0, Order::kFactor, part, 0, best.open, true};
    } else {
      splits(part, [&](Mask a, Mask b) {
        const Step &left = one(a), &right = one(b);
        if (surely_worse(best, left, right)) return;
        if (!connected(left.open.own, right.open.own)) return;
        const Mask together = left.open.own | right.open.own;
        const double flops = work(size(together), (together & ~best.open.own) != 0);
        offer(best, left, right, 3 * flops, flops, Order::kPair, a, b);
      });
    }
    return best;
  }

  // Do parts with these open labels belong together? Only labels that are summed over connect: b is
  // everywhere. A part without any, such as s(b,o), joins what it shares another label with.
  bool connected(Mask a, Mask b) const {
    const bool outside = (a & inner_) == 0 || (b & inner_) == 0;
    return (a & b & (outside ? ~Mask{0} : inner_)) != 0;
  }

  // Some splits are told by their parts alone, before any size is known.
  static bool surely_worse(const Step& best, const Step& a, const Step& b) {
    return a.weighted + b.weighted >= best.weighted;
  }

  static void offer(Step& best, const Step& a, const Step& b, double weighted, double value,
                    Order::Kind kind, Mask left, Mask right) {
    const double total = a.weighted + b.weighted + weighted;
    if (total < best.weighted)
      best = {total, a.value + b.value + value, kind, left, right, best.open, true};
  }

  const Step& two(Mask part) {
    Step& best = two_[place(part)];
    if (best.known) return best;
    best.known = true;
    const Open open = best.open = open_two(part);
    const double kept = size(open);
    const bool half_only = (part & ~half_) == 0;
    if (!half_only && is_single(part)) {
      // A factor outside the half; labels that only it has are summed over first.
      const double flops = (labels_in(part) & ~open.own) != 0 ? size(labels_in(part)) : 0;
      best = {flops, flops, Order::kFactor, part, 0, open, true};
    }
    if (half_only) {
      const Mask mine = one(part).open.own;
      const Open both{mine, mine & inner_};
      const bool sums = (mine & ~open.own) != 0;
      const double flops = work(size(both), sums) * (both.mirrored != 0 ? 0.5 : 1);
      Step none;
      none.weighted = 0;
      offer(best, one(part), none, flops * (both.mirrored != 0 ? 3 : 1.5), flops, Order::kSquare,
            part, 0);
    }
    if (!is_single(part) && !(whole_half_ && half_only))
      splits(part, [&](Mask a, Mask b) {
        if (whole_half_ && (a & half_) != 0 && (b & half_) != 0) return;
        for (int turn = 0; turn < 2; ++turn, std::swap(a, b)) {
          if ((b & ~half_) == 0 && !whole_half_) sandwich(best, kept, a, b);
          if (turn == 0) {
            const Step &left = two(a), &right = two(b);
            if (surely_worse(best, left, right)) continue;
            const Open together = left.open | right.open;
            const double flops = work(together, kept);
            offer(best, left, right, 3 * flops, flops, Order::kPair, a, b);
          }
        }
      });
    return best;
  }

  // two(middle) and one(side): side * middle, then * mirror of side.
  void sandwich(Step& best, double kept, Mask middle, Mask side) {
    const Step &centre = two(middle), &flank = one(side);
    if (surely_worse(best, centre, flank)) return;
    const Open& inside = centre.open;
    const Mask mine = flank.open.own;
    const Mask joint = inside.own & mine & inner_;
    if (joint == 0) return;
    const double first = work(size(inside | Open{mine, 0}), true);
    const Open between = Open{(inside.own | mine) & ~joint, inside.mirrored};
    const Open last = between | Open{0, mine & inner_};
    const double second = work(last, kept) * 0.5;
    offer(best, centre, flank, 3 * first + 3 * second, first + second, Order::kSandwich, middle,
          side);
  }

  std::shared_ptr<const Order> tree(Mask part, bool with_mirror) {
    const Step step = with_mirror ? two(part) : one(part);
    auto order = std::make_shared<Order>();
    order->kind = step.kind;
    order->own = named(step.open.own);
    order->mirrored = named(step.open.mirrored);
    switch (step.kind) {
      case Order::kFactor:
        order->factor = lowest_of(part);
        break;
      case Order::kPair:
        order->left = tree(step.left, with_mirror);
        order->right = tree(step.right, with_mirror);
        break;
      case Order::kSquare:
        order->left = tree(step.left, false);
        break;
      case Order::kSandwich:
        order->left = tree(step.left, true);
        order->right = tree(step.right, false);
        break;
    }
    return order;
  }

  std::vector<Label> named(Mask mask) const {
    std::vector<Label> result;
    for (Mask rest = mask; rest != 0; rest &= rest - 1) result.push_back(names_[lowest_of(rest)]);
    return result;
  }

  std::vector<Label> names_;
  std::unordered_map<Label, std::size_t> position_;
  std::vector<double> sizes_;
  std::vector<Mask> element_labels_;
  std::size_t count_ = 0;
  std::size_t all_parts_;
  bool whole_half_;
  Mask half_ = 0, output_ = 0, inner_ = 0;
  std::vector<Step> one_, two_;  // by place()
};

}  // namespace

Found find_order(const Form& form, const Labels& labels, bool whole_half) {
  Search search(form, labels, whole_half, kAllParts);
  return search.fits() ? search.run() : Found{};
}

double estimated_flops(const Form& form, const Labels& labels) {
  Search search(form, labels, false, kAllPartsOfEstimates);
  return search.fits() ? search.run().weighted_flops : kImpossible;
}

bool takes_half_apart(const Order& order) {
  return !order.mirrored.empty() || (order.left && takes_half_apart(*order.left)) ||
         (order.right && takes_half_apart(*order.right));
}

}  // namespace jacquard::algebra
