// What texts are worth: the same nodes as the C++ functions, numbers that stay numbers, names that
// are found in any order, draws with streams of their own.
#include "models/language/evaluate.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "nn/corruptions.hpp"
#include "nn/losses.hpp"

using namespace jacquard;
using namespace jacquard::models;

namespace {

struct Setting {
  Tape tape;
  Expr x = tape.input("x", {4, 3}), labels = tape.input("labels", {4});
  Expr W = tape.input("W", {3, 2}, InputKind::kParameter);
  Expr b = tape.input("b", {2}, InputKind::kParameter);
  Expr M = tape.input("M", {4, 3, 3}), epoch = tape.input("epoch", {});
  Environment environment;

  Setting(const NamedTexts& define, const NamedTexts& functions)
      : environment(tape,
                    {{"x", x}, {"labels", labels}, {"W", W}, {"b", b}, {"M", M}, {"epoch", epoch}},
                    define, functions) {
    for (const EvaluationError& error : environment.errors()) FAIL_CHECK(error.what());
  }

  Value value(const std::string& text, const std::string& where = "test") {
    const std::optional<Value> result = environment.evaluate(text, where);
    for (const EvaluationError& error : environment.take_errors()) FAIL(error.what());
    REQUIRE(result.has_value());
    return *result;
  }
  Expr expr(const std::string& text, const std::string& where = "test") {
    const Value result = value(text, where);
    if (const Expr* tensor = result.as<Expr>()) return *tensor;
    FAIL(text, " is ", describe(result));
    return {};
  }
  double number(const std::string& text) {
    const Value result = value(text);
    if (const double* n = result.as<double>()) return *n;
    FAIL(text, " is ", describe(result));
    return 0;
  }
};

// The streams of all draws that the roots need.
std::set<std::string> streams_of(const Tape& tape, std::initializer_list<Expr> roots) {
  std::set<std::string> streams;
  for (const NodeId id : ancestors(tape, std::vector<Expr>(roots))) {
    const Node& node = tape.node(id);
    if (node.op->name == "normal" || node.op->name == "uniform")
      streams.insert(node.attributes.text("stream"));
  }
  return streams;
}

}  // namespace

TEST_CASE("a text records the same nodes as the C++ functions") {
  Setting s({{"h", "sigmoid(x @ W + b)"}}, {});
  const Expr x = s.x, W = s.W, b = s.b, M = s.M;
  const Expr h = sigmoid(matmul(x, W) + b);
  const Expr zero = constant(s.tape, 0.0);
  const std::vector<std::pair<std::string, Expr>> pairs = {
      {"h", h},
      {"x + x", x + x},
      {"x - 1", x - 1.0},
      {"2 * x", 2.0 * x},
      {"1 / x", 1.0 / x},
      {"x / b[0]", x / reshape(slice(b, 0, 0, 1), Shape{})},
      {"-x^2", -square(x)},
      {"x^3", power(x, 3.0)},
      {"x^-1", power(x, -1.0)},
      {"x^0.5", power(x, 0.5)},
      {"x^1", x},
      {"2^x", power(constant(s.tape, 2.0), x)},
      {"x^x", power(x, x)},
      {"jacobian(h, x)^4", power(jacobian(h, x), 4.0)},
      {"W.T", transpose(W)},
      {"M.T", transpose(M)},
      {"M @ x[0]", matmul(M, remove_axis(slice(x, 0, 0, 1), 0))},
      {"x < 0.5", less(x, constant(s.tape, 0.5))},
      {"0.5 >= x", greater_equal(constant(s.tape, 0.5), x)},
      {"x == x", equal(x, x)},
      {"x != 0", not_equal(x, zero)},
      {"x > 0 and not x > 1",
       logical_and(greater(x, zero), logical_not(greater(x, constant(s.tape, 1.0))))},
      {"x or true", logical_or(x, constant(s.tape, 1.0))},
      {"x[:, 0:2]", slice(x, 1, 0, 2)},
      {"x[1:]", slice(x, 0, 1, 4)},
      {"x[:]", x},
      {"x[:-1, -1]", remove_axis(slice(slice(x, 0, 0, 3), 1, 2, 3), 1)},
      {"M[1, 2]", reshape(slice(slice(M, 0, 1, 2), 1, 2, 3), Shape{3})},
      {"M[:, :, 0]", remove_axis(slice(M, 2, 0, 1), 2)},
      {"sum(x, axis=[0, -1])", sum(x, {0, -1})},
      {"mean(x, 1, true)", mean(x, {1}, true)},
      {"max(x, axis=-1)", max(x, {-1})},
      {"where(x > 0, x, 0)", where(greater(x, zero), x, zero)},
      {"mean(cross_entropy_logits(h @ W.T, x)) + 0.1 * mean(sqnorm(jacobian(h, x)))",
       mean(nn::cross_entropy_logits(matmul(h, transpose(W)), x)) +
           0.1 * mean(sqnorm(jacobian(h, x)))},
      {"gradient(sum(h), W)", gradient(sum(h), {W})[0]},
      {"gradient(sum(h^2), h)", gradient(sum(square(h)), {h})[0]},
      {"sqnorm_estimate(jacobian(h, x), 2, stream='p')", sqnorm_estimate(h, x, 2, "p")},
      {"masking_noise(x, 0.3, stream='e')", nn::masking_noise(x, 0.3, "e")},
      {"normal(x)", normal(s.tape, {4, 3}, "test#0")},
      {"one_hot(labels, 10)", one_hot(s.labels, 10)},
  };
  const std::size_t size = s.tape.size();
  for (const auto& pair : pairs) {
    CAPTURE(pair.first);
    CHECK(s.expr(pair.first) == pair.second);
  }
  CHECK(s.tape.size() == size);
}

