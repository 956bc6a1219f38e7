// Derivatives per example against differences, closed forms and each other.
#include "autodiff/jacobian.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

constexpr std::int64_t kBatch = 3, kIn = 4, kHidden = 5;

// The inputs that the networks below are made of.
struct Net {
  Tape tape;
  Expr x = tape.input("x", {kBatch, kIn});
  Expr W = tape.input("W", {kIn, kHidden});
  Expr b = tape.input("b", {kHidden});
  Expr V = tape.input("V", {kHidden, kIn});
  Expr c = tape.input("c", {kIn});
  Expr zero = constant(tape, 0.0);

  Expr layer() { return matmul(x, W) + b; }

  static Expr normalised(Expr h) {  // layer normalisation
    const Expr centred = h - mean(h, {1}, true);
    return centred / sqrt(mean(square(centred), {1}, true) + 0.1);
  }

  // Functions of x of rank 2, named.
  std::vector<std::pair<std::string, Expr>> functions() {
    const Expr h = sigmoid(layer());
    const Expr two = tanh(matmul(h, V) + c);
    return {
        {"identity", x},
        {"linear", layer()},
        {"sigmoid layer", h},
        {"softplus layer", softplus(layer())},
        {"relu layer", relu(layer())},
        {"elu layer", elu(layer())},
        {"two layers", two},
        {"tied autoencoder", sigmoid(matmul(h, transpose(W)) + c)},
        {"three layers", sigmoid(matmul(two, W))},
        {"skip connection", x + two},
        {"softmax inside", matmul(softmax(layer()), V)},
        {"log_softmax", log_softmax(layer())},
        {"concat", concat({h, x, square(x)}, 1)},
        {"slices", slice(h, 1, 1, 4) * slice(x, 1, 0, 3)},
        {"layer normalisation", normalised(layer())},
        {"reshape", reshape(square(reshape(h, Shape{kBatch, kHidden, 1})), Shape{kBatch, kHidden})},
        {"transposed inside", transpose(sin(transpose(h)))},
        {"maximum", maximum(h, 0.9 * tanh(layer()))},
        {"max", h * max(h, {1}, true)},
        {"take", take(h, iota(tape, 3), 1)},
        {"norm", insert_axis(norm(h), 1)},
        {"where", where(greater(layer(), zero), sqrt(softplus(layer())), layer())},
        {"product with a constant", x * full(tape, {kBatch, 1}, 2.0)},
        {"squares of sums", insert_axis(square(sum(h, {1})), 1)},
    };
  }
};

// Row by row differences: [batch, m, n].
Tensor<Quad> numeric_jacobian(Expr h, Expr x, const Feed<Quad>& feed) {
  const std::int64_t batch = h.shape()[0], m = h.shape()[1], n = x.shape()[1];
  Tensor<Quad> result({batch, m, n});
  for (std::int64_t i = 0; i < n; ++i) {
    Tensor<Quad> direction(x.shape());
    for (std::int64_t k = 0; k < batch; ++k) direction[k * n + i] = 1;
    const Tensor<Quad> slope = slopes(h, feed, {{"x", direction}});
    for (std::int64_t k = 0; k < batch; ++k)
      for (std::int64_t j = 0; j < m; ++j) result[(k * m + j) * n + i] = slope[k * m + j];
  }
  return result;
}

Quad scalar(Expr e, const Feed<Quad>& feed) { return evaluate<Quad>(e, feed)[0]; }

template <class Exception>
std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Exception& error) {
    return error.what();
  }
  return "";
}

// The value and all gradients of two costs agree.
void check_same(Expr got, Expr expected, const std::vector<Expr>& variables, const Feed<Quad>& feed,
                double tolerance = 1e-28) {
  CHECK_LE(relative_error(scalar(got, feed), scalar(expected, feed)), tolerance);
  const auto a = gradient(got, variables, Unused::kZero),
             b = gradient(expected, variables, Unused::kZero);
  for (std::size_t i = 0; i < a.size(); ++i)
    CHECK_LE(tensor_error(evaluate<Quad>(a[i], feed), evaluate<Quad>(b[i], feed)), tolerance);
}

}  // namespace

