// The tester tested: ops with planted mistakes, each of which the checks of ops_test.cpp must see.
#include <doctest/doctest.h>

#include <array>
#include <functional>
#include <set>
#include <string>

#include "autodiff/elementwise.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/op_check.hpp"
#include "tests/support/row_check.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

const Op& find_op(std::string_view name) {
  for (const Op* op : all_ops())
    if (op->name == name) return *op;
  throw InternalError(cat("test: there is no op '", name, "'"));
}

// The first complaint about any call of the op, "" when the checks see nothing wrong.
template <class Check>
std::string first_complaint(const Op& op, const Check& check) {
  for (const OpCall& call : calls_of(op))
    if (std::string complaint = check(call); !complaint.empty()) return complaint;
  return "";
}
std::string derivative_complaint_about(const Op& op) {
  return first_complaint(op, [](const OpCall& call) { return check_derivatives(call); });
}
std::string batch_complaint_about(const Op& op) {
  return first_complaint(op, [](const OpCall& call) { return check_batch(call); });
}
std::string row_complaint_about(const Op& op) {
  return first_complaint(op, [](const OpCall& call) { return check_rows(call); });
}

// An op of all_ops() whose rules are its own with one mistake wrapped round them. Rules are plain
// functions, so the op and the mistake of the moment are variables here.
using Adjoints = std::vector<Expr>;
const Op* wrapped = nullptr;
void (*spoil_adjoints)(const Call&, Expr g, Adjoints&) = nullptr;
int (*spoil_rows)(const ExampleCall&, int claim) = nullptr;
Expr (*spoil_batch)(Expr right) = nullptr;

Op with_wrong_derivative(const Op& op, void (*spoil)(const Call&, Expr, Adjoints&)) {
  wrapped = &op;
  spoil_adjoints = spoil;
  Op wrong = op;
  wrong.derivative = [](const Call& call, Expr g) {
    Adjoints adjoints = wrapped->derivative(call, g);
    spoil_adjoints(call, g, adjoints);
    return adjoints;
  };
  return wrong;
}

// A number that is 0 and has a slope: x - (x held).
Expr hidden_slope(Expr x) { return 0.01 * (x - stop_gradient(x)); }

// `adjoint` brought to `shape` by its first element along broadcast axes, where a sum is due.
Expr first_instead_of_sum(Expr adjoint, const Shape& shape) {
  const int lead = adjoint.shape().rank() - shape.rank();
  if (adjoint.shape().size() == 0 || lead < 0) return adjoint;
  for (int i = 0; i < adjoint.shape().rank(); ++i)
    if (i < lead || shape[i - lead] == 1) adjoint = slice(adjoint, i, 0, 1);
  return reshape(adjoint, shape);
}

Expr reversed(Expr x) {
  if (x.shape().rank() == 0 || x.shape().size() == 0) return x;
  const int axis = x.shape().rank() - 1;
  const std::int64_t n = x.shape()[axis];
  std::vector<Expr> parts;
  for (std::int64_t i = n; i > 0; --i) parts.push_back(slice(x, axis, i - 1, i));
  return concat(parts, axis);
}

struct Mistake {
  const char* name;
  void (*spoil)(const Call&, Expr g, Adjoints&);
  // Ops to which the mistake makes no difference.
  std::set<std::string_view> harmless;
};

template <class Change>
void each(Adjoints& adjoints, const Change& change) {
  for (std::size_t i = 0; i < adjoints.size(); ++i)
    if (adjoints[i]) adjoints[i] = change(adjoints[i], i);
}

const std::array kMistakes = {
    Mistake{"a factor of 1.0001",
            [](const Call&, Expr, Adjoints& a) {
              each(a, [](Expr e, std::size_t) { return 1.0001 * e; });
            },
            {}},
    Mistake{"the wrong sign",
            [](const Call&, Expr, Adjoints& a) { each(a, [](Expr e, std::size_t) { return -e; }); },
            {}},
    Mistake{"a dropped operand",
            [](const Call&, Expr, Adjoints& a) {
              for (std::size_t i = a.size(); i-- > 0;)
                if (a[i]) return void(a[i] = Expr{});
            },
            {}},
    Mistake{"swapped operands",
            [](const Call& c, Expr, Adjoints& a) {
              const std::size_t n = a.size();
              if (n >= 2 && c.in[n - 1].shape() == c.in[n - 2].shape())
                std::swap(a[n - 1], a[n - 2]);
            },
            {"add"}},
    Mistake{"a missing broadcast sum",
            [](const Call& c, Expr, Adjoints& a) {
              each(a, [&c](Expr e, std::size_t i) {
                return first_instead_of_sum(e, c.in[i].shape());
              });
            },
            // These have no broadcast operand.
            {"max", "min", "reshape", "transpose", "slice", "pad", "concat", "take", "scatter_add",
             "sum", "contract", "contract_add"}},
    Mistake{"a reversed index",
            [](const Call&, Expr, Adjoints& a) {
              each(a, [](Expr e, std::size_t) { return reversed(e); });
            },
            {}},
    Mistake{"a rule not linear in the adjoint",
            [](const Call&, Expr g, Adjoints& a) {
              each(a, [g](Expr e, std::size_t) { return e * (1.0 + 0.001 * sum(square(g))); });
            },
            {}},
    Mistake{"a rule wrong only at second order",
            [](const Call&, Expr, Adjoints& a) {
              each(a, [](Expr e, std::size_t) { return e + hidden_slope(e); });
            },
            {}},
    Mistake{"a rule wrong only at third order",
            [](const Call&, Expr, Adjoints& a) {
              each(a, [](Expr e, std::size_t) { return e + square(hidden_slope(e)); });
            },
            {}},
};

}  // namespace