TEST_CASE("numbers stay numbers until they meet a tensor") {
  Setting s({{"units", "2 * 5"}, {"half", "1 / 2"}}, {});
  const std::size_t size = s.tape.size();
  CHECK(s.number("1 + 2 * 3") == 7);
  CHECK(s.number("-2^2") == -4);
  CHECK(s.number("2^-1") == 0.5);
  CHECK(s.number("2^3^2") == 512);
  CHECK(s.number("units") == 10);
  CHECK(s.number("true + true") == 2);
  CHECK(s.number("sqrt(16)") == 4);
  CHECK(s.number("maximum(1, exp(0)) + clamp(7, 0, 2)") == 3);
  CHECK(s.number("where(1 < 2, 5, 6)") == 5);
  CHECK(*s.value("1 < 2 and not 3 == 4").as<bool>());
  CHECK(*s.value("2 != 2 or false").as<bool>() == false);
  CHECK(s.tape.size() == size);
  CHECK(s.expr("one_hot(labels, units)").shape() == Shape{4, 10});
  CHECK(s.expr("reshape(x, [units - 8, -1])").shape() == Shape{2, 6});
  CHECK(s.expr("x^half") == power(s.x, 0.5));
  CHECK(s.expr("half * x") == 0.5 * s.x);
  CHECK(s.expr("sum(2)") == constant(s.tape, 2.0));
}

TEST_CASE("definitions stand in any order and get their names as labels") {
  NamedTexts define = {{"y", "sigmoid(logits)"},
                       {"logits", "h @ W.T + scale"},
                       {"h", "twice(x @ W + b)"},
                       {"scale", "2"}};
  const NamedTexts functions = {{"twice(t)", "scale * helper(t)"}, {"helper(t)", "tanh(t)"}};
  std::mt19937 random(1);
  std::string first;
  for (int round = 0; round < 10; ++round) {
    std::ranges::shuffle(define, random);
    Setting s(define, functions);
    const Expr h = 2.0 * tanh(matmul(s.x, s.W) + s.b);
    CHECK(s.expr("h") == h);
    CHECK(s.expr("y") == sigmoid(matmul(h, transpose(s.W)) + 2.0));
    CHECK(s.tape.label(h.id) == "h");
    CHECK(s.tape.label(s.expr("y").id) == "y");
    // The same tape, node for node.
    std::string text;
    for (NodeId id = 0; id < static_cast<NodeId>(s.tape.size()); ++id)
      text += cat(s.tape.node(id).op->name, s.tape.node(id).attributes, s.tape.label(id), '\n');
    if (round == 0) first = text;
    CHECK(text == first);
  }
}

TEST_CASE("a definition of an input keeps the input's name, and epoch can be used") {
  Setting s({{"xe", "x"}, {"rate", "0.1 * exp(-epoch / 10)"}}, {});
  CHECK(s.expr("xe") == s.x);
  CHECK(s.tape.label(s.x.id) == "x");
  CHECK(s.expr("rate") == 0.1 * exp(-s.epoch / 10.0));
}

TEST_CASE("arguments of functions shadow names, and functions see the names of the spec") {
  Setting s({{"q", "sum(W)"}}, {{"kl(p, q)", "p*log(p/q) + (1-p)*log((1-p)/(1-q))"},
                                {"shifted(x)", "x + q"},
                                {"swap(a, b)", "b - a"},
                                {"none()", "W @ b"}});
  const Expr q = sum(s.W), h = sigmoid(s.x);
  const Expr p = constant(s.tape, 0.05), rest = constant(s.tape, 0.95);
  CHECK(s.expr("kl(0.05, sigmoid(x))") ==
        0.05 * log(p / h) + 0.95 * log(rest / (constant(s.tape, 1.0) - h)));
  CHECK(s.expr("shifted(W)") == s.W + q);
  CHECK(s.expr("swap(b=x, a=1)") == s.x - 1.0);
  CHECK(s.expr("none()") == matmul(s.W, s.b));
  CHECK(s.number("swap(swap(1, 2), 5)") == 4);
}

TEST_CASE("lists, texts and numbers pass through functions") {
  Setting s({}, {{"total(t, axes)", "sum(t, axis=axes)"},
                 {"product(how, a, b)", "contract(how, a, b)"},
                 {"columns(t, n)", "t[:, 0:n]"}});
  CHECK(s.expr("total(M, [1, 2])") == sum(s.M, {1, 2}));
  CHECK(s.expr("total(M, all)") == sum(s.M));
  CHECK(s.expr("product('bi,ij->bj', x, W)") == contract("bi,ij->bj", {s.x, s.W}));
  CHECK(s.expr("columns(x, 2)") == slice(s.x, 1, 0, 2));
}

