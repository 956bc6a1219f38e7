// The tests of an op from its definition alone, as functions that return a complaint, or "" where
// all is right: derivatives against quad differences, batching against single calls, the row map
// against what the values say. Functions, so that the tester is tested too, on planted mistakes.
#pragma once

#include <string>
#include <vector>

#include "autodiff/gradient.hpp"
#include "autodiff/substitute.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/op_calls.hpp"

namespace jacquard::testing {

inline std::string digits(Quad x) {
  std::ostringstream out;
  out.precision(17);
  out << static_cast<double>(x);
  return out.str();
}

// A cost made of one call, with what it is differentiated by.
struct CallCost {
  Tape tape;
  Operands operands;
  Expr value;                   // a scalar
  std::vector<Expr> variables;  // operands that are not whole numbers, and the weights
  std::vector<Expr> counts;     // operands that are: no gradient may flow to them
  HeldNodes held;
};

// sum(weights * call). The weights are a variable as well: a rule must also be right as a function
// of the adjoint that it receives.
inline void build_cost(CallCost& cost, const OpCall& call, Random& random) {
  cost.operands = random_operands(cost.tape, call, random);
  const Expr out = call.apply(cost.operands.in);
  const Expr weights = cost.tape.input("weights", out.shape());
  cost.operands.feed["weights"] = random.tensor<Quad>(out.shape());
  cost.value = sum(out * weights);
  for (std::size_t i = 0; i < call.shapes.size(); ++i)
    if (!(call.aliased && i == 1))
      (call.domains[i].whole ? cost.counts : cost.variables).push_back(cost.operands.in[i]);
  cost.variables.push_back(weights);
  if (call.op != nullptr && call.op->held) cost.held = {out.id};
}

// Relative 1e-15 as promised; what lies below 1e-18 of the values at hand is rounding.
inline bool slopes_agree(Quad tape, Quad numeric, Quad value) {
  const Quad scale =
      number::abs(tape) > number::abs(numeric) ? number::abs(tape) : number::abs(numeric);
  const Quad allowed = Quad(1e-15) * scale + Quad(1e-18) * (Quad(1) + number::abs(value));
  return number::abs(tape - numeric) <= allowed;
}

inline std::string derivative_complaint(const OpCall& call, std::uint64_t seed, int highest) {
  Random random(seed);
  CallCost cost;
  build_cost(cost, call, random);
  Feed<Quad>& feed = cost.operands.feed;
  for (const Expr& g : gradient(cost.value, cost.counts, Unused::kZero))
    if (!(evaluate<Quad>(g, feed) == Tensor<Quad>(g.shape())))
      return cat(call.name, ": order 1: a gradient flows to an operand of whole numbers");
  for (int order = 1; order <= highest; ++order) {
    const std::vector<Expr> gradients = gradient(cost.value, cost.variables, Unused::kZero);
    std::vector<Expr> terms;
    Feed<Quad> direction;
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const Expr variable = cost.variables[i];
      if (!(gradients[i].shape() == variable.shape()))
        return cat(call.name, ": order ", order, ": the gradient of an operand of shape ",
                   variable.shape(), " has shape ", gradients[i].shape());
      const std::string name = cat("direction ", order, ' ', i);
      feed[name] = random.tensor<Quad>(variable.shape(), {-1, 1});
      direction[input_name(cost.tape.node(variable))] = feed[name];
      terms.push_back(sum(gradients[i] * cost.tape.input(name, variable.shape())));
    }
    const Expr next = add_all(terms);
    const Quad exact = evaluate<Quad>(next, feed)[0];
    const Quad numeric = slope(cost.value, feed, direction, cost.held);
    if (!slopes_agree(exact, numeric, evaluate<Quad>(cost.value, feed)[0]))
      return cat(call.name, ": order ", order, ": the tape says ", digits(exact),
                 ", differences say ", digits(numeric));
    cost.value = next;
  }
  verify(cost.tape);
  return "";
}

