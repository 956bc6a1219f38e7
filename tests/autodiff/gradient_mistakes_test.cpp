// Mistakes planted in derivative rules and plans, and what the gradient check says of them.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "autodiff/elementwise.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/gradient_check.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/check_setting.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

using Adjoints = std::vector<Expr>;

// ---------------------------------------------------------------- wrong rules
constinit const Op wrong_factor = elementwise({
    .name = "wrong_factor",
    .kernel = scalar1([](auto x) { return x * x; }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * (2.0001 * c.in[0])}; },
});

// Off by as little as a constant that was typed in with ten digits.
constinit const Op wrong_digits = elementwise({
    .name = "wrong_digits",
    .kernel = scalar1([](auto x) { return x * x; }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * (2.0000000001 * c.in[0])}; },
});

constinit const Op dropped_term = elementwise({
    .name = "dropped_term",
    .arity = 2,
    .kernel = scalar2([](auto x, auto y) { return x * y; }),
    .derivative =
        [](const Call& c, Expr g) {
          return Adjoints{g * c.in[1], Expr{}};
        },
});

constinit const Op wrong_sign = elementwise({
    .name = "wrong_sign",
    .kernel = scalar1([](auto x) { return number::cos(x); }),
    .derivative = [](const Call& c, Expr g) { return Adjoints{g * sin(c.in[0])}; },
});

// Right below 0.9, wrong above.
constinit const Op wrong_above = elementwise({
    .name = "wrong_above",
    .kernel = scalar1([](auto x) { return number::sin(x); }),
    .derivative =
        [](const Call& c, Expr g) {
          const Expr slope = cos(c.in[0]);
          return Adjoints{g * where(greater(c.in[0], constant(*g.tape, 0.9)), 1.5 * slope, slope)};
        },
});

// Right in itself; the mistake is in the slope's own slope.
constinit const Op wrong_slope = elementwise({
    .name = "wrong_slope",
    .kernel = scalar1([](auto x) {
      const auto y = number::tanh(x);
      return 1 - y * y;
    }),
    .derivative =
        [](const Call& c, Expr g) {
          const Expr y = tanh(c.in[0]);
          return Adjoints{g * (y * (square(y) - 1.0))};  // lacks a factor 2
        },
});
constinit const Op right_once = elementwise({
    .name = "right_once",
    .kernel = scalar1([](auto x) { return number::tanh(x); }),
    .derivative = [](const Call& c,
                     Expr g) { return Adjoints{g * c.in[0].tape->append(wrong_slope, {c.in[0]})}; },
});

// Wrong at its kink alone: 2 is no slope between 0 and 1.
constinit const Op wrong_at_kink = elementwise({
    .name = "wrong_at_kink",
    .kernel = scalar1([](auto x) { return choose(x > 0, x, x * 0); }),
    .derivative =
        [](const Call& c, Expr g) {
          const Expr zero = constant(*g.tape, 0);
          return Adjoints{
              g * where(equal(c.in[0], zero), constant(*g.tape, 2), greater(c.in[0], zero))};
        },
});

Expr apply(const Op& op, Expr x) { return x.tape->append(op, {x}); }

// A copy of the op that made `e`, with another rule.
Op with_rule(Expr e, std::string_view name, std::vector<Expr> (*rule)(const Call&, Expr)) {
  Op op = e.op();
  op.name = name;
  op.derivative = rule;
  return op;
}

// ---------------------------------------------------------------- wrong plans
template <class T, int kDigits>
Prepared<T> wrong_call(const ShapeCall&) {
  return {0, [](const KernelCall<T>& c) {
            T off = 1;
            for (int i = 0; i < kDigits; ++i) off /= 10;
            for (std::int64_t i = 0; i < c.shape.size(); ++i)
              c.out[i] = -c.in[0].data[i] * (1 + (i == 2 ? off : 0));
          }};
}

Op negation(std::string_view name) {
  Op op = elementwise({
      .name = name,
      .kernel = scalar1([](auto x) { return -x; }),
      .derivative = [](const Call&, Expr g) { return Adjoints{-g}; },
  });
  return op;
}

bool blames(const CheckRow& row, const char* op) {
  return row.operation.starts_with(std::string("op '") + op + "' (%");
}

}  // namespace

TEST_CASE("gradient mistakes: a wrong rule is found at order 1 and its operation named") {
  CheckSetting t;
  const auto found = [&](const Op& op) {
    CAPTURE(op.name);
    // Others stand before and behind it, and are not blamed.
    const Expr cost = sum(sigmoid(apply(op, tanh(t.hidden())))) + sum(square(t.W));
    CHECK_FALSE(t.check(cost).passed());
    for (const char* parameter : {"W", "b"}) {
      const CheckRow row = t.row(cost, 1, parameter);
      CHECK(row.verdict == Verdict::kWrongRule);
      CHECK(row.operation ==
            cat("op '", op.name, "' (%", apply(op, tanh(t.hidden())).id, ", shape [3, 5])"));
      CHECK(row.error > 1e-12);
    }
    CHECK(t.row(cost, 1, "s").verdict == Verdict::kUnused);
  };
  found(wrong_factor);
  found(wrong_digits);
  found(wrong_sign);
}

