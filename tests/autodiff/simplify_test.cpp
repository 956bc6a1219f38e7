// The contraction algebra against the tape as it was written, evaluated by the plain interpreter.
#include "autodiff/algebra/simplify.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <random>

#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/philox.hpp"
#include "autodiff/plan.hpp"
#include "autodiff/work.hpp"

using namespace jacquard;

namespace {

// Normal values for every input of the tape.
Feed<Quad> feed_of(const Tape& tape, double scale) {
  Feed<Quad> feed;
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id) {
    const Node& node = tape.node(id);
    if (!is_input(node) || input_kind(node) == InputKind::kPlaceholder) continue;
    Tensor<Quad> value(node.shape);
    fill_normal(std::span<Quad>(value.data), 1, input_name(node), 0);
    for (Quad& x : value.data) x *= static_cast<Quad>(scale);
    feed[input_name(node)] = std::move(value);
  }
  return feed;
}

template <class T>
double distance(const Tensor<Quad>& a, const Tensor<T>& b) {
  Quad off(0), size(0);
  for (std::int64_t i = 0; i < a.size(); ++i) {
    const Quad d = a[i] - static_cast<Quad>(b[i]);
    off += d * d;
    size += a[i] * a[i];
  }
  // Gradients may vanish exactly on one side and by cancellation on the other.
  return static_cast<double>(number::sqrt(off / (size + static_cast<Quad>(1e-20))));
}

double total_flops(const Tape& tape, const std::vector<Expr>& roots) {
  double total = 0;
  for (const NodeId id : ancestors(tape, roots)) total += flops(tape, id);
  return total;
}

// The cost and its gradients are the same before and after, and after the passes of a plan; returns
// the FLOPs of the value after as a share of those before.
double check_same(Expr cost, const std::vector<Expr>& parameters, double scale = 0.5) {
  Tape& tape = *cost.tape;
  const Expr rewritten = simplified(cost);
  std::vector<Expr> before{cost}, after{rewritten};
  for (const Expr& g : gradient(cost, parameters, Unused::kZero)) before.push_back(g);
  for (const Expr& g : gradient(rewritten, parameters, Unused::kZero)) after.push_back(g);
  verify(tape);
  const Feed<Quad> feed = feed_of(tape, scale);
  const auto a = Interpreter<Quad>(tape, before).run(feed);
  const auto b = Interpreter<Quad>(tape, after).run(feed);
  const Graph graph = prepare(tape, after);
  const auto c = Interpreter<Quad>(*graph.tape, graph.roots).run(feed);
  Feed<double> rounded;
  for (const auto& [name, value] : feed) rounded[name] = cast<double>(value);
  Feed<Quad> same;  // what double is given, exactly
  for (const auto& [name, value] : rounded) same[name] = cast<Quad>(value);
  const auto exact = Interpreter<Quad>(tape, before).run(same);
  const auto d = Interpreter<double>(*graph.tape, graph.roots).run(rounded);
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(distance(a[i], b[i]) < 1e-25);
    CHECK(distance(a[i], c[i]) < 1e-25);
    CHECK(distance(exact[i], d[i]) < 1e-12);
  }
  return total_flops(tape, {rewritten}) / total_flops(tape, {cost});
}

struct Net {
  Tape tape;
  std::vector<Expr> parameters;
  Expr x = tape.input("x", {5, 6});

  Expr weights(std::int64_t in, std::int64_t out) {
    const std::string name = "W" + std::to_string(parameters.size());
    parameters.push_back(tape.input(name, {in, out}, InputKind::kParameter));
    return parameters.back();
  }
};

using Activation = std::function<Expr(Expr)>;

const std::vector<Activation>& activations() {
  static const std::vector<Activation> all = {
      [](Expr a) { return sigmoid(a); },  [](Expr a) { return tanh(a); },
      [](Expr a) { return softplus(a); }, [](Expr a) { return relu(a); },
      [](Expr a) { return elu(a); },      [](Expr a) { return gelu(a); },
      [](Expr a) { return a; },           [](Expr a) { return abs(a); },
      [](Expr a) { return sin(a); },      [](Expr a) { return leaky_relu(a); }};
  return all;
}

// A random network: depth 1 to 5, widths 1 to 7, tied weights, skips, softmax and normalisation.
struct RandomNet : Net {
  std::mt19937 random;
  Expr h;

  explicit RandomNet(unsigned seed) : random(seed) {
    const int depth = pick(1, 5);
    Expr e = pick(0, 3) == 0 ? x + 0.1 * tape.input("noise", x.shape()) : x;
    for (int layer = 0; layer < depth; ++layer) e = next_layer(e);
    h = e;
  }
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }

  Expr next_layer(Expr e) {
    const std::int64_t in = e.shape()[1];
    Expr w;
    for (const Expr& p : parameters) {
      if (pick(0, 2) != 0) continue;
      if (p.shape()[0] == in) w = p;
      if (p.shape()[1] == in) w = transpose(p);
    }
    if (!w) w = weights(in, pick(1, 7));
    Expr a = matmul(e, w);
    if (pick(0, 2) == 0) a = a + tape.input("b" + std::to_string(parameters.size()) + "_" +
                                                std::to_string(a.shape()[1]),
                                            {a.shape()[1]});
    const std::size_t which = static_cast<std::size_t>(pick(0, 11));
    if (which == 10) return softmax(a);
    if (which == 11) return a - mean(a, {1}, true);
    Expr out = activations()[which](a);
    if (pick(0, 4) == 0 && out.shape() == e.shape()) out = out + e;
    if (pick(0, 5) == 0) out = out * a;
    return out;
  }

  // One of the forms that are made of Jacobians, as a scalar.
  Expr cost(int form) {
    const Expr J = jacobian(h, x);
    const std::int64_t m = h.shape()[1];
    switch (form) {
      case 0: return mean(sqnorm(J));
      case 1: return mean(sqnorm(matvec(J, tape.input("v", x.shape()))));
      case 2: return mean(sqnorm(vecmat(tape.input("u", h.shape()), J)));
      case 3: return sum(tape.input("per unit", {m, 1}) * square(J)) / 5.0;
      case 4: return sum(tape.input("per input", {6}) * square(J)) / 5.0;
      case 5: return mean(sqnorm(matmul(J, transpose(J))));
      case 6: return mean(square(sqnorm(J)));
      default: return mean(sqnorm(J - 0.5 * tape.input("target", J.shape())));
    }
  }
};

void check_random_networks(unsigned first, unsigned count) {
  for (unsigned seed = first; seed < first + count; ++seed) {
    CAPTURE(seed);
    RandomNet net(seed);
    check_same(net.cost(static_cast<int>(seed % 8)), net.parameters);
  }
}

}  // namespace

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

TEST_CASE("simplified: what has no structure is left as it is") {
  Net net;
  const Expr h = sigmoid(matmul(net.x, net.weights(6, 4)));
  const Expr plain = mean(sum(square(h - 0.5), {1}));
  CHECK(simplified(plain) == plain);
}

TEST_CASE("simplified: random networks keep value and gradients") { check_random_networks(1, 120); }

TEST_SUITE("long") {
  TEST_CASE("simplified: two thousand random networks keep value and gradients") {
    check_random_networks(1000, 2000);
  }
}
