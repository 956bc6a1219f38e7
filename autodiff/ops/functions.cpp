// Functions of one number: exponentials, trigonometry, activations.
#include <array>
#include <numbers>

#include "autodiff/elementwise.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/families.hpp"

namespace jacquard {
namespace {

using Adjoints = std::vector<Expr>;
constexpr std::array kPositive = {Domain{0.3, 3}};
constexpr std::array kAboveMinusOne = {Domain{-0.7, 3}};

// Klambauer et al. 2017, section 2: the fixed point (0, 1) of mean and variance.
constexpr double kSeluScale = 1.0507009873554804934193349852946;
constexpr double kSeluAlpha = 1.6732632423543772848170429916717;

constinit const Op abs_op = elementwise({
    .name = "abs",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::abs(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * sign(c.in[0])}; },
});

constinit const Op sign_op = elementwise({
    .name = "sign",
    .kernel = scalar1([](auto x) JACQUARD_INLINE {
      using T = decltype(x);
      // Zero and NaN stay what they are.
      return choose(x > T(0), T(1), choose(x < T(0), T(-1), x));
    }),
    .derivative = no_gradient,
});

constinit const Op exp_op = elementwise({
    .name = "exp",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::exp(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * c.out}; },
    .costly = true,
});

constinit const Op expm1_op = elementwise({
    .name = "expm1",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::expm1(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * exp(c.in[0])}; },
    .costly = true,
});

constinit const Op log_op = elementwise({
    .name = "log",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::log(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g / c.in[0]}; },
    .domains = kPositive,
    .costly = true,
});

constinit const Op log1p_op = elementwise({
    .name = "log1p",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::log1p(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g / (1.0 + c.in[0])}; },
    .domains = kAboveMinusOne,
    .costly = true,
});

constinit const Op sqrt_op = elementwise({
    .name = "sqrt",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::sqrt(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g / (2.0 * c.out)}; },
    .domains = kPositive,
});

constinit const Op sin_op = elementwise({
    .name = "sin",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::sin(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * cos(c.in[0])}; },
    .costly = true,
});

constinit const Op cos_op = elementwise({
    .name = "cos",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::cos(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{-(g * sin(c.in[0]))}; },
    .costly = true,
});

constinit const Op tanh_op = elementwise({
    .name = "tanh",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::tanh(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * (1.0 - square(c.out))}; },
    .costly = true,
});

constinit const Op sigmoid_op = elementwise({
    .name = "sigmoid",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::sigmoid(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * (c.out * (1.0 - c.out))}; },
    .costly = true,
});

constinit const Op softplus_op = elementwise({
    .name = "softplus",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::softplus(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * sigmoid(c.in[0])}; },
    .costly = true,
});

constinit const Op erf_op = elementwise({
    .name = "erf",
    .kernel = scalar1([](auto x) JACQUARD_INLINE { return number::erf(x); }),
    .derivative =
        [](const Call& c, Expr g) {
          // 2 / sqrt(pi) in two doubles, for the gradient check looks at 26 digits of it.
          Tape& tape = *g.tape;
          const Expr scale =
              constant(tape, 0x1.20dd750429b6dp+0) + constant(tape, 0x1.1ae3a914fed80p-56);
          return Adjoints{g * (scale * exp(-square(c.in[0])))};
        },
    .costly = true,
});

constinit const Op relu_op = elementwise({
    .name = "relu",
    .kernel = scalar1([](auto x) JACQUARD_INLINE {
      using T = decltype(x);
      return choose(x < T(0), T(0), x);  // NaN passes
    }),
    .derivative =
        [](const Call& c, Expr g) {
          const Expr zero = constant(*g.tape, 0.0);
          return Adjoints{where(greater(c.in[0], zero), g, zero)};
        },
});

}  // namespace

Expr abs(Expr x) { return x.tape->append(abs_op, {x}); }
Expr sign(Expr x) { return x.tape->append(sign_op, {x}); }
Expr exp(Expr x) { return x.tape->append(exp_op, {x}); }
Expr expm1(Expr x) { return x.tape->append(expm1_op, {x}); }
Expr log(Expr x) { return x.tape->append(log_op, {x}); }
Expr log1p(Expr x) { return x.tape->append(log1p_op, {x}); }
Expr sqrt(Expr x) { return x.tape->append(sqrt_op, {x}); }
Expr sin(Expr x) { return x.tape->append(sin_op, {x}); }
Expr cos(Expr x) { return x.tape->append(cos_op, {x}); }
Expr tanh(Expr x) { return x.tape->append(tanh_op, {x}); }
Expr sigmoid(Expr x) { return x.tape->append(sigmoid_op, {x}); }
Expr softplus(Expr x) { return x.tape->append(softplus_op, {x}); }
Expr erf(Expr x) { return x.tape->append(erf_op, {x}); }
Expr relu(Expr x) { return x.tape->append(relu_op, {x}); }

Expr leaky_relu(Expr x, double slope) {
  return where(greater(x, constant(*x.tape, 0.0)), x, slope * x);
}

Expr elu(Expr x, double alpha) {
  // Both branches stay finite: where() keeps the one not taken out of the adjoint, and the
  // minimum keeps exp from overflowing in the value.
  const Expr zero = constant(*x.tape, 0.0);
  const Expr positive = greater(x, zero);
  return where(positive, x, alpha * expm1(where(positive, zero, x)));
}

Expr selu(Expr x) { return kSeluScale * elu(x, kSeluAlpha); }

Expr gelu(Expr x) { return x * (0.5 * (1.0 + erf(x / std::numbers::sqrt2))); }

std::span<const Op* const> function_ops() {
  static constexpr std::array kOps = {&abs_op,     &sign_op,     &exp_op, &expm1_op, &log_op,
                                      &log1p_op,   &sqrt_op,     &sin_op, &cos_op,   &tanh_op,
                                      &sigmoid_op, &softplus_op, &erf_op, &relu_op};
  return kOps;
}

}  // namespace jacquard
