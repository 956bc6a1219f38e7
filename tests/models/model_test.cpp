#include "models/model.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "nn/losses.hpp"
#include "nn/optimizers.hpp"

using namespace jacquard;
using namespace jacquard::models;

namespace {

Declarations tied_autoencoder() {
  return {
      .parameters = {{"W", {6, 3}}, {"b", {3}}, {"c", {6}}},
      .define = {{"h", "sigmoid(x @ W + b)"}, {"logits", "h @ W.T + c"}, {"y", "sigmoid(logits)"}}};
}

std::string error_of(auto&& call) {
  try {
    call();
    return "";
  } catch (const SpecError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("a model and its cost are written in a few lines and train") {
  Tape tape;
  const Declarations declarations = tied_autoencoder();
  Model model(tape, declarations, {{"x", {5, 6}}});
  const Expr cost =
      model.scalar("mean(cross_entropy_logits(logits, x)) + 0.1 * mean(sqnorm(jacobian(h, x)))");
  const Expr h = model["h"], x = model["x"];
  CHECK(cost ==
        mean(nn::cross_entropy_logits(model["logits"], x)) + 0.1 * mean(sqnorm(jacobian(h, x))));

  const nn::OptimizerStep step =
      nn::sgd(model.parameters(), gradient(cost, model.parameters()), constant(tape, 0.5));
  std::vector<Expr> roots{cost};
  for (const Update& update : step.updates) roots.push_back(update.value);
  Feed<double> feed = initial_values(declarations, 1);
  Tensor<double> examples({5, 6});
  for (std::int64_t i = 0; i < 30; ++i) examples[i] = i % 7 < 3 ? 1 : 0;
  feed.emplace("x", examples);
  std::vector<double> costs;
  for (int i = 0; i < 30; ++i) {
    const auto values = Interpreter<double>(tape, roots).run(feed);
    costs.push_back(values[0][0]);
    for (std::size_t k = 0; k < step.updates.size(); ++k)
      feed.insert_or_assign(input_name(tape.node(step.updates[k].target)), values[k + 1]);
  }
  CHECK(costs.back() < 0.7 * costs.front());
}

TEST_CASE("parameters keep their order, and epoch and step are always there") {
  Tape tape;
  Model model(tape, tied_autoencoder(), {{"x", {5, 6}}});
  REQUIRE(model.parameters().size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    const Node& node = tape.node(model.parameters()[i]);
    CHECK(input_name(node) == std::vector<std::string>{"W", "b", "c"}[i]);
    CHECK(input_kind(node) == InputKind::kParameter);
  }
  CHECK(model["epoch"].shape() == Shape{});
  CHECK(model.scalar("0.1 / (1 + step)") == 0.1 / (1.0 + model["step"]));
  CHECK(input_kind(tape.node(model["step"])) == InputKind::kData);
}

TEST_CASE("initial values are those of each parameter's own stream") {
  Declarations d = tied_autoencoder();
  d.parameters[1].initial = {"constant", {{"value", -2}}};
  d.state = {{"chain", {2, 3}, {"ones"}, "chain"}};
  const Feed<double> values = initial_values(d, 4);
  CHECK(values.size() == 4);
  CHECK(values.at("W") == nn::initial_value({"glorot_uniform"}, {6, 3}, 4, "W"));
  CHECK(values.at("b") == Tensor<double>(Shape{3}, -2.0));
  CHECK(values.at("c") == Tensor<double>(Shape{6}, 0.0));
  CHECK(values.at("chain") == Tensor<double>({2, 3}, 1.0));
}

TEST_CASE("names that a model does not have are refused with the nearest one") {
  Tape tape;
  Declarations d = tied_autoencoder();
  d.define.push_back({"axes", "[0, 1]"});
  d.define.push_back({"two", "1 + 1"});
  Model model(tape, d, {{"x", {5, 6}}});
  CHECK(error_of([&] { model["logit"]; }) ==
        "model: no parameter, input or definition is named 'logit'; did you mean 'logits'?");
  CHECK(error_of([&] { model["nothing_like_it"]; }) ==
        "model: no parameter, input or definition is named 'nothing_like_it'");
  CHECK(error_of([&] { model["axes"]; }) == "model: 'axes' is a list, not a tensor");
  CHECK(model["two"] == constant(tape, 2.0));
}

TEST_CASE("all mistakes of the declarations are thrown together") {
  Tape tape;
  Declarations d = tied_autoencoder();
  d.parameters.push_back({"W", {2}});
  d.parameters.push_back({"x", {2}});
  d.parameters.push_back({"my weight", {2}});
  d.parameters.push_back({"big", {99999999999}});
  d.parameters.push_back({"v", {2}, {"unifrom"}});
  d.define.push_back({"z", "exp(hh)"});
  d.define.push_back({"uses_big_and_v", "sum(big) + sum(v)"});
  try {
    Model model(tape, d, {{"x", {5, 6}}});
    FAIL("no error");
  } catch (const ModelError& error) {
    CHECK(error.errors.size() == 6);
    CHECK(std::string(error.what()) ==
          "define/z: unknown name 'hh'; did you mean 'h'?\n"
          "  exp(hh)\n"
          "      ^~\n"
          "\n"
          "parameters/W: 'W' is already the name of an input or a parameter; choose another name\n"
          "  W\n"
          "  ^\n"
          "\n"
          "parameters/x: 'x' is already the name of an input or a parameter; choose another name\n"
          "  x\n"
          "  ^\n"
          "\n"
          "parameters/my weight: 'my weight' is no name; names consist of letters, digits and '_' "
          "and begin with no digit\n"
          "  my weight\n"
          "  ^~~~~~~~~\n"
          "\n"
          "parameters/big: a tensor of shape [99999999999] has 99999999999 elements; at most "
          "4294967296 are allowed\n"
          "\n"
          "parameters/v: initial value: unknown kind 'unifrom'; did you mean 'uniform'? known "
          "kinds: zeros, ones, constant, uniform, normal, glorot_uniform, glorot_normal, "
          "he_uniform, he_normal, lecun_uniform, lecun_normal");
  }
}

TEST_CASE("expressions throw their first mistake, every time they are asked for") {
  Tape tape;
  Model model(tape, tied_autoencoder(), {{"x", {5, 6}}});
  for (int i = 0; i < 2; ++i) {
    CHECK(error_of([&] { model.expression("mean(hh) + meen(h)", "cost/a"); }) ==
          "cost/a: unknown name 'hh'; did you mean 'h'?\n"
          "  mean(hh) + meen(h)\n"
          "       ^~");
    CHECK(error_of([&] { model.scalar("h + 1", "cost/b"); }) ==
          "cost/b: the value has shape [5, 3], a scalar is needed; take mean() or sum() of it\n"
          "  h + 1\n"
          "  ^~~~~");
  }
  CHECK(error_of([&] { model.expression("1 +"); }) ==
        "expression 1: the text ends behind '+'; an operand is missing\n"
        "  1 +\n"
        "     ^");
}

TEST_CASE("mistakes can be collected over a model and all its costs") {
  Tape tape;
  Declarations d = tied_autoencoder();
  d.define.push_back({"bad", "x @ x"});
  d.functions.push_back({"f(t)", "t @ t"});
  std::vector<EvaluationError> errors;
  Model model(tape, d, {{"x", {5, 6}}}, &errors);
  REQUIRE(errors.size() == 1);
  CHECK(errors[0].where == "define/bad");
  CHECK(errors[0].text == "x @ x");
  CHECK(errors[0].begin == 2);
  CHECK(errors[0].message == "matmul: [5, 6] @ [5, 6]: the inner sizes differ");
  CHECK_FALSE(model.scalar("mean(bad)", "cost/a"));
  CHECK(errors.size() == 1);
  CHECK_FALSE(model.scalar("f(x)", "cost/b"));
  REQUIRE(errors.size() == 2);
  CHECK(errors[1].where == "functions/f(t)");
  CHECK(errors[1].call_lines() == "called from cost/b: 'f(x)'");
  CHECK_FALSE(model.scalar("1 + f(x)", "cost/c"));
  CHECK(errors.size() == 2);
  CHECK_FALSE(model.scalar("h", "cost/d"));
  CHECK(errors.size() == 3);
  CHECK(model.scalar("mean(h)", "cost/e"));
  CHECK(errors.size() == 3);
}

TEST_CASE("expressions without a name of their own draw from different streams") {
  Tape tape;
  Model model(tape, {}, {{"x", {5, 6}}});
  CHECK_FALSE(model.expression("normal(x)") == model.expression("normal(x)"));
  CHECK(model.expression("normal(x)", "cost/a") == model.expression("normal(x)", "cost/a"));
}

TEST_CASE("state is carried by updates of its own") {
  Tape tape;
  Declarations d;
  d.parameters = {{"W", {3, 3}}};
  d.state = {{"chain", {4, 3}, {}, "0.5 * chain + tanh(chain @ W)"}};
  d.define = {{"energy", "mean(chain^2)"}};
  Model model(tape, d, {{"x", {4, 3}}});
  const Expr chain = model["chain"];
  CHECK(input_kind(tape.node(chain)) == InputKind::kState);
  REQUIRE(model.state_updates().size() == 1);
  CHECK(model.state_updates()[0].target == chain);
  CHECK(model.state_updates()[0].value == 0.5 * chain + tanh(matmul(chain, model["W"])));
  CHECK(model["energy"] == mean(square(chain)));
  CHECK(model.parameters().size() == 1);
  d.state[0].next = "sum(chain)";
  Tape other;
  CHECK(error_of([&] {
          Model(other, d, {{"x", {4, 3}}});
        }) ==
        "state/chain: the next value has shape [], the state [4, 3]; they must be equal\n"
        "  sum(chain)\n"
        "  ^~~~~~~~~~");
}

TEST_CASE("inputs whose names are no names of the language are bound but not written") {
  Tape tape;
  Model model(tape, {}, {{"x", {2, 2}}, {"arr-0", {2}}});
  CHECK(model["arr-0"].shape() == Shape{2});
}