TEST_CASE("each written draw is its own stream, and a definition shares one") {
  Setting s({{"e", "normal(x)"}, {"two", "normal(x) + normal(x)"}}, {});
  const Expr e = s.expr("e");
  CHECK(streams_of(s.tape, {e}) == std::set<std::string>{"define/e#0"});
  CHECK(streams_of(s.tape, {s.expr("two")}) ==
        std::set<std::string>{"define/two#0", "define/two#1"});
  CHECK(s.expr("e + e") == e + e);
  CHECK(streams_of(s.tape, {s.expr("masking_noise(x, 0.1) + uniform(x)", "cost/a")}) ==
        std::set<std::string>{"cost/a#0", "cost/a#1"});
  // Inner draws come first, and calls that draw nothing do not count.
  CHECK(s.expr("gaussian_noise(sin(normal(x)), 1)", "c") ==
        nn::gaussian_noise(sin(normal(s.tape, {4, 3}, "c#0")), 1.0, "c#1"));
  CHECK(s.expr("normal(x)", "cost/a") ==
        s.expr("0 + normal(x)", "cost/a").tape->expr(s.expr("normal(x)", "cost/a").id));
}

TEST_CASE("equal streams named by hand are one draw wherever they stand") {
  Setting s({{"a", "normal(x, stream='e1')"}}, {{"noise(t)", "t + normal(t, stream=\"e1\")"}});
  const Expr e = normal(s.tape, {4, 3}, "e1");
  CHECK(s.expr("a") == e);
  CHECK(s.expr("normal(x, stream='e1')", "cost/b") == e);
  CHECK(s.expr("noise(x) + noise(x)") == (s.x + e) + (s.x + e));
}

TEST_CASE("two calls of a function that draws are two draws, named by where they stand") {
  Setting s({{"both", "noisy(x) * noisy(x)"}},
            {{"noisy(t)", "t + normal(t)"}, {"outer(t)", "noisy(t) - noisy(t) + uniform(t)"}});
  CHECK(streams_of(s.tape, {s.expr("both")}) ==
        std::set<std::string>{"define/both/noisy:0#0", "define/both/noisy:1#0"});
  CHECK(streams_of(s.tape, {s.expr("outer(x)", "cost/a")}) ==
        std::set<std::string>{"cost/a/outer:0/noisy:0#0", "cost/a/outer:0/noisy:1#0",
                              "cost/a/outer:0#0"});
  // Another function in front changes nothing.
  Setting t({{"both", "twice(noisy(x)) * noisy(x)"}},
            {{"noisy(t)", "t + normal(t)"}, {"twice(t)", "2*t"}});
  CHECK(streams_of(t.tape, {t.expr("both")}) ==
        std::set<std::string>{"define/both/noisy:0#0", "define/both/noisy:1#0"});
}

TEST_CASE("the Jacobian of an estimate is not formed") {
  Setting s({{"h", "tanh(x @ W)"}}, {});
  const Expr estimate = s.expr("sqnorm_estimate(jacobian(h, x), probes=3)", "cost/j");
  CHECK(estimate == sqnorm_estimate(s.expr("h"), s.x, 3, "cost/j#0"));
  for (NodeId id = 0; id < static_cast<NodeId>(s.tape.size()); ++id)
    CHECK_FALSE(s.tape.node(id).shape == Shape{4, 2, 3});
  Setting again({{"h", "tanh(x @ W)"}}, {{"estimate(f, t)", "sqnorm_estimate(jacobian(f, t))"}});
  CHECK(again.expr("estimate(h, x)", "c") ==
        sqnorm_estimate(again.expr("h"), again.x, 1, "c/estimate:0#0"));
}

TEST_CASE("derivatives are taken with respect to definitions, where the graph is cut") {
  Setting s({{"xe", "x + 0.1 * normal(x)"}, {"h", "tanh(xe @ W)"}}, {});
  const Expr xe = s.expr("xe"), h = s.expr("h");
  CHECK(s.expr("jacobian(h, xe)") == jacobian(h, xe));
  CHECK(s.expr("jacobian(h, x + 0.1 * normal(x, stream='define/xe#0'))") == jacobian(h, xe));
  CHECK(s.expr("gradient(sum(h), xe)") == gradient(sum(h), {xe})[0]);
}

TEST_CASE("a chain of ten thousand definitions and a tree of a thousand operations are read") {
  NamedTexts define = {{"d0", "x"}};
  for (int i = 1; i < 10000; ++i) define.push_back({cat("d", i), cat("d", i - 1, " + 1")});
  std::ranges::shuffle(define, std::mt19937(3));
  Setting s(define, {});
  CHECK(s.expr("d9999").shape() == Shape{4, 3});
  std::string text = "x";
  for (int i = 0; i < 990; ++i) text += " * x";
  CHECK(s.expr(text).shape() == Shape{4, 3});
}