TEST_CASE("jacobian, and the gradients of its square, agree with quad differences") {
  Net net;
  for (const auto& function : net.functions()) {
    const Expr h = function.second;
    CAPTURE(function.first);
    const Expr J = jacobian(h, net.x);
    CHECK(J.shape() == Shape{kBatch, h.shape()[1], kIn});
    const Expr penalty = mean(sqnorm(J));
    const std::vector<Expr> variables{net.x, net.W, net.b, net.V, net.c};
    const std::vector<Expr> gradients = gradient(penalty, variables, Unused::kZero);
    std::vector<Expr> roots = gradients;
    roots.insert(roots.end(), variables.begin(), variables.end());
    const Feed<Quad> feed = random_feed<Quad>(roots, 11);
    CHECK_LE(tensor_error(evaluate<Quad>(J, feed), numeric_jacobian(h, net.x, feed)), 1e-18);
    Random random(12);
    for (std::size_t i = 0; i < variables.size(); ++i) {
      const Tensor<Quad> direction = random.tensor<Quad>(variables[i].shape());
      Quad exact = 0;
      const Tensor<Quad> g = evaluate<Quad>(gradients[i], feed);
      for (std::int64_t k = 0; k < g.size(); ++k) exact += g[k] * direction[k];
      const std::string input = input_name(net.tape.node(variables[i]));
      CHECK_LE(relative_error(exact, slope(penalty, feed, {{input, direction}})), 1e-16);
    }
  }
}

TEST_CASE("products with the Jacobian are those with the explicit matrix") {
  Net net;
  const Expr v = net.tape.input("v", {kBatch, kIn});
  for (const auto& function : net.functions()) {
    const Expr h = function.second;
    CAPTURE(function.first);
    const Expr u = net.tape.input(cat("u", h.shape()), h.shape());
    const Expr J = jacobian(h, net.x);
    const Feed<Quad> feed = random_feed<Quad>({h, J, u, v, net.x}, 13);
    const auto same = [&feed](Expr a, Expr b) {
      CHECK_LE(tensor_error(evaluate<Quad>(a, feed), evaluate<Quad>(b, feed)), 1e-30);
    };
    same(jvp(h, net.x, v), matvec(J, v));
    same(vjp(h, net.x, u), vecmat(u, J));
    same(vjp(h, net.x, h), vecmat(h, J));  // u may itself depend on x
    same(jvp(h, net.x, square(net.x)), matvec(J, square(net.x)));
  }
}

TEST_CASE("the contractive penalty is its closed form, in value and gradient") {
  Net net;
  const std::vector<Expr> variables{net.W, net.b, net.x};
  struct {
    Expr h, slope;
  } layers[] = {
      {sigmoid(net.layer()), sigmoid(net.layer()) * (1.0 - sigmoid(net.layer()))},
      {tanh(net.layer()), 1.0 - square(tanh(net.layer()))},
      {softplus(net.layer()), sigmoid(net.layer())},
  };
  for (const auto& [h, slope] : layers) {
    // Rifai et al. 2011, eq. 4: sum_j s'(a_j)^2 sum_i W_ij^2
    const Expr closed = mean(matmul(square(slope), sum(square(net.W), {0})));
    const Expr penalty = mean(sqnorm(jacobian(h, net.x)));
    check_same(penalty, closed, variables, random_feed<Quad>({closed, net.W, net.b, net.x}, 14));
  }
}

TEST_CASE("the Jacobian of two layers is the product of theirs") {
  Net net;
  const Expr a = sigmoid(net.layer()), y = tanh(matmul(a, net.V) + net.c);
  const Expr slope_a = a * (1.0 - a), slope_y = 1.0 - square(y);
  const Expr product = contract("bj,hj,bh,ih->bji", {slope_y, net.V, slope_a, net.W});
  const Feed<Quad> feed = random_feed<Quad>({product, net.c}, 15);
  const std::vector<Expr> variables{net.x, net.W, net.b, net.V, net.c};
  check_same(sum(sqnorm(jacobian(y, net.x))), sum(sqnorm(product)), variables, feed);
  // By way of the hidden layer, where the graph is cut.
  const Expr upper = jacobian(y, a), lower = jacobian(a, net.x);
  check_same(sum(sqnorm(jacobian(y, net.x))), sum(sqnorm(contract("bjh,bhi->bji", {upper, lower}))),
             variables, feed);
}

