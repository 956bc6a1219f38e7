// The contraction algebra against the tape as it was written, evaluated by the plain interpreter.
#include "autodiff/algebra/simplify.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "autodiff/gradient.hpp"
#include "autodiff/gradient_check.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/philox.hpp"
#include "autodiff/plan.hpp"
#include "autodiff/substitute.hpp"
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
Quad size_of(const Tensor<T>& a) {
  Quad total(0);
  for (const T& x : a.data) total += static_cast<Quad>(x) * static_cast<Quad>(x);
  return number::sqrt(total);
}

// How far b is from a, as a share of a. What vanishes may do so exactly on one side and by
// cancellation on the other: it is compared with 1, the size of weights and slopes here.
template <class T>
double distance(const Tensor<Quad>& a, const Tensor<T>& b) {
  Tensor<Quad> off = a;
  for (std::int64_t i = 0; i < a.size(); ++i) off[i] -= static_cast<Quad>(b[i]);
  const Quad size = size_of(a);
  return static_cast<double>(size_of(off) / (size > static_cast<Quad>(1e-20) ? size : Quad(1)));
}

double total_flops(const Tape& tape, const std::vector<Expr>& roots) {
  double total = 0;
  for (const NodeId id : ancestors(tape, roots)) total += flops(tape, id);
  return total;
}

std::vector<Expr> with_gradients(Expr cost, const std::vector<Expr>& parameters) {
  std::vector<Expr> roots{cost};
  for (const Expr& g : gradient(cost, parameters, Unused::kZero)) roots.push_back(g);
  return roots;
}

// A cost with its gradients as it was written, and its values in quad and in double.
struct Written {
  Tape& tape;
  std::vector<Expr> parameters, roots;
  Feed<Quad> feed, same;  // values, and those that double is given
  Feed<double> rounded;
  std::vector<Tensor<Quad>> exact, exact_of_rounded;
  std::vector<Tensor<double>> in_double;

  Written(Expr cost, const std::vector<Expr>& of, double scale)
      : tape(*cost.tape), parameters(of), roots(with_gradients(cost, of)) {
    feed = feed_of(tape, scale);
    for (const auto& [name, value] : feed) {
      rounded[name] = cast<double>(value);
      same[name] = cast<Quad>(rounded[name]);
    }
    exact = Interpreter<Quad>(tape, roots).run(feed);
    exact_of_rounded = Interpreter<Quad>(tape, roots).run(same);
    in_double = Interpreter<double>(tape, roots).run(rounded);
  }

  // The same values and gradients, also after the passes of a plan; in double to within `share`.
  void check(Expr rewritten, double share) const {
    const std::vector<Expr> after = with_gradients(rewritten, parameters);
    verify(tape);
    const auto quad = Interpreter<Quad>(tape, after).run(feed);
    const Graph graph = prepare(tape, after);
    const auto prepared = Interpreter<Quad>(*graph.tape, graph.roots).run(feed);
    const auto b = Interpreter<double>(*graph.tape, graph.roots).run(rounded);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      CAPTURE(i);
      CHECK(distance(exact[i], quad[i]) < 1e-25);
      CHECK(distance(exact[i], prepared[i]) < 1e-25);
      // Some networks are so conditioned that the tape as written is hardly better.
      const double possible = 10 * distance(exact_of_rounded[i], in_double[i]);
      CHECK(distance(exact_of_rounded[i], b[i]) < std::max(share, possible));
    }
  }
};

// The form that is chosen, and the careful one, are right in quad and keep their digits in double;
// returns the FLOPs of the fast value as a share of those before.
double check_same(Expr cost, const std::vector<Expr>& parameters, double scale = 0.5,
                  double share = 1e-12) {
  const Written written(cost, parameters, scale);
  const Simplified fast = simplify({cost});
  const Expr careful = simplify({cost}, Care::kCareful).roots[0];
  const Expr guard = keeps_digits(fast.conditions);
  const bool kept = !guard || number::is_finite(evaluate(guard, written.rounded)[0]);
  if (kept) written.check(fast.roots[0], share);
  if (!kept || !(careful == fast.roots[0])) {
    CAPTURE("careful");
    written.check(careful, share);
  }
  return total_flops(*cost.tape, fast.roots) / total_flops(*cost.tape, {cost});
}

struct Net {
  Tape tape;
  std::vector<Expr> parameters;
  Expr x;