TEST_CASE("gradient mistakes: a dropped term is found for the operand that lacks it alone") {
  CheckSetting t;
  const Expr e = t.tape.append(dropped_term, {t.b, exp(t.W)});
  const Expr cost = sum(e);
  CHECK(t.row(cost, 1, "b").verdict == Verdict::kPass);
  CHECK(t.row(cost).verdict == Verdict::kWrongRule);
  CHECK(blames(t.row(cost), "dropped_term"));
  CHECK(t.row(cost).exact == 0);
  CHECK(t.row(cost).numeric != 0);
}

TEST_CASE("gradient mistakes: a wrong adjoint of a contraction is found") {
  CheckSetting t;
  static const Op kWrong = with_rule(
      t.hidden().tape->expr(matmul(t.x, t.W).id), "wrong_contract", [](const Call& c, Expr g) {
        // Forgets to transpose, which the shapes of W W allow.
        return Adjoints{contract("ab,bc->ac", {g, c.in[1]}), contract("ab,ac->bc", {c.in[0], g})};
      });
  const Expr square_matrix = slice(t.W, 1, 0, 4);
  const Expr e = t.tape.append(kWrong, {tanh(square_matrix), sin(square_matrix)},
                               {{"subscripts", std::string("ab,bc->ac")}});
  const CheckRow row = t.row(sum(square(e)));
  CHECK(row.verdict == Verdict::kWrongRule);
  CHECK(blames(row, "wrong_contract"));
}

TEST_CASE("gradient mistakes: a wrong adjoint of a reduction is found") {
  CheckSetting t;
  static const Op kWrong = with_rule(sum(t.W, {1}), "wrong_sum", [](const Call& c, Expr g) {
    return Adjoints{broadcast_to(insert_axis(g, 1), c.in[0].shape()) * 0.5};
  });
  const Expr e = t.tape.append(kWrong, {t.W}, {{"axes", Axes{-1}}, {"keepdims", std::int64_t{0}}});
  CHECK(blames(t.row(sum(exp(e))), "wrong_sum"));
}

TEST_CASE("gradient mistakes: the wrong element is named, with both slopes") {
  CheckSetting t;
  for (std::int64_t i = 0; i < 20; ++i) t.value(t.W, i) *= 0.5;
  t.value(t.W, 13) = 1;
  const CheckRow row = t.row(sum(apply(wrong_above, t.W)));
  CHECK(row.verdict == Verdict::kWrongRule);
  CHECK(row.element == "W[2, 3]");
  CHECK(blames(row, "wrong_above"));
  CHECK(row.numeric == doctest::Approx(std::cos(1.0)).epsilon(1e-15));
  CHECK(row.exact == doctest::Approx(1.5 * std::cos(1.0)).epsilon(1e-15));
  t.value(t.W, 13) = 0.8;
  CHECK(t.row(sum(apply(wrong_above, t.W))).verdict == Verdict::kPass);
}

TEST_CASE("gradient mistakes: one in the second derivative alone is found at order 2") {
  CheckSetting t;
  const Expr cost = sum(square(apply(right_once, t.hidden())));
  CHECK(t.check(cost, 1).passed());
  const CheckReport report = t.check(cost, 2);
  CHECK_FALSE(report.passed());
  for (const char* parameter : {"W", "b"}) {
    CHECK(t.row(cost, 2, parameter).verdict == Verdict::kWrongRule);
    CHECK(blames(t.row(cost, 2, parameter), "wrong_slope"));
  }
  for (const CheckRow& row : report.rows)
    if (row.order == 1) CHECK(row.verdict != Verdict::kWrongRule);
}

TEST_CASE("gradient mistakes: the term that is wrong is told from those that are right") {
  CheckSetting t;
  const std::vector<CheckedTerm> terms = {{"right", sum(square(t.W))},
                                          {"wrong", sum(apply(wrong_sign, t.W))},
                                          {"also right", sum(exp(t.W))}};
  const CheckReport report = check_gradients(terms, {t.W}, t.feed, {});
  REQUIRE(report.rows.size() == 3);
  CHECK(report.rows[0].verdict == Verdict::kPass);
  CHECK(report.rows[1].verdict == Verdict::kWrongRule);
  CHECK(report.rows[1].term == "wrong");
  CHECK(report.rows[2].verdict == Verdict::kPass);
  CHECK_FALSE(report.passed());
}

