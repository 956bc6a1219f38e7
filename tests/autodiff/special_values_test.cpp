// What every elementwise op gives at the points where habits differ: zeros of both signs, the
// smallest and the largest number, infinities, NaN, kinks and ties. The conventions of the engine:
//
// - the slope at a kink is the smaller side's for relu (0), the middle for abs (0) and for a tie of
//   maximum and minimum (1/2 each), 1 on the closed interval of clamp, 0 for norm at 0; a tie of n
//   elements under max or min gives 1/n to each
// - x^0 is 1 with slope 0 for every x; 0^y has slope 0 in y
// - comparisons and logic have slope 0; NaN compares as false, and counts as true in logic
// - where an op chooses by comparing, NaN goes through the value and the slope is 0
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/op_calls.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr double I = std::numeric_limits<double>::infinity();
constexpr double N = std::numeric_limits<double>::quiet_NaN();
constexpr double D = std::numeric_limits<double>::denorm_min();
constexpr double M = std::numeric_limits<double>::max();

struct Row {
  std::vector<double> in;
  double value;
  std::vector<double> slopes;  // one per operand; empty: all 0
};

struct Special {
  std::string op;
  Attributes attributes;
  std::vector<Row> rows;
};

// The rows of an op of one operand at 0, -0, 1, -1, D, M, inf, -inf, NaN.
Special at_points(const char* op, const std::vector<double>& values,
                  const std::vector<double>& slopes, Attributes attributes = {}) {
  const std::vector<double> points{0.0, -0.0, 1, -1, D, M, I, -I, N};
  Special special{op, std::move(attributes), {}};
  for (std::size_t i = 0; i < points.size(); ++i)
    special.rows.push_back({{points[i]}, values.at(i), {slopes.at(i)}});
  return special;
}

Attributes exponent(double value) { return {{"exponent", value}}; }

