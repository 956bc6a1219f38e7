// Every op, tested from its definition alone.
#include <doctest/doctest.h>

#include <set>
#include <string>

#include "autodiff/difference.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/op_check.hpp"
#include "tests/support/row_check.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

OpCall function_call(const std::string& name, const std::vector<Shape>& shapes,
                     std::function<Expr(const std::vector<Expr>&)> apply,
                     const Domain& domain = {}) {
  return {call_name(name, shapes, {}), shapes, std::vector<Domain>(shapes.size(), domain),
          std::move(apply)};
}

// The public functions that are composed of several ops.
std::vector<OpCall> composed_functions() {
  std::vector<OpCall> calls;
  const auto unary = [&calls](const char* name, const std::vector<Shape>& shapes, auto f) {
    for (const Shape& shape : shapes)
      calls.push_back(function_call(name, {shape}, [f](const auto& in) { return f(in[0]); }));
  };
  const std::vector<Shape> any{{}, {1}, {3}, {2, 3}, {0}, {2, 1, 2, 2}};
  const std::vector<Shape> batches{{3}, {2, 3}, {1, 1}, {2, 3, 2}, {0, 3}};
  unary("leaky_relu", any, [](Expr x) { return leaky_relu(x); });
  unary("elu", any, [](Expr x) { return elu(x, 0.7); });
  unary("selu", any, [](Expr x) { return selu(x); });
  unary("gelu", any, [](Expr x) { return gelu(x); });
  unary("clamp", any, [](Expr x) { return clamp(x, -0.5, 0.7); });
  unary("power 2", any, [](Expr x) { return power(x, 2.0); });
  unary("power 3", any, [](Expr x) { return power(x, 3.0); });
  unary("sqnorm", batches, [](Expr x) { return sqnorm(x); });
  unary("norm", batches, [](Expr x) { return norm(x); });
  unary("mean", {{3}, {2, 3}, {1, 1}}, [](Expr x) { return mean(x); });
  unary("mean axis 0", {{3}, {2, 3}, {1, 1}, {3, 0}}, [](Expr x) { return mean(x, {0}); });
  unary("logsumexp", batches, [](Expr x) { return logsumexp(x); });
  unary("logsumexp all", {{3}, {2, 3}}, [](Expr x) { return logsumexp(x, {}); });
  unary("logsumexp axis 0", {{3}, {2, 3}}, [](Expr x) { return logsumexp(x, {0}, true); });
  unary("softmax", batches, [](Expr x) { return softmax(x); });
  unary("softmax axis 0", {{3}, {2, 3}}, [](Expr x) { return softmax(x, 0); });
  unary("log_softmax", batches, [](Expr x) { return log_softmax(x); });
  unary("diag", {{3, 3}, {2, 3, 3}, {0, 0}}, [](Expr x) { return diag(x); });
  unary("trace", {{3, 3}, {2, 3, 3}, {1, 1}}, [](Expr x) { return trace(x); });
  unary("transpose", {{2, 3}, {2, 3, 4}, {2, 0}}, [](Expr x) { return transpose(x); });
  unary("reshape -1", {{2, 3}, {6}}, [](Expr x) { return reshape(x, Axes{3, -1}); });
  const std::vector<std::vector<Shape>> products = {{{3}, {3}},
                                                    {{2, 3}, {3}},
                                                    {{3}, {3, 2}},
                                                    {{2, 3}, {3, 4}},
                                                    {{2, 2, 3}, {3, 4}},
                                                    {{2, 3}, {2, 3, 4}},
                                                    {{2, 1, 2, 3}, {3, 3, 1}},
                                                    {{1, 2, 3}, {2, 3, 2}},
                                                    {{2, 0}, {0, 3}},
                                                    {{0, 3}, {3, 2}},
                                                    {{1, 1}, {1, 1}},
                                                    {{2, 1, 2, 3}, {1, 3, 3, 1}}};
  for (const std::vector<Shape>& shapes : products)
    calls.push_back(
        function_call("matmul", shapes, [](const auto& in) { return matmul(in[0], in[1]); }));
  calls.push_back(function_call("matvec", {{2, 3, 4}, {2, 4}},
                                [](const auto& in) { return matvec(in[0], in[1]); }));
  calls.push_back(function_call("vecmat", {{2, 3}, {2, 3, 4}},
                                [](const auto& in) { return vecmat(in[0], in[1]); }));
  return calls;
}

