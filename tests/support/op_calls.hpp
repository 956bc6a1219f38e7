// The calls on which every op is tested, made from the op's definition alone: its arity, domains
// and samples.
#pragma once

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/op.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/tape.hpp"
#include "tests/support/random.hpp"

namespace jacquard::testing {

struct OpCall {
  std::string name;  // for messages
  std::vector<Shape> shapes;
  std::vector<Domain> domains;  // one per shape
  std::function<Expr(const std::vector<Expr>&)> apply;
  const Op* op = nullptr;  // nullptr: a function composed of several ops
  bool aliased = false;    // the first two operands are one node
};

using ShapeLists = std::vector<std::vector<Shape>>;

// Operands of elementwise ops: scalars, size 1, size 0, every way of broadcasting, rank 4.
inline ShapeLists elementwise_shapes(int arity) {
  switch (arity) {
    case 1:
      return {{{}}, {{1}}, {{3}}, {{2, 3}}, {{0}}, {{2, 0}}, {{2, 1, 3}}, {{2, 1, 2, 2}}};
    case 2:
      return {{{2, 3}, {2, 3}}, {{2, 3}, {3}},    {{3}, {2, 3}},
              {{2, 1}, {1, 3}}, {{}, {2, 3}},     {{2, 3}, {}},
              {{1}, {1}},       {{}, {}},         {{0}, {1}},
              {{1}, {0}},       {{2, 0}, {2, 1}}, {{2, 1, 3}, {4, 1}},
              {{1, 1}, {3}},    {{1}, {}},        {{2, 1, 2, 3}, {2, 1, 1}}};
    case 3:
      return {{{2, 3}, {2, 3}, {2, 3}},
              {{2, 1}, {3}, {}},
              {{2, 3}, {1, 3}, {2, 1}},
              {{}, {2}, {}},
              {{}, {}, {}},
              {{0}, {1}, {}},
              {{1}, {1, 1}, {1}},
              {{2, 1, 1, 2}, {1, 3, 1}, {3, 2}}};
    default:  // any number of operands
      return {{{2, 3}},
              {{2, 3}, {2, 3}},
              {{2, 1}, {1, 3}},
              {{2, 3}, {3}, {}},
              {{}, {}, {}},
              {{0}, {1}, {0}},
              {{3}, {2, 1}, {2, 3}, {}, {1}},
              {{2, 1, 2, 2}, {2, 1}, {1, 1, 2}}};
  }
}

inline std::vector<Domain> domains_of(const Op& op, std::size_t operands) {
  std::vector<Domain> result;
  for (std::size_t i = 0; i < operands; ++i)
    result.push_back(op.domains.empty() ? Domain{}
                                        : op.domains[std::min(i, op.domains.size() - 1)]);
  return result;
}

inline std::string call_name(const std::string& function, const std::vector<Shape>& shapes,
                             const Attributes& attributes) {
  std::string name = function;
  for (std::size_t i = 0; i < shapes.size(); ++i) name += cat(i ? ", " : " ", shapes[i]);
  return attributes.empty() ? name : cat(name, " (", attributes, ")");
}

inline OpCall op_call(const Op& op, const std::vector<Shape>& shapes,
                      const Attributes& attributes = {}) {
  return {call_name(std::string(op.name), shapes, attributes), shapes,
          domains_of(op, shapes.size()),
          [&op, attributes](const std::vector<Expr>& in) {
            return in.at(0).tape->append(op, in, attributes);
          },
          &op};
}

// The same call with one node as its first two operands, where shapes and domains allow it.
inline void add_aliased(std::vector<OpCall>& calls, OpCall call) {
  if (call.shapes.size() < 2 || !(call.shapes[0] == call.shapes[1])) return;
  if (call.domains[0].whole != call.domains[1].whole) return;
  Domain& common = call.domains[0];
  common.low = std::max(common.low, call.domains[1].low);
  common.high = std::min(common.high, call.domains[1].high);
  call.aliased = true;
  call.name += " (one node twice)";
  calls.push_back(std::move(call));
}

inline bool is_leaf(const Op& op) { return op.arity == 0; }

// All test calls of an op. Empty for leaves, and for an op that says too little about itself.
inline std::vector<OpCall> calls_of(const Op& op) {
  std::vector<OpCall> calls;
  if (is_leaf(op)) return calls;
  const std::vector<Sample> samples = op.samples ? op.samples() : std::vector<Sample>{};
  const auto add = [&](const std::vector<Shape>& shapes, const Attributes& attributes) {
    calls.push_back(op_call(op, shapes, attributes));
    add_aliased(calls, calls.back());
  };
  if (!op.elementwise)
    for (const Sample& sample : samples) add(sample.shapes, sample.attributes);
  else
    for (const std::vector<Shape>& shapes : elementwise_shapes(op.arity)) {
      if (samples.empty()) add(shapes, {});
      for (const Sample& sample : samples) add(shapes, sample.attributes);
    }
  return calls;
}

// An operand that broadcasts to `shape`: some leading axes dropped, some axes of size 1.
inline Shape random_operand_of(const Shape& shape, Random& random) {
  std::vector<std::int64_t> sizes = shape.sizes();
  if (random.coin()) sizes.erase(sizes.begin(), sizes.begin() + random.below(shape.rank() + 1));
  for (std::int64_t& size : sizes)
    if (random.below(3) == 0) size = 1;
  return Shape(std::move(sizes));
}

// Elementwise calls with random broadcasting.
inline std::vector<OpCall> random_elementwise_calls(const Op& op, int count, std::uint64_t seed) {
  std::vector<OpCall> calls;
  if (!op.elementwise) return calls;
  Random random(seed);
  const std::vector<Sample> samples = op.samples ? op.samples() : std::vector<Sample>{{}};
  for (int i = 0; i < count; ++i) {
    const Shape full = random.shape(4, 3);
    const std::int64_t arity = op.arity == kAnyArity ? 1 + random.below(5) : op.arity;
    std::vector<Shape> shapes;
    for (std::int64_t k = 0; k < arity; ++k) shapes.push_back(random_operand_of(full, random));
    const auto sample = static_cast<std::size_t>(random.below(std::ssize(samples)));
    calls.push_back(op_call(op, shapes, samples[sample].attributes));
  }
  return calls;
}

// Operands of a call on a tape, and values for them.
struct Operands {
  std::vector<Expr> in;
  Feed<Quad> feed;
};

inline std::string operand_name(std::size_t i) { return cat("x", i); }

inline Operands random_operands(Tape& tape, const OpCall& call, Random& random) {
  Operands operands;
  for (std::size_t i = 0; i < call.shapes.size(); ++i) {
    if (call.aliased && i == 1) {
      operands.in.push_back(operands.in[0]);
      continue;
    }
    operands.in.push_back(tape.input(operand_name(i), call.shapes[i]));
    operands.feed[operand_name(i)] = random.tensor<Quad>(call.shapes[i], call.domains[i]);
  }
  return operands;
}

}  // namespace jacquard::testing