std::vector<Special> special_values() {
  const double e = std::exp(1.0), s = 1 / (1 + 1 / e), t = std::tanh(1.0), p = s * (1 - s);
  const double c = 2 / std::sqrt(std::acos(-1.0)), l = std::log(2.0);
  const double sM = std::sin(M), cM = std::cos(M), s1 = std::sin(1.0), c1 = std::cos(1.0);
  const std::vector<double> none(9, 0.0);
  return {
      at_points("negate", {-0.0, 0, -1, 1, -D, -M, -I, I, N}, {-1, -1, -1, -1, -1, -1, -1, -1, -1}),
      at_points("square", {0, 0, 1, 1, 0, I, I, I, N}, {0, 0, 2, -2, 2 * D, I, I, -I, N}),
      at_points("abs", {0, 0, 1, 1, D, M, I, I, N}, {0, 0, 1, -1, 1, 1, 1, -1, N}),
      at_points("sign", {0, -0.0, 1, -1, 1, 1, 1, -1, N}, none),
      at_points("exp", {1, 1, e, 1 / e, 1, I, I, 0, N}, {1, 1, e, 1 / e, 1, I, I, 0, N}),
      at_points("expm1", {0, -0.0, e - 1, 1 / e - 1, D, I, I, -1, N},
                {1, 1, e, 1 / e, 1, I, I, 0, N}),
      at_points("log", {-I, -I, 0, N, std::log(D), std::log(M), I, N, N},
                {I, -I, 1, -1, I, 1 / M, 0, 0, N}),
      at_points("log1p", {0, -0.0, l, -I, D, std::log(M), I, N, N},
                {1, 1, 0.5, I, 1, 1 / M, 0, 0, N}),
      at_points("sqrt", {0, -0.0, 1, N, std::sqrt(D), std::sqrt(M), I, N, N},
                {I, -I, 0.5, N, 0.5 / std::sqrt(D), 0.5 / std::sqrt(M), 0, N, N}),
      at_points("sin", {0, -0.0, s1, -s1, D, sM, N, N, N}, {1, 1, c1, c1, 1, cM, N, N, N}),
      at_points("cos", {1, 1, c1, c1, 1, cM, N, N, N}, {0, 0, -s1, s1, -D, -sM, N, N, N}),
      at_points("tanh", {0, -0.0, t, -t, D, 1, 1, -1, N},
                {1, 1, 1 - t * t, 1 - t * t, 1, 0, 0, 0, N}),
      at_points("sigmoid", {0.5, 0.5, s, 1 - s, 0.5, 1, 1, 0, N},
                {0.25, 0.25, p, p, 0.25, 0, 0, 0, N}),
      at_points("softplus", {l, l, std::log(1 + e), std::log(1 + 1 / e), l, M, I, 0, N},
                {0.5, 0.5, s, 1 - s, 0.5, 1, 1, 0, N}),
      at_points("erf", {0, -0.0, std::erf(1.0), -std::erf(1.0), D, 1, 1, -1, N},
                {c, c, c / e, c / e, c, 0, 0, 0, N}),
      at_points("relu", {0, -0.0, 1, 0, D, M, I, 0, N}, {0, 0, 1, 0, 1, 1, 1, 0, 0}),
      at_points("stop_gradient", {0, -0.0, 1, -1, D, M, I, -I, N}, none),
      at_points("not", {1, 1, 0, 0, 0, 0, 0, 0, 0}, none),
      at_points("power_constant", {0, -0.0, 1, -1, 0, I, I, -I, N}, {0, 0, 3, 3, 0, I, I, I, N},
                exponent(3)),
      at_points("power_constant", {I, -I, 1, -1, I, 1 / M, 0, -0.0, N},
                {-I, -I, -1, -1, -I, 0, 0, 0, N}, exponent(-1)),
      at_points("power_constant", {0, 0, 1, N, std::sqrt(D), std::sqrt(M), I, I, N},
                {I, I, 0.5, N, 0.5 / std::sqrt(D), 0.5 / std::sqrt(M), 0, 0, N}, exponent(0.5)),
      at_points("power_constant", {0, 0, 1, N, 0, I, I, I, N}, {0, 0, 2.5, N, 0, I, I, I, N},
                exponent(2.5)),
      {"add",
       {},
       {{{0.0, -0.0}, 0, {1, 1}},
        {{I, -I}, N, {1, 1}},
        {{M, M}, I, {1, 1}},
        {{-0.0, -0.0}, -0.0, {1, 1}},
        {{D, D}, 2 * D, {1, 1}},
        {{N, 1}, N, {1, 1}}}},
      {"subtract",
       {},
       {{{1, 1}, 0, {1, -1}},
        {{-0.0, 0}, -0.0, {1, -1}},
        {{I, I}, N, {1, -1}},
        {{-M, M}, -I, {1, -1}},
        {{D, D}, 0, {1, -1}},
        {{1, N}, N, {1, -1}}}},
      {"multiply",
       {},
       {{{0, I}, N, {I, 0}},
        {{-1, 0}, -0.0, {0, -1}},
        {{D, 0.5}, 0, {0.5, D}},
        {{M, 2}, I, {2, M}},
        {{-I, -1}, I, {-1, -I}},
        {{N, 0}, N, {0, N}}}},
      {"divide",
       {},
       {{{1, 0.0}, I, {I, -I}},
        {{1, -0.0}, -I, {-I, -I}},
        {{0, 0}, N, {I, N}},
        {{0, 1}, 0, {1, 0}},
        {{1, I}, 0, {0, 0}},
        {{I, I}, N, {0, N}},
        {{M, 0.5}, I, {2, -I}},
        {{D, D}, 1, {I, -I}},
        {{N, 1}, N, {1, N}}}},
      {"power",
       {},
       {{{0, 0}, 1, {0, 0}},
        {{0, 1}, 0, {1, 0}},
        {{0, 2}, 0, {0, 0}},
        {{0, 0.5}, 0, {I, 0}},
        {{0, -1}, I, {-I, 0}},
        {{1, 5}, 1, {5, 0}},
        {{2, 0}, 1, {0, l}},
        {{2, 3}, 8, {12, 8 * l}},
        {{-1, 2}, 1, {-2, N}},
        {{I, 0}, 1, {0, I}},
        {{N, 0}, 1, {0, N}},
        {{2, I}, I, {I, I}},
        {{2, N}, N, {N, N}},
        {{D, 1}, D, {1, D * std::log(D)}}}},
      {"maximum",
       {},
       {{{1, 1}, 1, {0.5, 0.5}},
        {{0.0, -0.0}, 0, {0.5, 0.5}},
        {{2, 1}, 2, {1, 0}},
        {{-1, 1}, 1, {0, 1}},
        {{I, I}, I, {0.5, 0.5}},
        {{-I, 1}, 1, {0, 1}},
        {{D, 0}, D, {1, 0}},
        {{N, 1}, N, {0, 0}},
        {{1, N}, N, {0, 0}}}},
      {"minimum",
       {},
       {{{1, 1}, 1, {0.5, 0.5}},
        {{0.0, -0.0}, 0, {0.5, 0.5}},
        {{2, 1}, 1, {0, 1}},
        {{-1, 1}, -1, {1, 0}},
        {{-I, -I}, -I, {0.5, 0.5}},
        {{I, 1}, 1, {0, 1}},
        {{D, 0}, 0, {0, 1}},
        {{N, 1}, N, {0, 0}},
        {{1, N}, N, {0, 0}}}},
      {"less",
       {},
       {{{0, 1}, 1, {}},
        {{1, 1}, 0, {}},
        {{-0.0, 0}, 0, {}},
        {{0, D}, 1, {}},
        {{M, I}, 1, {}},
        {{-I, -M}, 1, {}},
        {{N, 1}, 0, {}},
        {{1, N}, 0, {}}}},
      {"less_equal",
       {},
       {{{0, 1}, 1, {}},
        {{1, 1}, 1, {}},
        {{0.0, -0.0}, 1, {}},
        {{D, 0}, 0, {}},
        {{I, I}, 1, {}},
        {{N, N}, 0, {}},
        {{N, 1}, 0, {}}}},
      {"equal",
       {},
       {{{1, 1}, 1, {}},
        {{0.0, -0.0}, 1, {}},
        {{0, D}, 0, {}},
        {{I, I}, 1, {}},
        {{I, -I}, 0, {}},
        {{N, N}, 0, {}}}},
      {"not_equal",
       {},
       {{{1, 1}, 0, {}},
        {{0.0, -0.0}, 0, {}},
        {{0, D}, 1, {}},
        {{I, I}, 0, {}},
        {{I, -I}, 1, {}},
        {{N, N}, 1, {}}}},
      {"and",
       {},
       {{{0, 1}, 0, {}},
        {{1, -1}, 1, {}},
        {{-0.0, 1}, 0, {}},
        {{D, I}, 1, {}},
        {{N, 1}, 1, {}},
        {{N, 0}, 0, {}}}},
      {"or",
       {},
       {{{0, 1}, 1, {}},
        {{0.0, -0.0}, 0, {}},
        {{D, 0}, 1, {}},
        {{-I, 0}, 1, {}},
        {{N, 0}, 1, {}},
        {{M, N}, 1, {}}}},
      {"where",
       {},
       {{{1, 2, 3}, 2, {0, 1, 0}},
        {{0, 2, 3}, 3, {0, 0, 1}},
        {{-0.0, 2, 3}, 3, {0, 0, 1}},
        {{N, 2, 3}, 2, {0, 1, 0}},
        {{D, 2, 3}, 2, {0, 1, 0}},
        {{0, N, 3}, 3, {0, 0, 1}},
        {{1, 2, N}, 2, {0, 1, 0}},
        {{1, -I, I}, -I, {0, 1, 0}}}},
  };
}

