#include "autodiff/gradient_check.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/check_setting.hpp"
#include "tests/support/random_program.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

using Cost = Expr (*)(CheckSetting&);

// Costs whose gradients are right, whatever they are made of.
struct Right {
  std::string name;
  Cost cost;
};
const std::vector<Right> kZoo = {
    {"relu", [](CheckSetting& t) { return sum(square(relu(t.hidden()))); }},
    {"leaky relu", [](CheckSetting& t) { return mean(leaky_relu(t.hidden(), 0.1)); }},
    {"elu", [](CheckSetting& t) { return mean(elu(t.hidden())); }},
    {"selu", [](CheckSetting& t) { return mean(selu(t.hidden())); }},
    {"gelu", [](CheckSetting& t) { return mean(gelu(t.hidden())); }},
    {"max", [](CheckSetting& t) { return sum(max(t.hidden(), {1})); }},
    {"min", [](CheckSetting& t) { return t.s * min(t.hidden()); }},
    {"maximum", [](CheckSetting& t) { return sum(maximum(t.hidden(), t.s * t.b)); }},
    {"abs", [](CheckSetting& t) { return sum(abs(t.W)) + sum(abs(t.hidden())); }},
    {"norm", [](CheckSetting& t) { return sum(norm(t.hidden())); }},
    {"norm of zero", [](CheckSetting& t) { return sum(norm(0.0 * t.hidden())); }},
    {"where",
     [](CheckSetting& t) {
       const Expr h = t.hidden(), positive = greater(h, t.number(0));
       return sum(where(positive, log(where(positive, h, t.number(1))), h));
     }},
    {"where with a bad branch",
     [](CheckSetting& t) {
       const Expr h = t.hidden();
       return sum(where(greater(h, t.number(0)), sqrt(h), h * h));
     }},
    {"clamp", [](CheckSetting& t) { return sum(square(clamp(t.hidden(), -0.3, 0.7))); }},
    {"stop_gradient", [](CheckSetting& t) { return sum(stop_gradient(t.hidden()) * t.hidden()); }},
    {"only stopped", [](CheckSetting& t) { return sum(stop_gradient(square(t.W))) + sum(t.b); }},
    {"contrastive divergence",
     [](CheckSetting& t) {
       // The sample depends on W, and is held fixed (Hinton 2002).
       const Expr h = sigmoid(t.hidden());
       const Expr sample = stop_gradient(sigmoid(matmul(h, transpose(t.W))));
       return mean(sum(softplus(matmul(sample, t.W) + t.b), {1}) - sum(softplus(t.hidden()), {1}));
     }},
    {"top_k", [](CheckSetting& t) { return sum(square(t.hidden() * top_k(t.hidden(), 2))); }},
    {"noise",
     [](CheckSetting& t) {
       const Expr noise = normal(t.tape, t.x.shape(), "noise");
       return mean(sqnorm(tanh(matmul(t.x + t.s * noise, t.W))));
     }},
    {"dropout",
     [](CheckSetting& t) {
       const Expr kept = less(uniform(t.tape, {3, 5}, "mask"), t.number(0.5));
       return mean(sqnorm(kept * t.hidden()));
     }},
    {"softmax", [](CheckSetting& t) { return sum(softmax(t.hidden()) * t.hidden()); }},
    {"cross entropy",
     [](CheckSetting& t) {
       const Expr labels = one_hot(iota(t.tape, 3), 5);
       return -mean(sum(labels * log_softmax(t.hidden()), {1}));
     }},
    {"logsumexp", [](CheckSetting& t) { return sum(logsumexp(5.0 * t.hidden(), {0})); }},
    {"tied autoencoder",
     [](CheckSetting& t) {
       return mean(sqnorm(matmul(sigmoid(t.hidden()), transpose(t.W)) - t.x));
     }},
    {"Jacobian penalty",
     [](CheckSetting& t) { return mean(sqnorm(jacobian(sigmoid(t.hidden()), t.x))); }},
    {"Jacobian penalty of relu",
     [](CheckSetting& t) { return mean(sqnorm(jacobian(relu(t.hidden()), t.x))); }},
    {"score matching",
     [](CheckSetting& t) {
       const Expr score = matmul(tanh(t.hidden()), transpose(t.W));
       return mean(0.5 * sqnorm(score) + trace(jacobian(score, t.x)));
     }},
    {"gradient of a gradient",
     [](CheckSetting& t) {
       return sum(square(gradient(sum(square(tanh(t.hidden()))), {t.W})[0]));
     }},
    {"reused parameter",
     [](CheckSetting& t) {
       return sum(matmul(t.W, transpose(t.W))) + sum(t.W) * t.s + sum(t.W * t.W * t.b);
     }},
    {"movement",
     [](CheckSetting& t) {
       const Expr w = concat({slice(t.W, 1, 1, 4), pad(t.W, 1, 2, 0), t.W}, 1);
       return sum(square(reshape(transpose(w), Shape{15, 4})) * t.s);
     }},
    {"take",
     [](CheckSetting& t) {
       const Expr rows = iota(t.tape, 3);
       return sum(square(take(t.W, rows, 0))) + sum(exp(scatter_add(t.b, iota(t.tape, 5), 0, 7)));
     }},
    {"power", [](CheckSetting& t) { return sum(power(1.5 + tanh(t.hidden()), exp(t.s))); }},
};