  explicit Net(const Shape& inputs = {5, 6}) : x(tape.input("x", inputs)) {}

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

// A random network: batch 1 to 5, depth 1 to 5, widths 1 to 7, tied and shared weights, inputs that
// are read again further up, skips, softmax, layer normalisation and max pooling.
struct RandomNet : Net {
  std::mt19937 random;
  Expr h;

  explicit RandomNet(unsigned seed) : Net(input_shape(seed)), random(seed) {
    const int depth = pick(1, 5);
    Expr e = pick(0, 3) == 0 ? x + 0.1 * tape.input("noise", x.shape()) : x;
    for (int layer = 0; layer < depth; ++layer) e = next_layer(e);
    h = e;
  }
  static Shape input_shape(unsigned seed) {
    constexpr std::int64_t kBatches[] = {5, 1, 2}, kInputs[] = {6, 1, 3, 2, 5};
    return {kBatches[seed % 3], kInputs[seed / 3 % 5]};
  }
  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); }

  // A weight that there is and fits, as it is or transposed, or a new one.
  Expr some_weights(std::int64_t in) {
    Expr w;
    for (const Expr& p : parameters) {
      if (pick(0, 2) != 0) continue;
      if (p.shape()[0] == in) w = p;
      if (p.shape()[1] == in) w = transpose(p);
    }
    return w ? w : weights(in, pick(0, 2) == 0 ? in : pick(1, 7));
  }

  static Expr pooled(Expr a) {  // over pairs of units
    const std::int64_t batch = a.shape()[0], width = a.shape()[1];
    return width % 2 == 1 ? max(a, {1}, true) : max(reshape(a, Shape{batch, width / 2, 2}), {2});
  }

  Expr next_layer(Expr e) {
    Expr a = matmul(e, some_weights(e.shape()[1]));
    const std::int64_t width = a.shape()[1];
    if (pick(0, 4) == 0) a = a + matmul(x, weights(x.shape()[1], width));
    if (pick(0, 2) == 0)
      a = a + tape.input("b" + std::to_string(parameters.size()) + "_" + std::to_string(width),
                         {width});
    const std::size_t which = static_cast<std::size_t>(pick(0, 13));
    if (which == 10) return softmax(a);
    const Expr centred = a - mean(a, {1}, true);
    if (which == 11) return centred;
    if (which == 12) return centred / sqrt(mean(square(centred), {1}, true) + 0.1);
    if (which == 13) return pooled(a);
    Expr out = activations()[which](a);
    if (pick(0, 3) == 0 && out.shape() == e.shape()) out = out + e;
    if (pick(0, 5) == 0) out = out * a;
    if (pick(0, 7) == 0) out = concat({out, e}, 1);
    return out;
  }

  Expr to_square() {  // a function of as many outputs as inputs
    const std::int64_t m = h.shape()[1], n = x.shape()[1];
    return m == n ? h : matmul(h, weights(m, n));
  }
  Expr energy() { return sum(h, {1}) + sum(square(h), {1}); }
  // At a noisy input.
  Expr corrupted() { return x + 0.1 * tape.input("corruption", x.shape()); }
  Expr difference() {
    return jacobian(h, x) - jacobian(substitute(h, x, corrupted()), corrupted());
  }

  static constexpr int kForms = 20, kDifference = 10;
  // One of the forms that are made of Jacobians, as a scalar.
  Expr cost(int form) {
    const std::int64_t batch = x.shape()[0], m = h.shape()[1], n = x.shape()[1];
    const auto J = [this] { return jacobian(h, x); };
    const auto J_square = [this] { return jacobian(to_square(), x); };
    switch (form) {
      case 0:
        return mean(sqnorm(J()));
      case 1:
        return mean(sqnorm(matvec(J(), tape.input("v", {batch, n}))));
      case 2:
        return mean(sqnorm(vecmat(tape.input("u", {batch, m}), J())));
      case 3:
        return sum(tape.input("per unit", {m, 1}) * square(J()));
      case 4:
        return sum(tape.input("per input", {n}) * square(J()));
      case 5:
        return mean(sqnorm(matmul(J(), transpose(J()))));
      case 6:
        return mean(square(sqnorm(J())));
      case 7:
        return mean(sqnorm(J() - 0.5 * tape.input("target", {batch, m, n})));
      case 8:
        return sum(tape.input("per entry", {m, n}) * square(J()));
      case 9:
        return mean(sqnorm(J_square() - eye(tape, n)));
      case kDifference:
        return mean(sqnorm(difference()));
      case 11:
        return mean(trace(J_square()));
      case 12:
        return mean(sqnorm(diag(J_square())));
      case 13:
        return mean(sqnorm(hessian(energy(), x)));
      case 14:
        return mean(trace(hessian(energy(), x)));
      case 15:
        return mean(sqnorm(jvp(h, x, tape.input("v", {batch, n}))));
      case 16:
        return mean(trace(J_square()) + 0.5 * sqnorm(to_square()));  // score matching
      case 17:
        return mean(sqnorm(matmul(J(), transpose(J())) - eye(tape, m)));
      case 18:
        return mean(norm(J()) + sqnorm(matmul(transpose(J()), J())));
      default:
        return sum(power(J(), 4.0)) + mean(sqnorm(J() * insert_axis(h, 2)));
    }
  }
};

