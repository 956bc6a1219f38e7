// contract: products summed over named indices, and what is an instance of it.
#include <algorithm>
#include <array>

#include "autodiff/error.hpp"
#include "autodiff/loops.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/contract_loops.hpp"
#include "autodiff/ops/contract_products.hpp"
#include "autodiff/ops/families.hpp"
#include "autodiff/subscripts.hpp"
#include "autodiff/tensor.hpp"

namespace jacquard {
namespace {

Subscripts subscripts_of(const Attributes& attributes) {
  return Subscripts::parse(attributes.text("subscripts"));
}

std::vector<const Shape*> shape_list(std::span<const Shape* const> in) {
  return {in.begin(), in.end()};
}

// More than two operands are taken from left to right, two at a time.
template <class T>
void contract_kernel(const KernelCall<T>& c) {
  Subscripts s = subscripts_of(c.attributes);
  if (s.inputs.size() == 1)
    return PlainContraction<1>(s, {c.in[0].shape}).run<T>(c.context.pool, {c.in[0].data}, c.out);
  Tensor<T> left;
  const T* left_data = c.in[0].data;
  Shape left_shape = *c.in[0].shape;
  for (std::size_t k = 1; k + 1 < c.in.size(); ++k) {
    const auto [pair, rest] = s.split_first_pair();
    Tensor<T> result(contracted_shape(pair, {&left_shape, c.in[k].shape}));
    PlainContraction<2>(pair, {&left_shape, c.in[k].shape})
        .run<T>(c.context.pool, {left_data, c.in[k].data}, result.data.data());
    left = std::move(result);
    left_data = left.data.data();
    left_shape = left.shape;
    s = rest;
  }
  const Operand<T>& last = c.in.back();
  PlainContraction<2>(s, {&left_shape, last.shape})
      .run<T>(c.context.pool, {left_data, last.data}, c.out);
}

// ---------------------------------------------------------------- derivative
// The adjoint of operand k: the other operands and g, contracted to the indices of k.
Expr operand_adjoint(const Call& c, const Subscripts& s, std::size_t k, Expr g) {
  Subscripts adjoint;
  std::vector<Expr> operands;
  adjoint.inputs.push_back(s.output);
  operands.push_back(g);
  for (std::size_t i = 0; i < s.inputs.size(); ++i)
    if (i != k) {
      adjoint.inputs.push_back(s.inputs[i]);
      operands.push_back(c.in[i]);
    }
  // An index standing twice in the operand walks its diagonal: the adjoint is zero beside it.
  std::string own, target;
  for (std::size_t i = 0; i < s.inputs[k].size(); ++i) {
    const char index = s.inputs[k][i];
    if (own.find(index) == own.npos) {
      own += index;
      target += index;
      continue;
    }
    Subscripts all = s;
    for (const std::string& in : adjoint.inputs) all.inputs.push_back(in);
    all.inputs.push_back(target);
    const char fresh = all.unused();
    adjoint.inputs.push_back(std::string{index, fresh});
    operands.push_back(eye(*g.tape, c.in[k].shape()[static_cast<int>(i)]));
    target += fresh;
  }
  // Indices that only this operand has were summed over: the adjoint is constant along them.
  std::vector<std::int64_t> sizes;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const bool known = std::ranges::any_of(
        adjoint.inputs, [&](const std::string& in) { return in.find(target[i]) != in.npos; });
    if (known) adjoint.output += target[i];
    sizes.push_back(known ? c.in[k].shape()[static_cast<int>(i)] : 1);
  }
  const Expr result = contract(adjoint.text(), operands);
  return broadcast_to(reshape(result, Shape(std::move(sizes))), c.in[k].shape());
}

constinit const Op contract_op{
    .name = "contract",
    .arity = kAnyArity,
    .shape =
        [](const Op&, std::span<const Shape* const> in, const Attributes& attributes) {
          const Shape out = contracted_shape(subscripts_of(attributes), shape_list(in));
          symmetric_axes(attributes, out);  // refuses axes that cannot be exchanged
          return out;
        },
    .derivative =
        [](const Call& c, Expr g) {
          const Subscripts s = subscripts_of(c.attributes);
          std::vector<Expr> adjoints;
          for (std::size_t k = 0; k < c.in.size(); ++k)
            adjoints.push_back(operand_adjoint(c, s, k, g));
          return adjoints;
        },
    .kernel = kernel([](const auto& c) { contract_kernel(c); }),
    .prepare_float = prepare_contraction<float>,
    .prepare_double = prepare_contraction<double>,
    .examples =
        [](const ExampleCall& call) {
          const Subscripts s = subscripts_of(call.attributes);
          char example = 0;
          for (std::size_t k = 0; k < call.in.size(); ++k) {
            if (call.axes[k] == kNoAxis) continue;
            const char index = s.inputs[k][static_cast<std::size_t>(call.axes[k])];
            if (example != 0 && index != example) return kMixes;
            example = index;
          }
          if (example == 0) return kNoAxis;
          const std::size_t at = s.output.find(example);
          return at == std::string::npos ? kMixes : static_cast<int>(at);
        },
    .batch =
        [](const Call& call, std::span<const Expr> in, const std::vector<bool>& batched) {
          Subscripts s = subscripts_of(call.attributes);
          const char fresh = s.unused();
          for (std::size_t k = 0; k < in.size(); ++k)
            if (batched[k]) s.inputs[k].insert(s.inputs[k].begin(), fresh);
          s.output.insert(s.output.begin(), fresh);
          return contract(s.text(), {in.begin(), in.end()});
        },
    .samples =
        [] {
          const auto with = [](const char* text) {
            return Attributes{{"subscripts", std::string(text)}};
          };
          return std::vector<Sample>{
              {{{2, 3}, {3, 4}}, with("ab,bc->ac")},
              {{{2, 3}, {4, 3}}, with("ab,cb->ac")},
              {{{3, 2}, {3, 4}}, with("ab,ac->cb")},
              {{{2, 3, 2}, {2, 2, 4}}, with("abc,acd->abd")},
              {{{2, 3}, {3}}, with("ab,b->a")},
              {{{2}, {3}}, with("a,b->ab")},
              {{{3, 3}}, with("aa->a")},
              {{{2, 3, 3}}, with("abb->a")},
              {{{2, 3}, {2}}, with("ab,c->a")},
              {{{2, 3}, {3, 2}, {2, 2}}, with("ab,bc,ac->a")},
              {{{2, 2}, {2, 3}, {3, 2}, {2}}, with("ab,bc,cd,d->a")},
              {{{2, 3}}, with("ab->")},
              {{{2, 3}, {2, 3}}, with("ab,ab->b")},
              {{{2, 1}, {1, 3}}, with("ab,bc->ac")},
          };
        },
};

// ---------------------------------------------------------------- sums with contractions
// x + s contract(a, b), or x - s contract(a, b) where the attribute `negative` is 1; s is a scalar
// and may be left out. Plans write it so, to add a product to what is in memory already.
constinit const Op contract_add_op{
    .name = "contract_add",
    .arity = kAnyArity,
    .shape =
        [](const Op& op, std::span<const Shape* const> in, const Attributes& attributes) {
          const bool scaled = in.size() == 4 && in[3]->rank() == 0;
          if (in.size() != 3 && !scaled)
            throw ShapeError(cat(op.name, ": takes x, a, b and perhaps a scalar"));
          const Shape out = contracted_shape(subscripts_of(attributes), {in[1], in[2]});
          if (!(out == *in[0]))
            throw ShapeError(cat(op.name, ": the product has shape ", out, ", what it is added to ",
                                 *in[0], "; they must be the same"));
          symmetric_axes(attributes, out);
          return out;
        },
    .derivative =
        [](const Call& c, Expr g) {
          const Subscripts s = subscripts_of(c.attributes);
          const std::array factors{c.in[1], c.in[2]};
          const Expr product = contract(s.text(), {factors.begin(), factors.end()});
          Expr upstream = c.attributes.integer("negative") != 0 ? -g : g;
          std::vector<Expr> adjoints{g};
          const Expr scaled = c.in.size() == 4 ? c.in[3] * upstream : upstream;
          for (std::size_t k = 0; k < 2; ++k)
            adjoints.push_back(operand_adjoint({factors, product, c.attributes}, s, k, scaled));
          if (c.in.size() == 4) adjoints.push_back(sum(upstream * product));
          return adjoints;
        },
    .kernel = kernel([](const auto& c) {
      using T = std::remove_reference_t<decltype(*c.out)>;
      const auto n = static_cast<std::size_t>(c.shape.size());
      std::vector<T> product(n);
      PlainContraction<2>(subscripts_of(c.attributes), {c.in[1].shape, c.in[2].shape})
          .template run<T>(c.context.pool, {c.in[1].data, c.in[2].data}, product.data());
      const bool negative = c.attributes.integer("negative") != 0;
      const T scale = (negative ? T(-1) : T(1)) * (c.in.size() == 4 ? *c.in[3].data : T(1));
      for (std::size_t i = 0; i < n; ++i) c.out[i] = c.in[0].data[i] + scale * product[i];
    }),
    .prepare_float = prepare_accumulation<float>,
    .prepare_double = prepare_accumulation<double>,
    .examples =
        [](const ExampleCall& call) {
          if (call.in.size() == 4 && call.axes[3] != kNoAxis) return kMixes;
          const int product = contract_op.examples(
              {call.in.subspan(1, 2), call.axes.subspan(1, 2), call.shape, call.attributes});
          if (product == kNoAxis || product == call.axes[0]) return call.axes[0];
          return call.axes[0] == kNoAxis ? product : kMixes;
        },
    .in_place = true,
    .samples =
        [] {
          const auto with = [](const char* text, std::int64_t negative) {
            return Attributes{{"subscripts", std::string(text)}, {"negative", negative}};
          };
          return std::vector<Sample>{
              {{{3, 3}, {3, 3}, {3, 3}}, with("ab,bc->ac", 0)},
              {{{2, 4}, {2, 3}, {3, 4}}, with("ab,bc->ac", 0)},
              {{{2, 4}, {3, 2}, {3, 4}, {}}, with("ba,bc->ac", 1)},
              {{{2, 3, 4}, {2, 5, 3}, {2, 5, 4}}, with("bda,bdc->bac", 1)},
          };
        },
};

// Letters for the axes of a matrix product of two stacks.
struct StackLabels {
  std::string a, b, out;
  char next = 'd';
};

}  // namespace

