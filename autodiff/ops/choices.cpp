// Choices between numbers: comparisons, logic, where, maximum, minimum, clamp, stop_gradient.
#include <array>

#include "autodiff/elementwise.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/families.hpp"

namespace jacquard {
namespace {

using Adjoints = std::vector<Expr>;

// Tests sample what is compared for equality, or is true or false, from few values.
constexpr std::array kFew = {Domain{0, 2, true}};
constexpr std::array kConditionFirst = {Domain{0, 1, true}, Domain{}};

template <class F>
constexpr Op comparison(std::string_view name, F, bool commutative = false) {
  return elementwise({
      .name = name,
      .arity = 2,
      .kernel = scalar2([](auto x, auto y) JACQUARD_INLINE {
        using T = decltype(x);
        return choose(F{}(x, y), T(1), T(0));
      }),
      .derivative = no_gradient,
      .domains = commutative ? std::span<const Domain>(kFew) : std::span<const Domain>(),
      .commutative = commutative,
  });
}

constinit const Op less_op =
    comparison("less", [](auto x, auto y) JACQUARD_INLINE { return x < y; });
constinit const Op less_equal_op =
    comparison("less_equal", [](auto x, auto y) JACQUARD_INLINE { return x <= y; });
constinit const Op equal_op = comparison(
    "equal", [](auto x, auto y) JACQUARD_INLINE { return x == y; }, true);
constinit const Op not_equal_op = comparison(
    "not_equal", [](auto x, auto y) JACQUARD_INLINE { return x != y; }, true);
constinit const Op and_op = comparison(
    "and", [](auto x, auto y) JACQUARD_INLINE { return x != 0 && y != 0; }, true);
constinit const Op or_op = comparison(
    "or", [](auto x, auto y) JACQUARD_INLINE { return x != 0 || y != 0; }, true);

constinit const Op not_op = elementwise({
    .name = "not",
    .kernel = scalar1([](auto x) JACQUARD_INLINE {
      using T = decltype(x);
      return choose(x == 0, T(1), T(0));
    }),
    .derivative = no_gradient,
    .domains = kFew,
});

// The part of a tie that each argument receives: 1 where it wins, 1/2 where both are equal.
Expr share(Expr a, Expr b, Expr g) { return g * (1.0 - 0.5 * equal(a, b)); }

constinit const Op maximum_op = elementwise({
    .name = "maximum",
    .arity = 2,
    .kernel = scalar2([](auto x, auto y) JACQUARD_INLINE { return choose(x > y || x != x, x, y); }),
    .derivative =
        [](const Call& c, Expr g) {
          const Expr a = c.in[0], b = c.in[1], zero = constant(*g.tape, 0.0);
          const Expr part = share(a, b, g);
          return Adjoints{where(greater_equal(a, b), part, zero),
                          where(greater_equal(b, a), part, zero)};
        },
    .commutative = true,
});

constinit const Op minimum_op = elementwise({
    .name = "minimum",
    .arity = 2,
    .kernel = scalar2([](auto x, auto y) JACQUARD_INLINE { return choose(x < y || x != x, x, y); }),
    .derivative =
        [](const Call& c, Expr g) {
          const Expr a = c.in[0], b = c.in[1], zero = constant(*g.tape, 0.0);
          const Expr part = share(a, b, g);
          return Adjoints{where(less_equal(a, b), part, zero), where(less_equal(b, a), part, zero)};
        },
    .commutative = true,
});

constinit const Op stop_gradient_op = elementwise({
    .name = "stop_gradient",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return x; }),
    .derivative = no_gradient,
    .held = true,
});

}  // namespace

constinit const Op where_op = elementwise({
    .name = "where",
    .arity = 3,
    .kernel = scalar3([](auto c, auto a, auto b) JACQUARD_INLINE { return choose(c != 0, a, b); }),
    .derivative =
        [](const Call& c, Expr g) {
          const Expr zero = constant(*g.tape, 0.0);
          return Adjoints{Expr{}, where(c.in[0], g, zero), where(c.in[0], zero, g)};
        },
    .domains = kConditionFirst,
});

Expr less(Expr a, Expr b) { return a.tape->append(less_op, {a, b}); }
Expr less_equal(Expr a, Expr b) { return a.tape->append(less_equal_op, {a, b}); }
Expr greater(Expr a, Expr b) { return less(b, a); }
Expr greater_equal(Expr a, Expr b) { return less_equal(b, a); }
Expr equal(Expr a, Expr b) { return a.tape->append(equal_op, {a, b}); }
Expr not_equal(Expr a, Expr b) { return a.tape->append(not_equal_op, {a, b}); }
Expr logical_and(Expr a, Expr b) { return a.tape->append(and_op, {a, b}); }
Expr logical_or(Expr a, Expr b) { return a.tape->append(or_op, {a, b}); }
Expr logical_not(Expr a) { return a.tape->append(not_op, {a}); }
Expr where(Expr condition, Expr a, Expr b) { return a.tape->append(where_op, {condition, a, b}); }
Expr maximum(Expr a, Expr b) { return a.tape->append(maximum_op, {a, b}); }
Expr minimum(Expr a, Expr b) { return a.tape->append(minimum_op, {a, b}); }
Expr stop_gradient(Expr x) { return x.tape->append(stop_gradient_op, {x}); }

Expr clamp(Expr x, double low, double high) {
  if (!(low <= high)) throw Error(cat("clamp: low ", low, " is above high ", high));
  const Expr lo = constant(*x.tape, low), hi = constant(*x.tape, high);
  return where(less(x, lo), lo, where(greater(x, hi), hi, x));
}

std::span<const Op* const> choice_ops() {
  static constexpr std::array kOps = {&less_op,    &less_equal_op, &equal_op,        &not_equal_op,
                                      &and_op,     &or_op,         &not_op,          &where_op,
                                      &maximum_op, &minimum_op,    &stop_gradient_op};
  return kOps;
}

}  // namespace jacquard
