// Sums, products, quotients and powers.
#include <algorithm>
#include <array>

#include "autodiff/elementwise.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/families.hpp"

namespace jacquard {
namespace {

constexpr std::array kAwayFromZero = {Domain{-2, 2}, Domain{0.3, 3}};
constexpr std::array kPositive = {Domain{0.3, 3}};

constexpr auto plus = [](auto x, auto y) JACQUARD_INLINE { return x + y; };
constexpr auto to_the_power = [](auto x, auto y) JACQUARD_INLINE { return number::pow(x, y); };

// n-ary, so that the adjoint of a node read many times is one node and one sweep over memory.
constinit const Op add_op = elementwise({
    .name = "add",
    .arity = kAnyArity,
    .kernel = {kernel([](const auto& c) {
                 if (c.in.size() == 1)
                   return loops::map1(c.context.pool, c.shape, c.out, c.in[0],
                                      [](auto x) { return x; });
                 loops::map2(c.context.pool, c.shape, c.out, c.in[0], c.in[1], plus);
                 for (std::size_t i = 2; i < c.in.size(); ++i)
                   loops::map2(c.context.pool, c.shape, c.out, {&c.shape, c.out}, c.in[i], plus);
               }),
               &runs::kRuns<decltype(plus), 2>},
    .derivative = [](const Call& c, Expr g) { return std::vector<Expr>(c.in.size(), g); },
    .commutative = true,
});

constinit const Op subtract_op = elementwise({
    .name = "subtract",
    .arity = 2,
    .kernel = scalar2([](auto x, auto y) JACQUARD_INLINE { return x - y; }),
    .derivative =
        [](const Call&, Expr g) {
          return std::vector<Expr>{g, -g};
        },
});

constinit const Op multiply_op = elementwise({
    .name = "multiply",
    .arity = 2,
    .kernel = scalar2([](auto x, auto y) JACQUARD_INLINE { return x * y; }),
    .derivative =
        [](const Call& c, Expr g) {
          return std::vector<Expr>{g * c.in[1], g * c.in[0]};
        },
    .commutative = true,
});

constinit const Op divide_op = elementwise({
    .name = "divide",
    .arity = 2,
    .kernel = scalar2([](auto x, auto y) JACQUARD_INLINE { return x / y; }),
    .derivative =
        [](const Call& c, Expr g) {
          return std::vector<Expr>{g / c.in[1], -(g * c.out / c.in[1])};
        },
    .domains = kAwayFromZero,
});

constinit const Op negate_op = elementwise({
    .name = "negate",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return -x; }),
    .derivative = [](const Call&, Expr g) { return std::vector<Expr>{-g}; },
});

constinit const Op square_op = elementwise({
    .name = "square",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return x * x; }),
    .derivative = [](const Call& c, Expr g) { return std::vector<Expr>{g * (2.0 * c.in[0])}; },
});

// The exponent is an attribute, so that x^3 is defined, and smooth, for negative x as well.
constinit const Op power_constant_op = elementwise({
    .name = "power_constant",
    .kernel = {kernel([](const auto& c) {
                 using T = std::remove_reference_t<decltype(*c.out)>;
                 const T exponent = static_cast<T>(c.attributes.number("exponent"));
                 loops::map1(c.context.pool, c.shape, c.out, c.in[0],
                             [exponent](T x) { return to_the_power(x, exponent); });
               }),
               &runs::kRuns<decltype(to_the_power), 2>},
    .derivative =
        [](const Call& c, Expr g) {
          const double exponent = c.attributes.number("exponent");
          return std::vector<Expr>{g * (exponent * power(c.in[0], exponent - 1))};
        },
    .domains = kPositive,
    .costly = true,
    .run_attribute = "exponent",
    .samples =
        [] {
          std::vector<Sample> samples;
          for (const double exponent : {3.0, -1.0, 0.5, 2.5})
            samples.push_back({{}, {{"exponent", exponent}}});
          return samples;
        },
});

constinit const Op power_op = elementwise({
    .name = "power",
    .arity = 2,
    .kernel = scalar2(to_the_power),
    .derivative =
        [](const Call& c, Expr g) {
          const Expr x = c.in[0], y = c.in[1];
          const Expr zero = constant(*g.tape, 0.0);
          // 0^0 is 1 for every y near 0 and every x near 0 as far as these rules go: no slope.
          return std::vector<Expr>{where(not_equal(y, zero), g * (y * power(x, y - 1.0)), zero),
                                   where(not_equal(x, zero), g * (c.out * log(x)), zero)};
        },
    .domains = kPositive,
    .costly = true,
});

}  // namespace

Expr add_all(const std::vector<Expr>& terms) {
  if (terms.empty()) throw InternalError("add: a sum of no terms has no shape");
  return terms.size() == 1 ? terms[0] : terms[0].tape->append(add_op, terms);
}

Expr operator+(Expr a, Expr b) { return a.tape->append(add_op, {a, b}); }
Expr operator-(Expr a, Expr b) { return a.tape->append(subtract_op, {a, b}); }
Expr operator*(Expr a, Expr b) { return a.tape->append(multiply_op, {a, b}); }
Expr operator/(Expr a, Expr b) { return a.tape->append(divide_op, {a, b}); }
Expr operator-(Expr x) { return x.tape->append(negate_op, {x}); }
Expr operator+(Expr a, double b) { return a + constant(*a.tape, b); }
Expr operator+(double a, Expr b) { return constant(*b.tape, a) + b; }
Expr operator-(Expr a, double b) { return a - constant(*a.tape, b); }
Expr operator-(double a, Expr b) { return constant(*b.tape, a) - b; }
Expr operator*(Expr a, double b) { return a * constant(*a.tape, b); }
Expr operator*(double a, Expr b) { return constant(*b.tape, a) * b; }
Expr operator/(Expr a, double b) { return a / constant(*a.tape, b); }
Expr operator/(double a, Expr b) { return constant(*b.tape, a) / b; }
Expr square(Expr x) { return x.tape->append(square_op, {x}); }

Expr power(Expr x, double exponent) {
  if (exponent == 0) return ones_like(x);
  if (exponent == 1) return x;
  if (exponent == 2) return square(x);
  return x.tape->append(power_constant_op, {x}, {{"exponent", exponent}});
}
Expr power(Expr x, Expr exponent) { return x.tape->append(power_op, {x, exponent}); }

std::span<const Op* const> arithmetic_ops() {
  static constexpr std::array kOps = {&add_op,    &subtract_op, &multiply_op,       &divide_op,
                                      &negate_op, &square_op,   &power_constant_op, &power_op};
  return kOps;
}

}  // namespace jacquard
