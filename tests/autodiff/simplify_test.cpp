// The contraction algebra against the tape as it was written, evaluated by the plain interpreter.
#include "autodiff/algebra/simplify.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <utility>

#include "autodiff/jacobian.hpp"
#include "tests/autodiff/rewriting_cases.hpp"

using namespace jacquard;
using namespace jacquard::rewriting_cases;

TEST_CASE("simplified: a penalty on one layer becomes sums of squares and one small product") {
  for (const Activation& activation : activations()) {
    Net net;
    const Expr h = activation(matmul(net.x, net.weights(6, 40)) + net.tape.input("b", {40}));
    CHECK(check_same(mean(sqnorm(jacobian(h, net.x))), net.parameters) < 0.1);
  }
}

TEST_CASE("simplified: the logits of a tied autoencoder need Gram matrices alone") {
  Net net;
  const Expr w = net.weights(6, 5);
  const Expr logits = matmul(sigmoid(matmul(net.x, w)), transpose(w));
  const Expr rewritten = simplified(mean(sqnorm(jacobian(logits, net.x))));
  for (const NodeId id : ancestors(net.tape, std::vector<Expr>{rewritten}))
    CHECK(net.tape.node(id).shape.rank() <= 2);  // no [batch, outputs, inputs]
  CHECK(check_same(mean(sqnorm(jacobian(logits, net.x))), net.parameters) < 0.3);
}

TEST_CASE("simplified: differences of Jacobians are formed before they are squared") {
  Net net;
  const Expr w = net.weights(6, 5), noisy = net.x + 0.1 * net.tape.input("noise", {5, 6});
  const Expr h = sigmoid(matmul(net.x, w)), h2 = sigmoid(matmul(noisy, w));
  const Expr penalty = mean(sqnorm(jacobian(h, net.x) - jacobian(h2, noisy)));
  CHECK(check_same(penalty, net.parameters) < 0.3);

  // In float the factored form keeps its digits where both Jacobians nearly agree.
  Feed<Quad> exact = feed_of(net.tape, 0.5);
  for (Quad& e : exact.at("noise").data) e *= static_cast<Quad>(1e-3);
  for (auto& [name, value] : exact) value = cast<Quad>(cast<float>(value));
  Feed<float> rounded;
  for (const auto& [name, value] : exact) rounded[name] = cast<float>(value);
  const double reference = static_cast<double>(evaluate(penalty, exact)[0]);
  const double in_float = static_cast<double>(evaluate(simplified(penalty), rounded)[0]);
  CHECK(std::abs(in_float / reference - 1) < 5e-3);
}

TEST_CASE("simplified: traces, diagonals, products with vectors and Hessians keep their values") {
  Net net;
  const Expr w = net.weights(6, 4), v = net.weights(4, 6);
  const Expr psi = matmul(tanh(matmul(net.x, w)), v);
  const Expr J = jacobian(psi, net.x);
  check_same(mean(trace(J)), net.parameters);
  check_same(mean(sum(square(diag(J)), {1})), net.parameters);
  check_same(mean(sqnorm(jvp(psi, net.x, net.tape.input("t", {5, 6})))), net.parameters);
  const Expr energy = sum(softplus(matmul(net.x, w)), {1});
  check_same(mean(sqnorm(hessian(energy, net.x))), net.parameters);
  check_same(mean(trace(hessian(energy, net.x))), net.parameters);
}

TEST_CASE("simplified: a Jacobian whose axes are joined is moved, or not formed at all") {
  Net net;
  const Expr h = tanh(matmul(net.x, net.weights(6, 4)));
  const Expr deep = sigmoid(matmul(h, net.weights(4, 3)));
  const Expr flat = reshape(jacobian(h, net.x), Shape{5, 24});
  const Expr flat_deep = reshape(jacobian(deep, net.x), Shape{5, 18});
  const Expr weights = net.tape.input("w", {18});
  for (const auto& [joined, whole] :
       {std::pair{flat, jacobian(h, net.x)}, std::pair{flat_deep, jacobian(deep, net.x)}}) {
    check_same(mean(sqnorm(joined)), net.parameters);
    CHECK(total_flops(net.tape, {simplified(mean(sqnorm(joined)))}) ==
          total_flops(net.tape, {simplified(mean(sqnorm(whole)))}));
  }
  for (const Expr& cost :
       {mean(max(flat, {1})), sum(weights * square(flat_deep)), mean(sum(abs(flat_deep), {1})),
        mean(sqnorm(sum(reshape(flat_deep, Shape{5, 3, 2, 3}), {2})))}) {
    check_same(cost, net.parameters);
    for (const Care care : {Care::kFast, Care::kCareful})
      for (const NodeId id : ancestors(net.tape, simplify({cost}, care).roots))
        CHECK(net.tape.node(id).shape.size() <= 5 * 4 * 24);  // no identity of all elements
  }
}

TEST_CASE("simplified: a Jacobian that was written in chunks of rows is made whole again") {
  Tape tape;
  // Wide enough for several chunks: their limit is 2^25 elements.
  const Expr x = tape.input("x", {400, 300});
  const Expr w = tape.input("W", {300, 600}, InputKind::kParameter);
  const Expr J = jacobian(sigmoid(matmul(x, w)), x);
  REQUIRE(J.op().name == "concat");
  const Expr rewritten = simplified(mean(sqnorm(J)));
  for (const NodeId id : ancestors(tape, std::vector<Expr>{rewritten}))
    CHECK(tape.node(id).shape.size() <= 400 * 600);
}

TEST_CASE("simplified: sums over identity matrices count their ones") {
  Tape tape;
  const Expr one = eye(tape, 3), wide = broadcast_to(one, {2, 3, 3});
  const std::vector<std::pair<Expr, double>> cases = {{sum(one), 3},
                                                      {trace(one), 3},
                                                      {contract("ab,ab->", {one, one}), 3},
                                                      {contract("ab,bc->", {one, one}), 3},
                                                      {sum(wide), 6},
                                                      {sum(square(one)), 3},
                                                      {sum(reshape(one, Shape{9})), 3},
                                                      {sum(square(reshape(wide, Shape{2, 9}))), 6},
                                                      {sum(-reshape(one, Shape{1, 3, 3})), -3}};
  for (const auto& [e, value] : cases)
    CHECK(static_cast<double>(evaluate<Quad>(simplified(e))[0]) == value);
}

TEST_CASE("simplified: sums whose terms share little are not formed beyond what a tensor holds") {
  Tape tape;
  const Expr x = tape.input("x", {2, 784});
  Expr h = x;
  std::vector<Expr> parameters;
  const std::vector<std::int64_t> widths = {784, 200, 200, 10};
  for (std::size_t layer = 0; layer + 1 < widths.size(); ++layer) {
    parameters.push_back(tape.input("W" + std::to_string(layer), {widths[layer], widths[layer + 1]},
                                    InputKind::kParameter));
    h = matmul(layer == 0 ? h : tanh(h), parameters.back());
  }
  const Expr cost = mean(sqnorm(jacobian(h, x)));
  for (const Expr& slope : gradient(cost, parameters))
    CHECK(simplified(sum(square(slope))).shape().rank() == 0);
}

TEST_CASE("simplified: what has no structure is left as it is") {
  Net net;
  const Expr h = sigmoid(matmul(net.x, net.weights(6, 4)));
  const Expr plain = mean(sum(square(h - 0.5), {1}));
  CHECK(simplified(plain) == plain);
}