bool in_range_of_float(double x) {
  return x == 0 || !std::isfinite(x) || (std::abs(x) > 1e-30 && std::abs(x) < 1e30);
}

template <class T>
bool same(T got, double expected) {
  if (std::isnan(expected)) return got != got;
  if (std::isinf(expected)) return got == static_cast<T>(expected);
  return relative_error<double>(static_cast<double>(got), expected, D) <=
         (sizeof(T) == 4 ? 1e-6 : 1e-14);
}

bool negative_zero(double x) { return x == 0 && std::signbit(x); }

template <class T>
void check_row(const Op& op, const Special& special, const Row& row) {
  Tape tape;
  std::vector<Expr> in;
  Feed<T> feed;
  std::string text = special.op;
  for (std::size_t i = 0; i < row.in.size(); ++i) {
    in.push_back(tape.input(operand_name(i), {}));
    feed[operand_name(i)] = Tensor<T>({}, static_cast<T>(row.in[i]));
    text += ' ' + number_text(row.in[i]);
  }
  CAPTURE(text);
  const Expr out = tape.append(op, in, special.attributes);
  const T value = evaluate<T>(out, feed)[0];
  CHECK_MESSAGE(same(value, row.value), "value ", static_cast<double>(value), ", not ", row.value);
  // Which of two zeros is the larger is not promised.
  if (row.value == 0 && special.op != "maximum" && special.op != "minimum")
    CHECK_MESSAGE(negative_zero(static_cast<double>(value)) == negative_zero(row.value),
                  "the sign of zero");
  const std::vector<Expr> slopes = gradient(out, in, Unused::kZero);
  for (std::size_t i = 0; i < slopes.size(); ++i) {
    const T slope = evaluate<T>(slopes[i], feed)[0];
    const double expected = row.slopes.empty() ? 0 : row.slopes.at(i);
    CHECK_MESSAGE(same(slope, expected), "slope ", static_cast<double>(slope), ", not ", expected);
  }
}

}  // namespace