TEST_CASE("gradient mistakes: a gradient that is none of a kink's is wrong, not a kink") {
  CheckSetting t;
  t.value(t.W, 6) = 0;
  const CheckRow row = t.row(sum(apply(wrong_at_kink, t.W)));
  CHECK(row.verdict == Verdict::kWrongRule);
  CHECK(row.element == "W[1, 1]");
  CHECK(row.exact == 2);
  CHECK(row.slope_left == 0);
  CHECK(row.slope_right == 1);
}

TEST_CASE("gradient mistakes: kinks hide no wrong rule") {
  CheckSetting t;
  for (const std::int64_t i : {0, 7, 19}) t.value(t.W, i) = 0;
  for (std::int64_t i = 0; i < 20; ++i) t.value(t.W, i) *= 0.5;
  t.value(t.W, 13) = 1;
  const CheckRow row = t.row(sum(abs(t.W)) + 1e-3 * sum(apply(wrong_above, t.W)));
  CHECK(row.verdict == Verdict::kWrongRule);
  CHECK(row.element == "W[2, 3]");
  CHECK(blames(row, "wrong_above"));
}

TEST_CASE("gradient mistakes: what is held fixed does not excuse what is not") {
  CheckSetting t;
  const Expr held = stop_gradient(square(t.W));  // stands first, and is not blamed
  CHECK(blames(t.row(sum(held * apply(wrong_factor, t.W))), "wrong_factor"));
  CHECK(t.row(sum(stop_gradient(apply(wrong_factor, t.W)) * t.W)).verdict == Verdict::kPass);
}

TEST_CASE("gradient mistakes: a wrong rule beside indices and choices is found past them") {
  CheckSetting t;
  const Expr rows = take(t.W, iota(t.tape, 3), 0);
  const Expr mask = top_k(rows, 2);
  CHECK(blames(t.row(sum(apply(wrong_factor, rows * mask) * max(rows))), "wrong_factor"));
}

TEST_CASE("gradient mistakes: a plan that is wrong in one precision is found and its op named") {
  CheckSetting t;
  Op in_float = negation("wrong_in_float");
  in_float.prepare_float = wrong_call<float, 3>;
  Op in_double = negation("wrong_in_double");
  in_double.prepare_double = wrong_call<double, 11>;
  Op right = negation("right");
  const auto cost = [&](const Op& op) {
    return sum(square(contract("bi,ij,bj->b", {t.x, apply(op, tanh(t.W)), t.hidden()})));
  };
  CHECK(t.check(cost(right), 2).passed());
  const CheckRow f = t.row(cost(in_float)), d = t.row(cost(in_double));
  CHECK(f.verdict == Verdict::kWrongPlan);
  CHECK(blames(f, "wrong_in_float"));
  CHECK(f.float_error > 1);
  CHECK(f.double_error < 1);
  CHECK(d.verdict == Verdict::kWrongPlan);
  CHECK(blames(d, "wrong_in_double"));
  CHECK(d.float_error < 1);
  CHECK(d.double_error > 1);
  CHECK_FALSE(t.check(cost(in_double)).passed());
  CHECK(check_gradients({{"cost", cost(in_double)}}, {t.W}, t.feed, {.plans = false}).passed());
}

TEST_CASE("gradient mistakes: a plan that gives no number where there is one is wrong") {
  CheckSetting t;
  Op op = negation("not_a_number");
  op.prepare_float = [](const ShapeCall&) -> Prepared<float> {
    return {0, [](const KernelCall<float>& c) {
              std::fill_n(c.out, c.shape.size(), std::numeric_limits<float>::quiet_NaN());
            }};
  };
  const CheckRow row = t.row(sum(apply(op, t.W)));
  CHECK(row.verdict == Verdict::kWrongPlan);
  CHECK(blames(row, "not_a_number"));
}

TEST_CASE("gradient mistakes: a plan that writes beside its workspace's promise is still found") {
  // Asks for scratch memory, and its result is wrong where a stale number is read from it.
  CheckSetting t;
  Op op = negation("stale");
  op.prepare_float = [](const ShapeCall& call) -> Prepared<float> {
    return {call.shape.size(), [](const KernelCall<float>& c) {
              for (std::int64_t i = 0; i < c.shape.size(); ++i) c.workspace[i] = 0.5F;
              for (std::int64_t i = 0; i < c.shape.size(); ++i)
                c.out[i] = -c.in[0].data[i] + (c.workspace[i] - 0.25F);
            }};
  };
  const CheckRow row = t.row(sum(exp(apply(op, t.W))));
  CHECK(row.verdict == Verdict::kWrongPlan);
  CHECK(blames(row, "stale"));
}