TEST_CASE("the checks pass the ops that the mistakes are planted in") {
  for (const Op* op : all_ops()) {
    CHECK_EQ(derivative_complaint_about(*op), "");
    CHECK_EQ(batch_complaint_about(*op), "");
    CHECK_EQ(row_complaint_about(*op), "");
  }
}

TEST_CASE("each mistake in the derivative of each op is caught") {
  int caught = 0;
  for (const Op* op : all_ops()) {
    if (is_leaf(*op) || op->held) continue;
    Tape tape;
    Random random(1);
    const OpCall call = calls_of(*op)[0];
    const Expr out = call.apply(random_operands(tape, call, random).in);
    const auto adjoints = op->derivative(
        {random_operands(tape, call, random).in, out, tape.node(out).attributes}, ones_like(out));
    const auto flowing = std::ranges::count_if(adjoints, [](Expr e) { return bool(e); });
    if (flowing == 0) continue;  // comparisons; see the next test
    for (const Mistake& mistake : kMistakes) {
      if (mistake.harmless.contains(op->name)) continue;
      const bool takes_two = op->arity == 2 || op->arity == 3 || op->arity == kAnyArity;
      const std::string name = mistake.name;
      if (name == "swapped operands" && (!takes_two || flowing < 2)) continue;
      if (name == "a missing broadcast sum" && op->arity == 1 && op->name != "broadcast_to")
        continue;
      const Op wrong = with_wrong_derivative(*op, mistake.spoil);
      CAPTURE(op->name);
      CAPTURE(name);
      CHECK(derivative_complaint_about(wrong) != "");
      ++caught;
    }
  }
  CHECK(caught > 200);
}

TEST_CASE("a gradient where there is none is caught") {
  for (const char* name : {"less", "equal", "and", "not", "sign", "stop_gradient", "top_k"}) {
    const Op wrong = with_wrong_derivative(
        find_op(name), [](const Call& c, Expr g, Adjoints& a) { a[0] = 1e-9 * g * c.in[0]; });
    CAPTURE(name);
    CHECK(derivative_complaint_about(wrong) != "");
  }
}

TEST_CASE("the mistakes that people make are caught, and the complaint says what is wrong") {
  Op square_wrong = find_op("square");
  square_wrong.derivative = [](const Call& c, Expr g) { return Adjoints{g * (2.0001 * c.in[0])}; };
  CHECK_EQ(derivative_complaint_about(square_wrong),
           "square []: order 1: the tape says -2.4702117425968577, differences say "
           "-2.4701909609458057");

  Op exp_wrong = find_op("exp");  // right to the eye, but the factor does not vary any more
  exp_wrong.derivative = [](const Call& c, Expr g) { return Adjoints{g * stop_gradient(c.out)}; };
  const std::string complaint = derivative_complaint_about(exp_wrong);
  CHECK_MESSAGE(complaint.starts_with("exp []: order 2: "), complaint);

  // The derivative of the derivative is wrong: cos' = +sin.
  static Op cos_wrong = find_op("cos");
  cos_wrong.derivative = [](const Call& c, Expr g) { return Adjoints{g * sin(c.in[0])}; };
  Op sin_wrong = find_op("sin");
  sin_wrong.derivative = [](const Call& c, Expr g) {
    return Adjoints{g * c.in[0].tape->append(cos_wrong, {c.in[0]})};
  };
  CHECK(derivative_complaint_about(sin_wrong).starts_with("sin []: order 2: "));

  Op divide_wrong = find_op("divide");  // a dropped term: out / y instead of g * out / y
  divide_wrong.derivative = [](const Call& c, Expr g) {
    return Adjoints{g / c.in[1], -(c.out / c.in[1])};
  };
  CHECK(derivative_complaint_about(divide_wrong) != "");

  Op transpose_wrong = find_op("transpose");  // the order itself instead of its inverse
  transpose_wrong.derivative = [](const Call& c, Expr g) {
    return Adjoints{transpose(g, c.attributes.integers("axes"))};
  };
  CHECK(derivative_complaint_about(transpose_wrong).find("transpose [2, 3, 4]") == 0);

  Op slice_wrong = find_op("slice");  // one place too far
  slice_wrong.derivative = [](const Call& c, Expr g) {
    const int axis = static_cast<int>(c.attributes.integer("axis")) + g.shape().rank();
    const std::int64_t begin = c.attributes.integer("begin"),
                       left = c.in[0].shape()[axis] - c.attributes.integer("end");
    return Adjoints{left > 0 ? pad(g, axis, begin + 1, left - 1) : pad(g, axis, begin, left)};
  };
  CHECK(derivative_complaint_about(slice_wrong) != "");

  Op sum_wrong = find_op("sum");  // the mean's rule
  sum_wrong.derivative = [](const Call& c, Expr g) {
    Adjoints right = find_op("sum").derivative(c, g);
    return Adjoints{right[0] / static_cast<double>(c.in[0].shape().size())};
  };
  CHECK(derivative_complaint_about(sum_wrong) != "");

  Op kernel_wrong = find_op("softplus");  // the value itself: log(1 + exp(x)) + x / 1000
  kernel_wrong.kernel = scalar1([](auto x) { return number::softplus(x) + x / 1000; }).kernel;
  CHECK(derivative_complaint_about(kernel_wrong) != "");
}