// The derivatives of orders 1 to `highest`, each against differences of the order below, along a
// random direction of all variables at once.
inline std::string check_derivatives(const OpCall& call, std::uint64_t seed = 1, int highest = 3) {
  try {
    return derivative_complaint(call, seed, highest);
  } catch (const Error& error) {
    return cat(call.name, ": threw ", error.what());
  }
}

// Which operands of a call get the new axis: each one alone, and all; all subsets of up to three.
inline std::vector<std::vector<bool>> batched_subsets(std::size_t operands) {
  std::vector<std::vector<bool>> subsets;
  for (std::size_t bits = 1; bits < (std::size_t{1} << operands); ++bits) {
    std::vector<bool> subset;
    for (std::size_t i = 0; i < operands; ++i) subset.push_back((bits >> i & 1) != 0);
    const auto count = static_cast<std::size_t>(std::ranges::count(subset, true));
    if (operands <= 3 || count == 1 || count == operands) subsets.push_back(std::move(subset));
  }
  return subsets;
}

inline std::string batch_complaint(const OpCall& call, std::uint64_t seed) {
  constexpr std::int64_t kCount = 3;
  for (const std::vector<bool>& batched : batched_subsets(call.shapes.size())) {
    Random random(seed);
    Tape tape;
    // The batched operands are cut from one vector, the node that batch_over() replaces.
    std::int64_t length = 0;
    for (std::size_t i = 0; i < batched.size(); ++i)
      if (batched[i]) length += call.shapes[i].size();
    const Expr source = tape.input("source", {length});
    Feed<Quad> feed;
    Tensor<Quad> stack({kCount, length});
    std::vector<Expr> in;
    std::int64_t at = 0;
    for (std::size_t i = 0; i < batched.size(); ++i) {
      const Shape& shape = call.shapes[i];
      if (!batched[i]) {
        in.push_back(tape.input(operand_name(i), shape));
        feed[operand_name(i)] = random.tensor<Quad>(shape, call.domains[i]);
        continue;
      }
      in.push_back(reshape(slice(source, 0, at, at + shape.size()), shape));
      for (std::int64_t k = 0; k < kCount; ++k)
        for (std::int64_t j = 0; j < shape.size(); ++j)
          stack[k * length + at + j] = static_cast<Quad>(random.inside(call.domains[i]));
      at += shape.size();
    }
    const Expr single = call.apply(in);
    const Expr values = tape.input("values", {kCount, length});
    const Expr all = batch_over(single, source, values);
    std::vector<std::int64_t> sizes{kCount};
    sizes.insert(sizes.end(), single.shape().begin(), single.shape().end());
    if (!(all.shape() == Shape(sizes)))
      return cat(call.name, ": batched to ", all.shape(), " instead of ", Shape(sizes));
    feed["values"] = stack;
    const Tensor<Quad> got = evaluate<Quad>(all, feed);
    Tensor<Quad> expected(got.shape);
    for (std::int64_t k = 0; k < kCount; ++k) {
      Tensor<Quad> one({length});
      for (std::int64_t j = 0; j < length; ++j) one[j] = stack[k * length + j];
      feed["source"] = one;
      const Tensor<Quad> result = evaluate<Quad>(single, feed);
      for (std::int64_t j = 0; j < result.size(); ++j) expected[k * result.size() + j] = result[j];
    }
    if (const double error = tensor_error(got, expected); error > 1e-30)
      return cat(call.name, ": batching differs from single calls by ", error);
  }
  return "";
}

// A call over a stack of operands equals the stack of calls, whichever operands are stacked.
inline std::string check_batch(const OpCall& call, std::uint64_t seed = 1) {
  if (call.aliased) return "";
  try {
    return batch_complaint(call, seed);
  } catch (const Error& error) {
    return cat(call.name, ": threw ", error.what());
  }
}

}  // namespace jacquard::testing