// A sum of log, sqrt and 1/x near their poles, smooth but for a radius of 1e-6.
Expr sharp_cost(CheckSetting& t) {
  const Expr w = 1e-6 * t.W;
  return sum(sqrt(sum(square(w)) + 1e-12)) + 1e-6 * sum(log(square(w) + 1e-12)) +
         1e-12 / (sum(square(t.b)) * 1e-6 + 1e-7);
}

}  // namespace

TEST_CASE("gradient check: right costs of every kind pass, at order 1 and 2") {
  CHECK(kZoo.size() >= 30);
  for (const Right& right : kZoo) {
    CAPTURE(right.name);
    CheckSetting t;
    const CheckReport report = t.check(right.cost(t), 2);
    CHECK(complaints(report) == "");
    CHECK(report.passed());
    CHECK(report.rows.size() == 6);
  }
}

TEST_CASE("gradient check: no alarm at 300 random programs of order 1 and 100 of order 2") {
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    const CheckReport report = check_gradients({{"cost", p.cost}}, p.parameters, p.feed,
                                               {.order = seed < 300 ? 1 : 2, .step = seed});
    CHECK(complaints(report) == "");
  }
}

TEST_CASE("gradient check: a sharp bend and a difference of large numbers are no mistakes") {
  CheckSetting t;
  CHECK(complaints(t.check(sharp_cost(t), 2)) == "");
  CHECK(complaints(t.check(sum(t.W + 1e12) - 2e13)) == "");
  // Float and double keep few digits of these, and none is to blame.
  CHECK(complaints(t.check(sum(square((t.W + 4096.0) - 4096.0)))) == "");
  const Expr h = t.hidden() + 1000.0;
  CHECK(complaints(t.check(mean(square(h)) - square(mean(h)))) == "");
  CHECK(complaints(t.check(sum((t.W - 0.1) * 1e6))) == "");
}

TEST_CASE("gradient check: a minimum, where every slope is 0, is no kink") {
  CheckSetting t;
  const Expr bowl = 1.0 + sum(square(t.W - t.tape.input("centre", {4, 5})));
  t.feed["centre"] = t.feed["W"];
  CHECK(complaints(t.check(bowl, 2)) == "");
  CHECK(complaints(t.check(sum(power(t.W - t.tape.input("centre", {4, 5}), 3)), 2)) == "");
}

TEST_CASE("gradient check: values just inside the domain of a function are no mistakes") {
  CheckSetting t;
  t.value(t.W, 4) = 0x1p-40;  // 9e-13: nearer to 0 than the usual step of differences
  CHECK(complaints(t.check(sum(sqrt(abs(t.W))))) == "");
  CHECK(complaints(t.check(sum(log(square(t.W))))) == "");
  t.set(t.b, Tensor<double>({5}, {0x1p-40, 0.1, 0.2, 0.3, 0.4}));
  CHECK(complaints(t.check(sum(sqrt(t.b)))) == "");
  CHECK(complaints(t.check(sum(log(t.b)), 2)) == "");
}

