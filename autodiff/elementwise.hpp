// Builds elementwise ops from one scalar function each. Arity, broadcasting shape, kernels in
// three precisions, dependence of rows and batching follow.
#pragma once

#include "autodiff/loops.hpp"
#include "autodiff/op.hpp"
#include "autodiff/runs.hpp"

namespace jacquard {

// The rules that all elementwise ops share.
Shape elementwise_shape(const Op& op, std::span<const Shape* const> in, const Attributes&);
int elementwise_examples(const ExampleCall& call);
Expr elementwise_batch(const Call& call, std::span<const Expr> in,
                       const std::vector<bool>& batched);
// No input receives a gradient.
std::vector<Expr> no_gradient(const Call& call, Expr g);

// The plain kernel of an elementwise op, and its runs.
struct ScalarKernel {
  Kernel kernel;
  const Runs* runs;
};

// Both from a scalar function of one, two or three numbers of the same type: float, double, Quad,
// or Recorded, which knows no branches but choose().
template <class F>
constexpr ScalarKernel scalar1(F) {
  return {kernel([](const auto& c) {
            loops::map1(c.context.pool, c.shape, c.out, c.in[0], [](auto x) { return F{}(x); });
          }),
          &runs::kRuns<F, 1>};
}
template <class F>
constexpr ScalarKernel scalar2(F) {
  return {kernel([](const auto& c) {
            loops::map2(c.context.pool, c.shape, c.out, c.in[0], c.in[1],
                        [](auto x, auto y) { return F{}(x, y); });
          }),
          &runs::kRuns<F, 2>};
}
template <class F>
constexpr ScalarKernel scalar3(F) {
  return {kernel([](const auto& c) {
            loops::map3(c.context.pool, c.shape, c.out, c.in[0], c.in[1], c.in[2],
                        [](auto x, auto y, auto z) { return F{}(x, y, z); });
          }),
          &runs::kRuns<F, 3>};
}

// gradient() looks through it: an adjoint masked by where() stays masked on its way back.
extern const Op where_op;

struct ElementwiseFields {
  std::string_view name;
  int arity = 1;
  ScalarKernel kernel;
  std::vector<Expr> (*derivative)(const Call&, Expr g);
  std::span<const Domain> domains = {};
  bool commutative = false;
  bool held = false;
  bool costly = false;
  std::string_view run_attribute = {};
  // For ops with attributes: each is tested on every combination of shapes.
  std::vector<Sample> (*samples)() = nullptr;
};

constexpr Op elementwise(const ElementwiseFields& fields) {
  return Op{.name = fields.name,
            .arity = fields.arity,
            .shape = elementwise_shape,
            .derivative = fields.derivative,
            .kernel = fields.kernel.kernel,
            .examples = elementwise_examples,
            .batch = elementwise_batch,
            .elementwise = true,
            .runs = fields.kernel.runs,
            .run_attribute = fields.run_attribute,
            .costly = fields.costly,
            .commutative = fields.commutative,
            .held = fields.held,
            .domains = fields.domains,
            .samples = fields.samples};
}

}  // namespace jacquard