TEST_CASE("every elementwise op has its value and slope at all special points") {
  std::map<std::string_view, const Op*> ops;
  for (const Op* op : all_ops())
    if (op->elementwise) ops[op->name] = op;
  std::map<std::string_view, std::size_t> rows;
  for (const Special& special : special_values()) {
    const auto it = ops.find(special.op);
    REQUIRE_MESSAGE(it != ops.end(), special.op);
    rows[it->first] += special.rows.size();
    for (const Row& row : special.rows) {
      check_row<double>(*it->second, special, row);
      Row all = row;
      all.in.push_back(row.value);
      all.in.insert(all.in.end(), row.slopes.begin(), row.slopes.end());
      if (!std::ranges::all_of(all.in, in_range_of_float)) continue;
      check_row<float>(*it->second, special, row);
      check_row<Quad>(*it->second, special, row);
    }
  }
  for (const auto& entry : ops)
    CHECK_MESSAGE(rows[entry.first] >= (entry.second->arity == 1 ? 9u : 6u), entry.first);
}

TEST_CASE("contract leaves out products with zeros only where the other factor is finite") {
  Tape tape;
  const Expr a = tape.input("a", {1, 3}), b = tape.input("b", {3, 9}), c = tape.input("c", {9, 3});
  const auto values = [&](double factor) {
    Tensor<double> of_b(Shape{3, 9}, 2.0), of_c(Shape{9, 3}, 2.0);
    of_b[9 + 4] = of_c[4 * 3 + 1] = factor;
    const Feed<Quad> feed{{"a", jacquard::cast<Quad>(Tensor<double>({1, 3}, {-1, 0.0, 3}))},
                          {"b", jacquard::cast<Quad>(of_b)},
                          {"c", jacquard::cast<Quad>(of_c)}};
    // Rows that are added up, and sums element by element.
    const Tensor<Quad> rows = evaluate(matmul(a, b), feed);
    const Tensor<Quad> sums = evaluate(matmul(a, transpose(c)), feed);
    CHECK(rows[0] == Quad(4));
    CHECK(sums[0] == Quad(4));
    return std::array{static_cast<double>(rows[4]), static_cast<double>(sums[4])};
  };
  for (const double finite : {0.0, -0.0, 1.0, M, D})
    for (const double value : values(finite)) CHECK(value == 4);
  for (const double other : {I, -I, N})
    for (const double value : values(other)) CHECK(std::isnan(value));
}
