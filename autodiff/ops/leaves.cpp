// Constants of the tape: a number, 0..n-1, the identity.
#include <array>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/families.hpp"

namespace jacquard {
namespace {

std::vector<Expr> no_inputs(const Call&, Expr) { return {}; }
int no_examples(const ExampleCall&) { return kNoAxis; }

std::int64_t checked_size(const char* where, std::int64_t n) {
  if (n < 0) throw ShapeError(cat(where, ": size ", n, " is negative"));
  return n;
}

constinit const Op constant_op{
    .name = "constant",
    .arity = 0,
    .shape = [](const Op&, std::span<const Shape* const>, const Attributes&) { return Shape{}; },
    .derivative = no_inputs,
    .kernel = kernel([](const auto& c) {
      *c.out = static_cast<std::remove_reference_t<decltype(*c.out)>>(c.attributes.number("value"));
    }),
    .examples = no_examples,
};

constinit const Op iota_op{
    .name = "iota",
    .arity = 0,
    .shape = [](const Op&, std::span<const Shape* const>,
                const Attributes& a) { return Shape{a.integer("n")}; },
    .derivative = no_inputs,
    .kernel = kernel([](const auto& c) {
      using T = std::remove_reference_t<decltype(*c.out)>;
      for (std::int64_t i = 0; i < c.shape.size(); ++i) c.out[i] = static_cast<T>(i);
    }),
    .examples = no_examples,
};

constinit const Op eye_op{
    .name = "eye",
    .arity = 0,
    .shape =
        [](const Op&, std::span<const Shape* const>, const Attributes& a) {
          return Shape{a.integer("n"), a.integer("n")};
        },
    .derivative = no_inputs,
    .kernel = kernel([](const auto& c) {
      using T = std::remove_reference_t<decltype(*c.out)>;
      const std::int64_t n = c.shape[0];
      for (std::int64_t i = 0; i < n * n; ++i) c.out[i] = static_cast<T>(i / n == i % n ? 1 : 0);
    }),
    .examples = no_examples,
};

}  // namespace

Expr constant(Tape& tape, double value) { return tape.append(constant_op, {}, {{"value", value}}); }
Expr full(Tape& tape, const Shape& shape, double value) {
  return broadcast_to(constant(tape, value), shape);
}
Expr iota(Tape& tape, std::int64_t n) {
  return tape.append(iota_op, {}, {{"n", checked_size("iota", n)}});
}
Expr eye(Tape& tape, std::int64_t n) {
  return tape.append(eye_op, {}, {{"n", checked_size("eye", n)}});
}
Expr zeros_like(Expr x) { return full(*x.tape, x.shape(), 0.0); }
Expr ones_like(Expr x) { return full(*x.tape, x.shape(), 1.0); }

std::span<const Op* const> leaf_ops() {
  static constexpr std::array kOps = {&input_op, &constant_op, &iota_op, &eye_op};
  return kOps;
}

}  // namespace jacquard