Expr contract(std::string_view subscripts, const std::vector<Expr>& operands) {
  if (operands.empty()) throw ShapeError("contract: at least one operand is needed");
  const Subscripts s = Subscripts::parse(subscripts).canonical();
  if (s.inputs.size() == 1 && operands.size() == 1 && s.inputs[0] == s.output &&
      static_cast<int>(s.output.size()) == operands[0].shape().rank())
    return operands[0];
  return operands[0].tape->append(contract_op, operands, {{"subscripts", s.text()}});
}

Expr contract_add(Expr x, Expr product, Expr scale, bool negative) {
  const Node node = x.tape->node(product);
  std::vector<Expr> in{x, x.tape->expr(node.inputs[0]), x.tape->expr(node.inputs[1])};
  if (scale) in.push_back(scale);
  std::vector<Attributes::Entry> entries = node.attributes.entries();
  entries.emplace_back("negative", std::int64_t{negative});
  return x.tape->append(contract_add_op, in, Attributes(std::move(entries)));
}

Expr matmul(Expr a, Expr b) {
  const auto fail = [&](const char* what) {
    throw ShapeError(cat("matmul: ", a.shape(), " @ ", b.shape(), ": ", what));
  };
  if (a.shape().rank() == 0 || b.shape().rank() == 0)
    fail("a scalar has no axis to sum over; use * instead");
  const Shape sa = a.shape(), sb = b.shape();
  const int inner_b = std::max(0, sb.rank() - 2);
  if (sa[sa.rank() - 1] != sb[inner_b]) fail("the inner sizes differ");
  const int stack_a = std::max(0, sa.rank() - 2), stack_b = std::max(0, sb.rank() - 2);
  StackLabels labels;
  // Stack axes broadcast: an axis of size 1 against a larger one is dropped from its operand.
  for (int i = std::max(stack_a, stack_b); i >= 1; --i) {
    const std::int64_t m = i <= stack_a ? sa[stack_a - i] : 1,
                       n = i <= stack_b ? sb[stack_b - i] : 1;
    if (m != n && m != 1 && n != 1) fail("the stacks do not broadcast");
    const char index = labels.next++;
    labels.out += index;
    if (i <= stack_a) {
      if (m == 1 && n != 1)
        a = remove_axis(a, static_cast<std::int64_t>(labels.a.size()));
      else
        labels.a += index;
    }
    if (i <= stack_b) {
      if (n == 1 && (m != 1 || i <= stack_a))
        b = remove_axis(b, static_cast<std::int64_t>(labels.b.size()));
      else
        labels.b += index;
    }
  }
  if (sa.rank() > 1) {
    labels.a += 'a';
    labels.out += 'a';
  }
  labels.a += 'b';
  labels.b += 'b';
  if (sb.rank() > 1) {
    labels.b += 'c';
    labels.out += 'c';
  }
  return contract(labels.a + ',' + labels.b + "->" + labels.out, {a, b});
}

Expr matvec(Expr m, Expr v) { return contract("bmn,bn->bm", {m, v}); }
Expr vecmat(Expr u, Expr m) { return contract("bm,bmn->bn", {u, m}); }

namespace {

std::string stack_letters(const char* where, Expr m) {
  const int rank = m.shape().rank();
  if (rank < 2 || m.shape()[rank - 1] != m.shape()[rank - 2])
    throw ShapeError(cat(where, ": ", m.shape(), " is no stack of square matrices [.., n, n]"));
  return std::string("abcdefghij").substr(0, static_cast<std::size_t>(rank - 2));
}

}  // namespace

Expr diag(Expr m) {
  const std::string stack = stack_letters("diag", m);
  return contract(stack + "zz->" + stack + "z", {m});
}

Expr trace(Expr m) {
  const std::string stack = stack_letters("trace", m);
  return contract(stack + "zz->" + stack, {m});
}

std::span<const Op* const> contract_ops() {
  static constexpr std::array kOps = {&contract_op, &contract_add_op};
  return kOps;
}

}  // namespace jacquard
