// The test of an op's row map: what `examples` claims against which elements of the result change
// when one example of the operands does.
#pragma once

#include <string>
#include <vector>

#include "tests/support/op_calls.hpp"

namespace jacquard::testing {

// The place of element `index` along `axis`.
inline std::int64_t place_along(const Shape& shape, int axis, std::int64_t index) {
  return index / strides(shape)[static_cast<std::size_t>(axis)] % shape[axis];
}

// All ways to mark axes of the operands as example axes of one common size.
inline std::vector<std::vector<int>> example_axes(const std::vector<Shape>& shapes) {
  std::vector<std::vector<int>> found{{}};
  for (const Shape& shape : shapes) {
    std::vector<std::vector<int>> longer;
    for (const std::vector<int>& axes : found)
      for (int axis = kNoAxis; axis < shape.rank(); ++axis) {
        longer.push_back(axes);
        longer.back().push_back(axis);
      }
    found = std::move(longer);
  }
  std::erase_if(found, [&shapes](const std::vector<int>& axes) {
    std::int64_t size = -1;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      if (axes[i] == kNoAxis) continue;
      const std::int64_t own = shapes[i][axes[i]];
      if (own == 0 || (size != -1 && own != size)) return true;
      size = own;
    }
    return size == -1;
  });
  return found;
}

// touched[b]: the elements of the result that change with example b of the marked operands.
inline std::vector<std::vector<std::int64_t>> touched_elements(const OpCall& call,
                                                               const std::vector<int>& axes,
                                                               std::int64_t examples,
                                                               Random& random) {
  Tape tape;
  std::vector<Expr> in;
  for (std::size_t i = 0; i < call.shapes.size(); ++i)
    in.push_back(tape.input(operand_name(i), call.shapes[i]));
  const Expr out = call.apply(in);
  std::vector<std::vector<std::int64_t>> touched(static_cast<std::size_t>(examples));
  constexpr int kTrials = 24;  // comparisons and whole numbers may stay the same by chance
  for (int trial = 0; trial < kTrials; ++trial) {
    Feed<double> feed;
    for (std::size_t i = 0; i < call.shapes.size(); ++i)
      feed[operand_name(i)] = random.tensor(call.shapes[i], call.domains[i]);
    const Tensor<double> base = evaluate<double>(out, feed);
    for (std::int64_t b = 0; b < examples; ++b) {
      Feed<double> changed = feed;
      for (std::size_t i = 0; i < axes.size(); ++i) {
        if (axes[i] == kNoAxis) continue;
        Tensor<double>& value = changed[operand_name(i)];
        for (std::int64_t j = 0; j < value.size(); ++j)
          if (place_along(value.shape, axes[i], j) == b) value[j] = random.inside(call.domains[i]);
      }
      const Tensor<double> now = evaluate<double>(out, changed);
      for (std::int64_t j = 0; j < now.size(); ++j)
        if (now[j] != base[j]) touched[static_cast<std::size_t>(b)].push_back(j);
    }
  }
  return touched;
}

// Does example b touch only the elements at place b along `axis`?
inline bool keeps_rows(const std::vector<std::vector<std::int64_t>>& touched, const Shape& shape,
                       int axis) {
  if (axis < 0 || axis >= shape.rank() || shape[axis] != static_cast<std::int64_t>(touched.size()))
    return false;
  for (std::size_t b = 0; b < touched.size(); ++b)
    for (const std::int64_t j : touched[b])
      if (place_along(shape, axis, j) != static_cast<std::int64_t>(b)) return false;
  return true;
}

// A row map must never call rows independent that are not; and, with two examples or more, must
// not call them mixed where some axis of the result keeps them apart (operands without elements
// aside, which mix with nothing).
inline std::string check_rows(const OpCall& call, std::uint64_t seed = 1) {
  if (call.aliased || call.op == nullptr) return "";
  for (const std::vector<int>& axes : example_axes(call.shapes)) {
    Random random(seed);
    std::int64_t examples = 0;
    for (std::size_t i = 0; i < axes.size(); ++i)
      if (axes[i] != kNoAxis) examples = call.shapes[i][axes[i]];
    Tape tape;
    std::vector<Expr> in;
    std::vector<const Shape*> shapes;
    for (std::size_t i = 0; i < call.shapes.size(); ++i) {
      in.push_back(tape.input(operand_name(i), call.shapes[i]));
      shapes.push_back(&call.shapes[i]);
    }
    const Expr out = call.apply(in);
    const int claim = call.op->examples({shapes, axes, out.shape(), tape.node(out).attributes});
    const auto touched = touched_elements(call, axes, examples, random);
    const bool empty =
        std::ranges::any_of(call.shapes, [](const Shape& s) { return s.size() == 0; });
    const bool untouched = std::ranges::all_of(touched, [](const auto& t) { return t.empty(); });
    const auto complain = [&](const char* what) {
      std::string marked;
      for (const int axis : axes) marked += cat(marked.empty() ? "" : ", ", axis);
      return cat(call.name, ": examples along axes ", marked, " of the operands: the row map says ",
                 claim, ", but ", what);
    };
    if (claim == kNoAxis && !untouched) return complain("the result depends on the examples");
    if (claim >= 0 && !keeps_rows(touched, out.shape(), claim))
      return complain("a row of the result depends on another example");
    if (claim == kMixes && examples > 1 && !untouched && !empty)
      for (int axis = 0; axis < out.shape().rank(); ++axis)
        if (keeps_rows(touched, out.shape(), axis)) return complain("its rows stay apart");
  }
  return "";
}

}  // namespace jacquard::testing