TEST_CASE("the penalty of a linear encoder is weight decay") {
  Net net;
  const Expr penalty = mean(sqnorm(jacobian(net.layer(), net.x)));
  const Feed<Quad> feed = random_feed<Quad>({net.layer()}, 16);
  check_same(penalty, sum(square(net.W)), {net.W, net.b, net.x}, feed);
}

TEST_CASE("the Jacobian of softmax is diag(p) - p p'") {
  Net net;
  const Expr p = softmax(net.x);
  const Expr expected =
      contract("bi,ij->bij", {p, eye(net.tape, kIn)}) - contract("bi,bj->bij", {p, p});
  const Feed<Quad> feed = random_feed<Quad>({expected}, 17);
  CHECK_LE(tensor_error(evaluate<Quad>(jacobian(p, net.x), feed), evaluate<Quad>(expected, feed)),
           1e-31);
}

TEST_CASE("a Jacobian of a Jacobian, and its trace, are the closed form") {
  Net net;
  // h = x^3: J = diag(3 x^2), trace J = 3 sum x^2, d trace / dx = 6 x.
  const Expr h = power(net.x, 3.0);
  const Expr traced = trace(jacobian(h, net.x));
  const Expr again = jacobian(insert_axis(traced, 1), net.x);
  const Feed<Quad> feed = random_feed<Quad>({net.x}, 18);
  const auto same = [&feed](Expr a, Expr b) {
    CHECK_LE(tensor_error(evaluate<Quad>(a, feed), evaluate<Quad>(b, feed)), 1e-31);
  };
  same(traced, 3.0 * sqnorm(net.x));
  same(again, 6.0 * insert_axis(net.x, 1));
  same(diag(jacobian(h, net.x)), 3.0 * square(net.x));
}

TEST_CASE("hessians are those of quadratic and cubic forms, and of a network by differences") {
  Net net;
  const Expr A = net.tape.input("A", {kIn, kIn});
  const Expr quadratic = contract("bi,ij,bj->b", {net.x, A, net.x});
  const Feed<Quad> feed = random_feed<Quad>({quadratic, net.W, net.b}, 19);
  const auto same = [&feed](Expr a, Expr b, double tolerance = 1e-30) {
    CHECK_LE(tensor_error(evaluate<Quad>(a, feed), evaluate<Quad>(b, feed)), tolerance);
  };
  same(hessian(quadratic, net.x), broadcast_to(A + transpose(A), Shape{kBatch, kIn, kIn}));
  same(hessian(sum(power(net.x, 3.0), {1}), net.x),
       contract("bi,ij->bij", {6.0 * net.x, eye(net.tape, kIn)}));
  same(hessian(sum(net.x, {1}), net.x), full(net.tape, {kBatch, kIn, kIn}, 0.0));
  const Expr energy = sum(softplus(net.layer()), {1});
  const Expr H = hessian(energy, net.x);
  const Expr slope = gradient(sum(energy), {net.x})[0];
  CHECK_LE(tensor_error(evaluate<Quad>(H, feed), numeric_jacobian(slope, net.x, feed)), 1e-18);
  same(H, transpose(H));
  CHECK_EQ(error_of<ShapeError>([&] { hessian(net.layer(), net.x); }),
           "hessian: the function has shape [3, 5]; it must be one number per example, [batch]");
}

TEST_CASE("hessian_vector is the change of the gradient along the vector") {
  Net net;
  const Expr cost = mean(sqnorm(sigmoid(matmul(sigmoid(net.layer()), transpose(net.W))) - net.x));
  const Expr v = net.tape.input("v", net.W.shape());
  const Expr product = hessian_vector(cost, net.W, v);
  const Feed<Quad> feed = random_feed<Quad>({product, cost}, 20);
  const Tensor<Quad> expected = slopes(gradient(cost, {net.W})[0], feed, {{"W", feed.at("v")}});
  CHECK_LE(tensor_error(evaluate<Quad>(product, feed), expected), 1e-18);
  // v is held: its own dependence on W does not count.
  const Expr own = hessian_vector(sum(power(net.W, 3.0)), net.W, net.W);
  CHECK_LE(tensor_error(evaluate<Quad>(own, feed), evaluate<Quad>(6.0 * square(net.W), feed)),
           1e-31);
  CHECK_EQ(error_of<ShapeError>([&] { hessian_vector(cost, net.W, net.x); }),
           "hessian_vector: v has shape [3, 4], the variable [4, 5]; they must be equal");
}