// Calls on tensors without elements, beside those among the samples.
std::vector<OpCall> empty_calls() {
  const auto call = [](const char* name, const std::vector<Shape>& shapes,
                       std::function<Expr(const std::vector<Expr>&)> apply) {
    return function_call(name, shapes, std::move(apply));
  };
  return {
      call("sum", {{0}}, [](const auto& in) { return sum(in[0]); }),
      call("sum", {{2, 0}}, [](const auto& in) { return sum(in[0], {1}); }),
      call("sum", {{0, 2}}, [](const auto& in) { return sum(in[0], {1}, true); }),
      call("max", {{0, 2}}, [](const auto& in) { return max(in[0], {1}); }),
      call("reshape", {{0, 2}},
           [](const auto& in) {
             return reshape(in[0], Shape{3, 0});
           }),
      call("transpose", {{0, 2, 3}},
           [](const auto& in) {
             return transpose(in[0], {2, 0, 1});
           }),
      call("broadcast_to", {{1, 2}},
           [](const auto& in) {
             return broadcast_to(in[0], {0, 2});
           }),
      call("slice", {{2, 3}}, [](const auto& in) { return slice(in[0], 1, 2, 2); }),
      call("pad", {{2, 0}}, [](const auto& in) { return pad(in[0], 1, 1, 2); }),
      call("concat", {{0, 2}, {0, 2}},
           [](const auto& in) {
             return concat({in[0], in[1]}, 0);
           }),
      call("contract", {{0, 2}, {2, 3}},
           [](const auto& in) {
             return contract("ab,bc->ac", {in[0], in[1]});
           }),
      call("contract", {{2, 0}, {0, 3}, {3}},
           [](const auto& in) {
             return contract("ab,bc,c->a", {in[0], in[1], in[2]});
           }),
      call("take", {{3, 2}},
           [](const auto& in) { return take(in[0], slice(iota(*in[0].tape, 2), 0, 1, 1), 0); }),
      call("scatter_add", {{0, 2}},
           [](const auto& in) {
             return scatter_add(in[0], slice(iota(*in[0].tape, 2), 0, 1, 1), 0, 3);
           }),
  };
}

// Every op on its own calls, and elementwise ones on random broadcasts.
template <class Check>
void check_all(std::uint64_t first_seed, std::uint64_t last_seed, const Check& check) {
  std::int64_t calls = 0;
  for (const Op* op : all_ops()) {
    std::vector<OpCall> all = calls_of(*op);
    for (OpCall& call : random_elementwise_calls(*op, 20, first_seed))
      all.push_back(std::move(call));
    for (const OpCall& call : all)
      for (std::uint64_t seed = first_seed; seed <= last_seed; ++seed) {
        CHECK_EQ(check(call, seed), "");
        ++calls;
      }
  }
  CHECK(calls > 1000 * static_cast<std::int64_t>(last_seed - first_seed +
                                                 1));  // a count that drops is a test that was lost
}

}  // namespace

TEST_CASE("every op is a leaf, is elementwise, or brings samples for its own test") {
  std::set<std::string_view> names;
  for (const Op* op : all_ops()) {
    CAPTURE(op->name);
    CHECK(names.insert(op->name).second);
    CHECK(bool(op->shape));
    CHECK(bool(op->derivative));
    CHECK(bool(op->examples));
    if (op->name != "input") {
      CHECK(bool(op->kernel.float_kernel));
      CHECK(bool(op->kernel.double_kernel));
      CHECK(bool(op->kernel.quad_kernel));
    }
    if (!is_leaf(*op)) CHECK(calls_of(*op).size() >= 2);
  }
}

TEST_CASE("derivatives of every op to the third order agree with quad differences") {
  check_all(1, 4,
            [](const OpCall& call, std::uint64_t seed) { return check_derivatives(call, seed); });
}

TEST_CASE("derivatives of composed functions to the third order agree with quad differences") {
  for (const OpCall& call : composed_functions()) CHECK_EQ(check_derivatives(call), "");
  for (const OpCall& call : empty_calls()) CHECK_EQ(check_derivatives(call), "");
}

TEST_CASE("smooth functions keep agreeing to the fifth order") {
  for (const char* name : {"exp", "tanh", "sigmoid", "softplus", "erf", "sqrt", "log", "divide"})
    for (const Op* op : all_ops())
      if (op->name == name)
        CHECK_EQ(check_derivatives(
                     op_call(*op, std::vector<Shape>(static_cast<std::size_t>(op->arity), {2})),
                     /*seed=*/3, /*highest=*/5),
                 "");
}

// 2 / sqrt(pi) as one double would be wrong in the 17th digit.
TEST_CASE("the slope of erf is right beyond the digits of double") {
  Tape tape;
  const Expr x = tape.input("x", {});
  const Expr slope = gradient(erf(x), {x})[0];
  for (const double at : {0.0, 0.3, -1.7}) {
    const Quad exact = evaluate<Quad>(slope, {{"x", Tensor<Quad>({}, Quad(at))}})[0];
    CHECK(disagreement([&](Quad h) { return number::erf(Quad(at) + h); }, exact) < 1e-23);
  }
}

TEST_CASE("every op over a stack of operands gives the stack of its single results") {
  check_all(1, 3, [](const OpCall& call, std::uint64_t seed) { return check_batch(call, seed); });
  for (const OpCall& call : composed_functions()) CHECK_EQ(check_batch(call), "");
}

TEST_CASE("every op's row map is what its values do") {
  check_all(1, 1, [](const OpCall& call, std::uint64_t seed) { return check_rows(call, seed); });
}

// 2 million derivatives: a soak run, left out of the usual ones.
TEST_CASE("derivatives of every op agree on very many random calls" * doctest::test_suite("long")) {
  for (std::uint64_t seed = 100; seed < 2'000; seed += 5)
    check_all(seed, seed + 1,
              [](const OpCall& call, std::uint64_t s) { return check_derivatives(call, s); });
}