TEST_CASE("a wrong row map is caught") {
  struct {
    const char* name;
    int (*spoil)(const ExampleCall&, int claim);
    std::set<std::string_view> harmless;
  } mistakes[] = {
      {"rows independent of the examples", [](const ExampleCall&, int) { return kNoAxis; }, {}},
      {"never mixing",
       [](const ExampleCall& c, int claim) {
         return claim == kMixes && c.shape.rank() > 0 ? c.shape.rank() - 1 : claim;
       },
       // One operand that is neither reduced nor stretched never mixes.
       {"transpose"}},
      {"always mixing", [](const ExampleCall&, int) { return kMixes; }, {}},
      {"the neighbouring axis",
       [](const ExampleCall& c, int claim) {
         return claim >= 0 ? (claim + 1) % c.shape.rank() : claim;
       },
       {}},
      {"the axis of the operand",
       [](const ExampleCall& c, int claim) {
         for (const int axis : c.axes)
           if (claim >= 0 && axis != kNoAxis) return axis;
         return claim;
       },
       // These keep every axis in its place.
       {"slice", "pad", "concat", "scatter_add", "top_k", "softmax"}},
  };
  int caught = 0;
  for (const Op* op : all_ops()) {
    if (is_leaf(*op)) continue;
    for (const auto& mistake : mistakes) {
      const std::string name = mistake.name;
      if (mistake.harmless.contains(op->name)) continue;
      if (op->elementwise && op->arity == 1 && name != "rows independent of the examples" &&
          name != "always mixing" && name != "the neighbouring axis")
        continue;
      wrapped = op;
      spoil_rows = mistake.spoil;
      Op wrong = *op;
      wrong.examples = [](const ExampleCall& call) {
        return spoil_rows(call, wrapped->examples(call));
      };
      CAPTURE(op->name);
      CAPTURE(name);
      CHECK(row_complaint_about(wrong) != "");
      ++caught;
    }
  }
  CHECK(caught > 120);
}

TEST_CASE("a wrong batch rule is caught") {
  const auto first_only = [](Expr right) {
    return right.shape().size() == 0 ? right : broadcast_to(slice(right, 0, 0, 1), right.shape());
  };
  const auto backwards = [](Expr right) {
    std::vector<Expr> parts;
    for (std::int64_t k = right.shape()[0]; k > 0; --k) parts.push_back(slice(right, 0, k - 1, k));
    return concat(parts, 0);
  };
  int caught = 0;
  for (const Op* op : all_ops()) {
    if (is_leaf(*op) || !op->batch) continue;
    for (Expr (*const spoil)(Expr) : {+first_only, +backwards}) {
      wrapped = op;
      spoil_batch = spoil;
      Op wrong = *op;
      wrong.batch = [](const Call& call, std::span<const Expr> in, const std::vector<bool>& b) {
        const Expr right = wrapped->batch(call, in, b);
        return right ? spoil_batch(right) : right;
      };
      CAPTURE(op->name);
      CHECK(batch_complaint_about(wrong) != "");
      ++caught;
    }
    if (op->arity == 1 || op->name == "concat") continue;
    // Operands of lower rank not aligned with the new axis.
    Op wrong = *op;
    wrong.batch = [](const Call& call, std::span<const Expr> in, const std::vector<bool>&) {
      return call.out.tape->append(call.out.op(), {in.begin(), in.end()}, call.attributes);
    };
    CAPTURE(op->name);
    CHECK(batch_complaint_about(wrong) != "");
    ++caught;
  }
  CHECK(caught > 60);
}
