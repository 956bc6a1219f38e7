// Calls that do not fit are refused, with the full text that the user sees.
#include <doctest/doctest.h>

#include <functional>
#include <set>
#include <string>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/ops/contract_products.hpp"
#include "tests/support/op_calls.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

Tape tape;  // of all calls here; only shapes matter

Expr in(const Shape& shape) { return tape.input(cat("input ", shape), shape); }

struct Refused {
  std::string op;  // that the call would have made
  std::function<Expr()> call;
  std::string message;
};

std::vector<Refused> refused_calls() {
  return {
      {"sum",
       [] {
         return sum(in({2, 3}), {2});
       },
       "sum: axis 2 does not exist in a tensor of rank 2"},
      {"sum",
       [] {
         return sum(in({2, 3}), {0, -2});
       },
       "sum: axis -2 is named twice"},
      {"sum",
       [] {
         return mean(in({0, 3}));
       },
       "mean: no elements to average in [0, 3]"},
      {"sum",
       [] {
         return mean(in({2, 3}), {-3});
       },
       "mean: axis -3 does not exist in a tensor of rank 2"},
      {"sum", [] { return sqnorm(in({})); }, "sqnorm: a scalar has no batch axis; use square()"},
      {"max",
       [] {
         return max(in({0, 3}));
       },
       "max: no elements to choose from in [0, 3]"},
      {"max",
       [] {
         return max(in({2, 0}), {1});
       },
       "max: no elements to choose from in [2, 0]"},
      {"min", [] { return min(in({}), {0}); }, "min: axis 0 does not exist in a tensor of rank 0"},
      {"softmax", [] { return softmax(in({})); },
       "softmax: axis -1 does not exist in a tensor of rank 0"},
      {"softmax",
       [] {
         return softmax(in({2, 0}));
       },
       "softmax: no elements to sum over in [2, 0]"},
      {"max",
       [] {
         return log_softmax(in({2, 3}), 2);
       },
       "log_softmax: axis 2 does not exist in a tensor of rank 2"},
      {"max",
       [] {
         return logsumexp(in({2, 3}), {-3});
       },
       "logsumexp: axis -3 does not exist in a tensor of rank 2"},
      {"max",
       [] {
         return logsumexp(in({0, 3}), {});
       },
       "logsumexp: no elements to sum over in [0, 3]"},
      {"top_k", [] { return top_k(in({}), 1); }, "top_k: a scalar has no axis to choose from"},
      {"top_k",
       [] {
         return top_k(in({2, 3}), 4);
       },
       "top_k: k = 4 of 3 elements in [2, 3]; k must lie between 0 and 3"},
      {"top_k",
       [] {
         return top_k(in({2, 3}), -1);
       },
       "top_k: k = -1 of 3 elements in [2, 3]; k must lie between 0 and 3"},
      {"top_k",
       [] {
         return top_k(in({2, 3}), in({2}));
       },
       "top_k: k has shape [2]; it must be one number"},
      {"reshape",
       [] {
         return reshape(in({2, 3}), Shape{4});
       },
       "reshape: [2, 3] has 6 elements, [4] has 4"},
      {"reshape",
       [] {
         return reshape(in({2, 3}), Axes{4, -1});
       },
       "reshape: [2, 3] has 6 elements, which the sizes given do not divide; one size may be -1"},
      {"reshape",
       [] {
         return reshape(in({2, 3}), Axes{-1, -1});
       },
       "reshape: [2, 3] has 6 elements, which the sizes given do not divide; one size may be -1"},
      {"reshape",
       [] {
         return reshape(in({2, 3}), Axes{-2, -3});
       },
       "shape [-2, -3]: size -2 is negative"},
      {"reshape",
       [] {
         return remove_axis(in({2, 3}), 0);
       },
       "remove_axis: axis 0 of [2, 3] has not size 1"},
      {"reshape",
       [] {
         return insert_axis(in({2, 3}), 4);
       },
       "insert_axis: axis 4 does not exist in a tensor of rank 3"},
      {"transpose",
       [] {
         return transpose(in({2, 3}), {0, 0});
       },
       "transpose: the axes given are no order of the 2 axes of [2, 3]"},
      {"transpose",
       [] {
         return transpose(in({2, 3}), {1});
       },
       "transpose: the axes given are no order of the 2 axes of [2, 3]"},
      {"transpose", [] { return transpose(in({2})); },
       "transpose: [2] has fewer than two axes to swap"},
      {"broadcast_to",
       [] {
         return broadcast_to(in({2, 3}), {3});
       },
       "broadcast_to: [2, 3] does not broadcast to [3]"},
      {"broadcast_to",
       [] {
         return broadcast_to(in({2}), {2, 3});
       },
       "broadcast_to: [2] does not broadcast to [2, 3]"},
      {"slice",
       [] {
         return slice(in({2, 3}), 1, 2, 4);
       },
       "slice: 2:4 of axis 1 of [2, 3]; bounds must lie between 0 and 3"},
      {"slice",
       [] {
         return slice(in({2, 3}), -1, 2, 1);
       },
       "slice: 2:1 of axis 1 of [2, 3]; bounds must lie between 0 and 3"},
      {"slice",
       [] {
         return slice(in({2, 3}), 0, -1, 1);
       },
       "slice: -1:1 of axis 0 of [2, 3]; bounds must lie between 0 and 2"},
      {"pad",
       [] {
         return pad(in({2, 3}), 0, -1, 0);
       },
       "pad: -1 before and 0 after; neither may be negative"},
      {"concat", [] { return concat({}, 0); },
       "concat: nothing to join; at least one tensor is needed"},
      {"concat",
       [] {
         return concat({in({2, 3}), in({3, 2})}, 0);
       },
       "concat: [2, 3] and [3, 2] differ outside axis 0"},
      {"concat",
       [] {
         return concat({in({2, 3}), in({3})}, 0);
       },
       "concat: [2, 3] and [3] differ outside axis 0"},
      {"concat",
       [] {
         return concat({in({}), in({})}, 0);
       },
       "concat: axis 0 does not exist in a tensor of rank 0"},
      {"take",
       [] {
         return take(in({2, 3}), in({2, 2}));
       },
       "take: indices of shape [2, 2]; they must have one axis"},
      {"take", [] { return take(in({}), in({2})); },
       "take: axis 0 does not exist in a tensor of rank 0"},
      {"scatter_add",
       [] {
         return scatter_add(in({2, 3}), in({3}), 0, 4);
       },
       "scatter_add: 2 slices of [2, 3] for 3 indices"},
      {"contract",
       [] {
         return contract("ab,bc->ac", {in({2, 3}), in({2, 3})});
       },
       "contract: index 'b' of 'ab,bc->ac' has size 3 and, in operand 2 of shape [2, 3], size 2"},
      {"contract",
       [] {
         return contract("ab,bc->ac", {in({2, 3})});
       },
       "contract: 'ab,bc->ac' names 2 operands, 1 are given"},
      {"contract",
       [] {
         return contract("abc->a", {in({2, 3})});
       },
       "contract: operand 1 of 'abc->a' has shape [2, 3], but 3 indices"},
      {"contract",
       [] {
         return contract("ab", {in({2, 3})});
       },
       "contract: subscripts 'ab' have no '->'; write them like 'bi,ij->bj'"},
      {"contract",
       [] {
         return contract("ab->aa", {in({2, 3})});
       },
       "contract: index 'a' stands twice in the result of 'ab->aa'"},
      {"contract",
       [] {
         return contract("ab->c", {in({2, 3})});
       },
       "contract: index 'c' of the result of 'ab->c' stands in no operand"},
      {"contract",
       [] {
         return contract("a1->a", {in({2, 3})});
       },
       "contract: '1' in subscripts 'a1->a' is no index; indices are single letters"},
      {"contract", [] { return contract("ab->a", {}); },
       "contract: at least one operand is needed"},
      {"contract",
       [] {
         return matmul(in({2, 3}), in({2, 3}));
       },
       "matmul: [2, 3] @ [2, 3]: the inner sizes differ"},
      {"contract", [] { return matmul(in({}), in({3})); },
       "matmul: [] @ [3]: a scalar has no axis to sum over; use * instead"},
      {"contract",
       [] {
         return matmul(in({2, 4, 3}), in({3, 3, 4}));
       },
       "matmul: [2, 4, 3] @ [3, 3, 4]: the stacks do not broadcast"},
      {"contract",
       [] {
         return diag(in({2, 3}));
       },
       "diag: [2, 3] is no stack of square matrices [.., n, n]"},
      {"contract", [] { return trace(in({3})); },
       "trace: [3] is no stack of square matrices [.., n, n]"},
      {"contract_add",
       [] {
         return contract_add(in({2, 4}), matmul(in({2, 3}), in({3, 5})), {}, false);
       },
       "contract_add: the product has shape [2, 5], what it is added to [2, 4]; they must be the "
       "same"},
      {"equal", [] { return one_hot(in({2}), 0); }, "one_hot: 0 classes; at least one is needed"},
      {"where", [] { return clamp(in({2}), 1, 0); }, "clamp: low 1 is above high 0"},
      {"iota", [] { return iota(tape, -1); }, "iota: size -1 is negative"},
      {"eye", [] { return eye(tape, -2); }, "eye: size -2 is negative"},
  };
}

}  // namespace