TEST_CASE("sqnorm_estimate has the penalty as its mean, within its stated variance") {
  Net net;
  const Expr h = tanh(net.layer());
  constexpr int kStreams = 400;
  const Feed<double> feed = random_feed({h}, 21);
  const Tensor<double> exact = evaluate<double>(sqnorm(jacobian(h, net.x)), feed);
  const Expr A = contract("bij,bkj->bik", {jacobian(h, net.x), jacobian(h, net.x)});
  const Tensor<double> squares = evaluate<double>(sqnorm(A), feed);  // tr(A^2)
  for (const std::int64_t probes : {1, 4}) {
    std::vector<Expr> estimates;
    for (int i = 0; i < kStreams; ++i)
      estimates.push_back(sqnorm_estimate(h, net.x, probes, cat("probe ", i)));
    const auto values = Interpreter<double>(net.tape, estimates).run(feed, {.seed = 5, .step = 2});
    for (std::int64_t k = 0; k < kBatch; ++k) {
      double mean_value = 0, variance = 0;
      for (const auto& value : values) mean_value += value[k] / kStreams;
      for (const auto& value : values)
        variance += (value[k] - mean_value) * (value[k] - mean_value) / (kStreams - 1);
      const double m = kHidden,
                   stated = (2 * m / (m + 2) * squares[k] - 2 / (m + 2) * exact[k] * exact[k]) /
                            static_cast<double>(probes);
      CHECK_LE(std::abs(mean_value - exact[k]), 4 * std::sqrt(stated / kStreams));
      CHECK_MESSAGE(std::abs(variance / stated - 1) < 0.35, variance, " stated ", stated);
    }
  }
  // It can be differentiated: noise and all, it is a function of the parameters.
  const Expr cost = mean(sqnorm_estimate(h, net.x, 2, "probe"));
  const Expr slope_W = gradient(cost, {net.W})[0];
  const Feed<Quad> quad = testing::cast<Quad>(feed);
  Random random(22);
  const Tensor<Quad> direction = random.tensor<Quad>(net.W.shape());
  Quad along = 0;
  const Tensor<Quad> g = evaluate<Quad>(slope_W, quad);
  for (std::int64_t i = 0; i < g.size(); ++i) along += g[i] * direction[i];
  CHECK_LE(relative_error(along, slope(cost, quad, {{"W", direction}})), 1e-17);
  CHECK_EQ(error_of<Error>([&] { sqnorm_estimate(h, net.x, 0, "s"); }),
           "sqnorm_estimate: probes = 0; at least 1 is needed");
}

TEST_CASE("ops that mix examples are refused by name, with the way out") {
  Net net;
  const Expr x = net.x;
  const Expr square_x = net.tape.input("square", {kIn, kIn});
  const auto message = [](Expr h, Expr v) {
    return error_of<GradientError>([&] { jacobian(h, v); });
  };
  const Expr batch_mean = mean(x, {0}, true);
  CHECK_EQ(message(x - batch_mean, x),
           cat("jacobian: op 'sum' (%", sum(x, {0}, true).id,
               ", shape [1, 4]) mixes the examples of the batch between %0 'x' and %",
               (x - batch_mean).id,
               "; a derivative per example needs rows that depend on their own example alone"));
  const auto names = [&message](Expr h, Expr v, const char* op) {
    const std::string text = message(h, v);
    CHECK_MESSAGE(text.find(cat("op '", op, "' (")) != text.npos, op, ": ", text);
  };
  names(matmul(x, transpose(x)), x, "contract");
  names(softmax(x, 0), x, "softmax");
  names(x * sum(exp(x), {0}), x, "sum");
  names(x / max(x), x, "max");
  names(reshape(reshape(x, Shape{2, 6}), Shape{3, 4}), x, "reshape");
  names(concat({slice(x, 0, 0, 1), slice(x, 0, 1, 3)}, 0), x, "slice");
  names(take(x, iota(net.tape, 3), 0), x, "take");
  names(square_x + transpose(square_x), square_x, "add");
  names(transpose(square_x), square_x, "transpose");
  names(contract("bi,bi,ij->ij", {square_x, square_x, net.tape.input("M", {kIn, kIn})}), square_x,
        "contract");
  names(top_k(transpose(square_x), 1), square_x, "top_k");
  // Through an op that mixes, back to a function of the row alone: still refused.
  names(x - 0.0 * sum(x, {0}), x, "sum");
  // What does not depend on x may do as it likes.
  const Expr other = net.tape.input("other", {kBatch, kIn});
  CHECK(!first_mixing(x * softmax(other, 0), x));
  CHECK(!first_mixing(matmul(x, matmul(transpose(other), other)), x));
  CHECK(first_mixing(x - batch_mean, x) == sum(x, {0}, true));
  // One function for all shapes.
  CHECK_EQ(error_of<ShapeError>([&] { jacobian(sum(x, {1}), x); }),
           "jacobian: the function has shape [3]; it must be [batch, size], use reshape()");
  CHECK_EQ(error_of<ShapeError>([&] {
             jacobian(x, reshape(x, Shape{3, 2, 2}));
           }),
           "jacobian: the variable has shape [3, 2, 2]; it must be [batch, size], use reshape()");
  CHECK_EQ(error_of<ShapeError>([&] { jacobian(net.W, x); }),
           "jacobian: [4, 5] with respect to [3, 4]: both must begin with the same batch axis");
  CHECK_EQ(error_of<ShapeError>([&] { vjp(net.layer(), x, x); }),
           "vjp: u has shape [3, 4], the function [3, 5]; they must be equal");
  CHECK_EQ(error_of<ShapeError>([&] { jvp(net.layer(), x, net.layer()); }),
           "jvp: v has shape [3, 5], the variable [3, 4]; they must be equal");
}