TEST_CASE("gradient check: a kink at the base point is reported as such and is no failure") {
  const auto kinked = [](Cost cost, const std::string& op) {
    CAPTURE(op);
    CheckSetting t;
    t.value(t.W, 7) = 0;
    const CheckReport report = t.check(cost(t), 2);
    CHECK(report.passed());
    CHECK(t.row(cost(t)).verdict == Verdict::kKink);
    CHECK(t.row(cost(t)).element == "W[1, 2]");
    CHECK(t.row(cost(t)).operation.starts_with("op '" + op + "' ("));
    // The gradient jumps there.
    CHECK(t.row(cost(t), 2).verdict == Verdict::kKink);
    CHECK(t.row(cost(t), 2).element == "W[1, 2]");
    CHECK(t.row(cost(t), 2).operation != "");
  };
  kinked([](CheckSetting& t) { return sum(relu(t.W)); }, "relu");
  kinked([](CheckSetting& t) { return sum(abs(t.W)); }, "abs");
  kinked([](CheckSetting& t) { return sum(leaky_relu(t.W)); }, "where");
  kinked([](CheckSetting& t) { return sum(square(t.W)) + sum(maximum(t.W, -2.0 * t.W)); },
         "maximum");
  kinked([](CheckSetting& t) { return sum(exp(minimum(t.W, t.W * 0.5))); }, "minimum");
}

TEST_CASE("gradient check: ties of many, and kinks everywhere, are no failure") {
  for (const int order : {1, 2}) {
    CAPTURE(order);
    CheckSetting t;
    for (std::int64_t i = 5; i < 10; ++i) t.value(t.W, i) = 0.5;
    const CheckRow row = t.row(sum(max(t.W, {1})), order);
    CHECK(row.verdict == Verdict::kKink);
    CHECK(row.element.starts_with("W[1, "));
    t.set(t.W, Tensor<double>(t.W.shape()));
    t.set(t.b, Tensor<double>(t.b.shape()));
    const Expr cost = sum(relu(t.hidden()));
    CHECK(t.check(cost, order).passed());
    CHECK(t.row(cost, order, "W").verdict == Verdict::kKink);
    CHECK(t.row(cost, order, "b").verdict == Verdict::kKink);
  }
}

TEST_CASE("gradient check: the one-sided slopes of a kink are told") {
  CheckSetting t;
  t.value(t.W, 19) = 0;
  const CheckRow row = t.row(sum(leaky_relu(t.W, 0.25)) * 2.0);
  CHECK(row.verdict == Verdict::kKink);
  CHECK(row.element == "W[3, 4]");
  CHECK(row.slope_left == 0.5);
  CHECK(row.slope_right == 2);
  CHECK(row.exact == 0.5);
  CHECK(row.numeric == 1.25);
  t.set(t.s, Tensor<double>());
  CHECK(t.row(abs(t.s), 1, "s").element == "s");
}

TEST_CASE("gradient check: what is not finite is named with its operation") {
  CheckSetting t;
  t.value(t.W, 3) = 0;
  const auto finds = [&](Expr cost, const std::string& operation) {
    const CheckReport report = t.check(cost);
    CHECK_FALSE(report.passed());
    CHECK(t.row(cost).verdict == Verdict::kNotFinite);
    CHECK(t.row(cost).operation == operation);
  };
  const auto text = [&](const char* op, Expr e) {
    return cat("op '", op, "' (%", e.id, ", shape ", e.shape(), ")");
  };
  SUBCASE("a value") {
    const Expr e = log(abs(t.W));
    finds(sum(e), text("log", e));
  }
  SUBCASE("a value that is NaN") {
    const Expr e = t.W / t.W;
    finds(sum(e), text("divide", e));
  }
  SUBCASE("a slope") {
    const Expr e = sqrt(square(t.W));
    finds(sum(e), text("sqrt", e));
  }
  SUBCASE("numbers that only quad reaches") {
    const Expr e = exp(100.0 + t.W);
    finds(sum(log(e)), text("exp", e));
  }
  SUBCASE("data") {
    t.value(t.x, 0) = std::numeric_limits<double>::quiet_NaN();
    finds(sum(t.hidden()), "op 'input' (%0 'x', shape [3, 4])");
  }
}