TEST_CASE("calls that do not fit are refused, and the message says what does") {
  for (const Refused& refused : refused_calls()) {
    CAPTURE(refused.op);
    CHECK_THROWS_WITH_AS(refused.call(), refused.message.c_str(), Error);
  }
}

TEST_CASE("every op that is not elementwise refuses some shapes") {
  std::set<std::string> covered;
  for (const Refused& refused : refused_calls()) covered.insert(refused.op);
  for (const Op* op : all_ops()) {
    if (op->elementwise || is_leaf(*op)) continue;
    CHECK_MESSAGE(covered.contains(std::string(op->name)), op->name);
  }
}

TEST_CASE("every elementwise op of several operands refuses shapes that do not broadcast") {
  for (const Op* op : all_ops()) {
    if (!op->elementwise || op->arity == 1) continue;
    std::vector<Expr> operands{in({2, 3}), in({2})};
    if (op->arity == 3) operands.push_back(in({}));
    CHECK_THROWS_WITH_AS(
        tape.append(*op, operands),
        cat(op->name, ": [2, 3] and [2]: sizes 3 and 2 do not broadcast; they must be equal or 1")
            .c_str(),
        ShapeError);
  }
}

TEST_CASE("every op refuses another number of operands, and operands of another tape") {
  Tape other;
  for (const Op* op : all_ops()) {
    if (op->arity == kAnyArity || op->name == "input") continue;
    const auto right = static_cast<std::size_t>(op->arity);
    CHECK_THROWS_AS(tape.append(*op, std::vector<Expr>(right + 1, in({2}))), InternalError);
    if (right == 0) continue;
    CHECK_THROWS_AS(tape.append(*op, std::vector<Expr>(right - 1, in({2}))), InternalError);
    std::vector<Expr> strangers(right, in({2}));
    strangers.back() = other.input("x", {2});
    CHECK_THROWS_WITH_AS(tape.append(*op, strangers),
                         cat(op->name,
                             ": an operand stands on another tape or is empty; expressions of one "
                             "cost must be written on one tape")
                             .c_str(),
                         Error);
  }
}

TEST_CASE("indices outside the table are refused when they are read") {
  const Expr table = in({3, 2}), rows = tape.input("rows", {1});
  const auto message = [&](double index, Expr e) -> std::string {
    const Feed<double> feed{{"input [3, 2]", Tensor<double>({3, 2})},
                            {"input [1, 2]", Tensor<double>({1, 2})},
                            {"rows", Tensor<double>({1}, index)}};
    try {
      evaluate<double>(e, feed);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const Expr taken = take(table, rows), scattered = scatter_add(in({1, 2}), rows, 0, 3);
  CHECK_EQ(message(2, taken), "");
  CHECK_EQ(message(3, taken), "take: index 3 is not a whole number between 0 and 2");
  CHECK_EQ(message(-1, taken), "take: index -1 is not a whole number between 0 and 2");
  CHECK_EQ(message(0.5, taken), "take: index 0.5 is not a whole number between 0 and 2");
  CHECK_EQ(message(1e300, taken), "take: index 1e+300 is not a whole number between 0 and 2");
  CHECK_EQ(message(std::nan(""), scattered),
           "scatter_add: index nan is not a whole number between 0 and 2");
  CHECK_EQ(message(2, scattered), "");
}