TEST_CASE("functions without rows, of other inputs, and of single examples have their Jacobians") {
  Net net;
  const auto zeros = [](const Shape& shape) { return Tensor<double>(shape); };
  const Expr other = net.tape.input("other", {kBatch, 2});
  const Feed<double> feed = random_feed({other, net.layer()}, 23);
  CHECK(evaluate<double>(jacobian(other, net.x), feed) == zeros({kBatch, 2, kIn}));
  CHECK(evaluate<double>(jvp(other, net.x, net.x), feed) == zeros({kBatch, 2}));
  CHECK(evaluate<double>(vjp(other, net.x, other), feed) == zeros({kBatch, kIn}));
  CHECK(evaluate<double>(jacobian(sign(net.x), net.x), feed) == zeros({kBatch, kIn, kIn}));
  CHECK(jacobian(slice(net.x, 1, 0, 0), net.x).shape() == Shape{kBatch, 0, kIn});
  CHECK(jacobian(slice(net.x, 1, 0, 1), net.x).shape() == Shape{kBatch, 1, kIn});
  const Expr one = net.tape.input("one", {1, kIn}), none = net.tape.input("none", {0, kIn});
  CHECK(jacobian(tanh(matmul(one, net.W)), one).shape() == Shape{1, kHidden, kIn});
  const Expr J = jacobian(tanh(matmul(none, net.W)), none);
  CHECK(J.shape() == Shape{0, kHidden, kIn});
  const Feed<double> empty{{"none", zeros({0, kIn})}, {"W", feed.at("W")}};
  CHECK(evaluate<double>(J, empty) == zeros({0, kHidden, kIn}));
}

TEST_CASE("a Jacobian in chunks is the same Jacobian, and has the same gradients") {
  Net net;
  const Expr h = concat({sigmoid(net.layer()), net.x * net.x}, 1);  // 27 elements at its widest
  const Expr whole = jacobian(h, net.x);
  const Feed<Quad> feed = random_feed<Quad>({whole}, 24);
  struct {
    std::int64_t elements;
    std::size_t chunks;
  } cases[] = {{1, 9}, {27, 9}, {53, 9}, {54, 5}, {108, 3}, {27 * 8, 2}};
  for (const auto& c : cases) {
    CAPTURE(c.elements);
    const Expr J = jacobian_in_chunks(h, net.x, c.elements);
    CHECK_EQ(net.tape.node(J).inputs.size(), c.chunks);
    CHECK(evaluate<Quad>(J, feed) == evaluate<Quad>(whole, feed));
    check_same(sum(sqnorm(J)), sum(sqnorm(whole)), {net.W, net.b, net.x}, feed);
  }
  CHECK(jacobian_in_chunks(h, net.x, 27 * 9) == whole);
}