TEST_CASE("gradient check: a parameter that a term does not read is unused, not wrong") {
  CheckSetting t;
  const CheckReport report = check_gradients({{"first", sum(t.W)}, {"second", square(t.s)}},
                                             {t.W, t.s}, t.feed, {.order = 2});
  CHECK(report.passed());
  REQUIRE(report.rows.size() == 8);
  const auto verdict = [&](std::size_t i) { return report.rows[i].verdict; };
  CHECK(report.rows[0].term == "first");
  CHECK(report.rows[0].parameter == "W");
  CHECK(verdict(0) == Verdict::kPass);
  CHECK(verdict(1) == Verdict::kUnused);
  CHECK(verdict(2) == Verdict::kUnused);
  CHECK(verdict(3) == Verdict::kPass);
  CHECK(report.rows[4].order == 2);
  CHECK(verdict(4) == Verdict::kUnused);  // the slope of a linear term depends on nothing
  CHECK(verdict(7) == Verdict::kPass);
}

TEST_CASE("gradient check: the number of threads changes nothing") {
  CheckSetting t;
  t.value(t.W, 7) = 0;
  const Expr cost = sum(relu(t.W)) + sum(square(tanh(t.hidden())));
  const auto with = [&](int threads) {
    std::vector<std::string> rows;
    for (const CheckRow& r : check_gradients({{"cost", cost}}, {t.W, t.b}, t.feed,
                                             {.order = 2, .directions = 3, .threads = threads})
                                 .rows)
      rows.push_back(cat(r.parameter, verdict_text(r.verdict), r.error, ' ', r.float_error, ' ',
                         r.double_error, r.element, r.operation));
    return rows;
  };
  CHECK(with(1) == with(3));
}

TEST_CASE("gradient check: parameters without elements, no terms and no parameters are fine") {
  CheckSetting t;
  const Expr none = t.tape.input("none", {0, 3}, InputKind::kParameter);
  t.feed["none"] = Tensor<double>({0, 3});
  CHECK(complaints(check_gradients({{"cost", sum(square(none)) + sum(t.b)}}, {none, t.b}, t.feed,
                                   {.order = 2})) == "");
  CHECK(check_gradients({}, {t.W}, t.feed, {}).rows.empty());
  CHECK(check_gradients({{"cost", sum(t.W)}}, {}, t.feed, {}).rows.empty());
}

TEST_CASE("gradient check: what cannot be checked is an error that says why") {
  CheckSetting t;
  const auto error = [&](const std::vector<Expr>& parameters, Expr cost, int order) {
    try {
      check_gradients({{"cost", cost}}, parameters, t.feed, {.order = order});
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  CHECK(error({t.W}, sum(t.W), 3) == "check: order 3; 1 and 2 can be checked");
  CHECK(error({t.W}, t.W, 1) ==
        "gradient: the cost has shape [4, 5]; it must be a scalar, take sum() or mean() of it");
  const Expr V = t.tape.input("V", {2}, InputKind::kParameter);
  CHECK(error({V}, sum(t.W), 1) == "check: parameter 'V' of shape [2] has no value");
  t.feed["V"] = Tensor<double>({3});
  CHECK(error({V}, sum(t.W), 1) == "check: parameter 'V' has shape [2], the value given has [3]");
  t.feed.erase("x");
  CHECK(error({t.W}, sum(t.hidden()), 1) ==
        "run: input 'x' of shape [3, 4] is needed but has no value");
}

TEST_CASE("gradient check: every verdict has a text") {
  const auto text = [](Verdict v) { return std::string(verdict_text(v)); };
  CHECK(text(Verdict::kPass) == "pass");
  CHECK(text(Verdict::kUnused) == "unused");
  CHECK(text(Verdict::kKink) == "kink");
  CHECK(text(Verdict::kWrongRule) == "wrong rule");
  CHECK(text(Verdict::kWrongPlan) == "wrong plan");
  CHECK(text(Verdict::kNotFinite) == "not finite");
}