void check_random_network(unsigned seed, int form) {
  CAPTURE(seed);
  CAPTURE(form);
  RandomNet net(seed);
  double share = 1e-12;
  if (form == RandomNet::kDifference) {
    // Slopes that nearly agree: 20 eps |J| / |J - J2|.
    const Expr ratio = sqrt(sum(square(jacobian(net.h, net.x))) / sum(square(net.difference())));
    const double lost = 20 * number::epsilon<double>() *
                        static_cast<double>(evaluate(ratio, feed_of(net.tape, 0.5))[0]);
    if (lost > share) share = lost;  // false where both vanish
  }
  check_same(net.cost(form), net.parameters, 0.5, share);
}

// Gradients against differences, to order 2, and the plans of both precisions.
void check_gradients_of_random_network(unsigned seed, int form) {
  RandomNet net(seed);
  const Expr cost = net.cost(form);
  Feed<double> feed;
  for (const auto& [name, value] : feed_of(net.tape, 0.5)) feed[name] = cast<double>(value);
  const CheckReport report =
      check_gradients({{"cost", cost}}, net.parameters, feed, {.order = 2, .directions = 1});
  for (const CheckRow& row : report.rows) {
    const bool right = row.verdict == Verdict::kPass || row.verdict == Verdict::kUnused ||
                       row.verdict == Verdict::kKink;
    CHECK_MESSAGE(right, "seed ", seed, ", form ", form, ", ", row.parameter, ", order ", row.order,
                  ": ", verdict_text(row.verdict), ' ', row.operation, ", error ", row.error,
                  ", float ", row.float_error, ", double ", row.double_error);
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

TEST_CASE("simplified: random networks keep value and gradients") {
  for (unsigned seed = 1; seed <= 120; ++seed)
    check_random_network(seed, static_cast<int>(seed % RandomNet::kForms));
}

TEST_CASE("simplified: networks that were hard keep value and gradients") {
  // Costs that vanish: units minus their mean, where there is one unit.
  check_random_network(1443, 14);
  check_random_network(2032, 14);
  check_random_network(2892, 18);
  // Jacobians that differ by 1e-4 of their size and less.
  check_random_network(1615, RandomNet::kDifference);
  check_random_network(2359, RandomNet::kDifference);
  check_random_network(2629, RandomNet::kDifference);
  // Weights of both signs, so that the cost is small beside its terms; saturated units.
  check_random_network(112, 3);
  check_random_network(97, 13);
}

TEST_CASE("simplified: squares of sums that are written out keep value and gradients") {
  // They are rarely the cheapest, so they are looked for.
  int found = 0;
  for (unsigned seed = 1; seed <= 60; ++seed)
    for (const int form : {0, 9, 10, 12, 17}) {
      RandomNet net(seed);
      const auto rewritten = simplify({net.cost(form)}).rewritten;
      if (!std::ranges::any_of(rewritten, [](const Rewritten& r) { return r.sum.expanded; }))
        continue;
      check_random_network(seed, form);
      ++found;
    }
  CHECK(found >= 5);
}

TEST_CASE("simplified: gradients of random networks are their slopes, to order 2") {
  for (unsigned seed = 1; seed <= 20; ++seed)
    check_gradients_of_random_network(seed, static_cast<int>(seed % RandomNet::kForms));
}

TEST_SUITE("long") {
  TEST_CASE("simplified: two thousand random networks keep value and gradients in each form") {
    for (unsigned seed = 1000; seed < 3000; ++seed)
      for (int form = 0; form < RandomNet::kForms; ++form) check_random_network(seed, form);
  }
  TEST_CASE("simplified: gradients of two thousand random networks are their slopes") {
    for (unsigned seed = 1000; seed < 3000; ++seed)
      check_gradients_of_random_network(seed, static_cast<int>(seed % RandomNet::kForms));
  }
}
