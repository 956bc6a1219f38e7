// Derivatives of whole graphs: cuts, sharing, masks, depth, growth.
#include "autodiff/gradient.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <ctime>
#include <string>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

double number_of(Expr e, const Feed<double>& feed) { return evaluate<double>(e, feed)[0]; }

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const GradientError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("derivatives of any order are those of the closed form") {
  Tape tape;
  const Expr x = tape.input("x", {});
  const Feed<Quad> feed{{"x", Tensor<Quad>({}, static_cast<Quad>(0.75))}};
  Expr sine = sin(x), seventh = power(x, 7.0), inverse = 1.0 / x;
  Quad factorial = 1;
  for (int order = 1; order <= 8; ++order) {
    CAPTURE(order);
    factorial *= Quad(order);
    sine = gradient(sine, {x})[0];
    const Quad angle = static_cast<Quad>(0.75);
    const Quad sines[] = {number::sin(angle), number::cos(angle), -number::sin(angle),
                          -number::cos(angle)};
    CHECK_LE(relative_error(evaluate<Quad>(sine, feed)[0], sines[order % 4]), 1e-30);
    inverse = gradient(inverse, {x})[0];
    const Quad sign = order % 2 == 0 ? 1 : -1;
    CHECK_LE(relative_error(evaluate<Quad>(inverse, feed)[0],
                            sign * factorial / number::pow(angle, Quad(order + 1))),
             1e-30);
    seventh = gradient(seventh, {x}, Unused::kZero)[0];
    Quad expected = order <= 7 ? 1 : 0;
    for (int k = 0; k < order && order <= 7; ++k) expected *= Quad(7 - k);
    expected *= number::pow(angle, Quad(order <= 7 ? 7 - order : 0));
    CHECK_LE(relative_error(evaluate<Quad>(seventh, feed)[0], expected), 1e-30);
  }
}

TEST_CASE("a gradient needs a scalar cost that depends on its variables") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3}), W = tape.input("W", {3}), b = tape.input("b", {3});
  CHECK_EQ(error_of([&] { gradient(x * W, {W}); }),
           "gradient: the cost has shape [2, 3]; it must be a scalar, take sum() or mean() of it");
  CHECK_EQ(error_of([&] {
             gradient(sum(x, {0, 1}, true), {x});
           }),
           "gradient: the cost has shape [1, 1]; it must be a scalar, take sum() or mean() of it");
  CHECK_EQ(error_of([&] {
             gradient(sum(x * W), {W, b});
           }),
           "gradient: the cost does not depend on %2 'b'; drop it from the list or ask for zeros");
  CHECK_EQ(error_of([&] { gradient(sum(sign(b)), {b}); }),
           "gradient: the cost does not depend on %2 'b'; drop it from the list or ask for zeros");
  CHECK_EQ(error_of([&] { gradient(sum(stop_gradient(b)), {b}); }),
           "gradient: the cost does not depend on %2 'b'; drop it from the list or ask for zeros");
  const std::vector<Expr> g = gradient(sum(x * W), {W, b, x}, Unused::kZero);
  CHECK(g[1].shape() == b.shape());
  const Feed<double> feed = random_feed({g[0], g[1], g[2], x, W, b}, 1);
  CHECK(evaluate<double>(g[1], feed) == Tensor<double>({3}));
  // A node written after the cost cannot be in it.
  const Expr cost = sum(x), later = exp(x * 3.5);
  tape.label(later, "later");
  const std::string expected = cat("gradient: the cost does not depend on %", later.id,
                                   " 'later'; drop it from the list or ask for zeros");
  CHECK_EQ(error_of([&] { gradient(cost, {later}); }), expected);
  Tape other;
  const char* stranger =
      "gradient: a variable stands on another tape than the cost, or is empty; both must be "
      "written on one tape";
  CHECK_THROWS_WITH_AS(gradient(cost, {other.input("x", {2, 3})}), stranger, Error);
  CHECK_THROWS_WITH_AS(gradient(cost, {Expr{}}), stranger, Error);
}

TEST_CASE("an op without a derivative is refused by name, on the way to a variable only") {
  const Op opaque{.name = "opaque",
                  .shape = [](const Op&, std::span<const Shape* const> in,
                              const Attributes&) { return *in[0]; },
                  .elementwise = true};
  Tape tape;
  const Expr x = tape.input("x", {2}), y = tape.input("y", {2});
  const Expr o = tape.append(opaque, {x});
  tape.label(o, "h");
  CHECK_EQ(error_of([&] { gradient(sum(o * y), {x}); }),
           "gradient: op 'opaque' (%2 'h') has no derivative; wrap it in stop_gradient() if none "
           "is meant");
  CHECK_NOTHROW(gradient(sum(o * y), {y}));
  CHECK_NOTHROW(gradient(sum(stop_gradient(o) * y), {x}, Unused::kZero));
}

TEST_CASE("the graph is cut at a variable that is a definition") {
  Tape tape;
  const Expr x = tape.input("x", {3}), e = tape.input("e", {3});
  const Expr xe = x + e;
  const Expr cost = sum(square(xe) * x);
  const Feed<double> feed = random_feed({cost}, 2);
  const auto value = [&](Expr v) { return evaluate<double>(v, feed); };
  // With x itself held: d/dxe = 2 xe x.
  CHECK_LE(tensor_error(value(gradient(cost, {xe})[0]), value(2.0 * xe * x)), 1e-15);
  // Beside its own definition, x keeps all of its paths.
  const std::vector<Expr> both = gradient(cost, {xe, x});
  CHECK_LE(tensor_error(value(both[0]), value(2.0 * xe * x)), 1e-15);
  CHECK_LE(tensor_error(value(both[1]), value(2.0 * xe * x + square(xe))), 1e-15);
  CHECK(gradient(cost, {x})[0] == both[1]);
  // The cost itself, and a variable named twice.
  CHECK_EQ(number_of(gradient(cost, {cost})[0], feed), 1);
  const std::vector<Expr> twice = gradient(cost, {x, x});
  CHECK(twice[0] == twice[1]);
}

TEST_CASE("a node that is read many times has one n-ary sum as its adjoint") {
  Tape tape;
  const Expr x = tape.input("x", {4});
  std::vector<Expr> terms;
  for (int i = 0; i < 50; ++i) terms.push_back(sum(sin(x * (0.1 * i + 0.1))));
  const Expr g = gradient(add_all(terms), {x})[0];
  CHECK_EQ(g.op().name, "add");
  CHECK_EQ(tape.node(g).inputs.size(), 50);
  const Feed<Quad> feed = random_feed<Quad>({g}, 3);
  Tensor<Quad> expected({4});
  for (std::int64_t j = 0; j < 4; ++j)
    for (int i = 0; i < 50; ++i) {
      const Quad factor = static_cast<Quad>(0.1 * i + 0.1);
      expected[j] += factor * number::cos(factor * feed.at("x")[j]);
    }
  CHECK_LE(tensor_error(evaluate<Quad>(g, feed), expected), 1e-30);
}

TEST_CASE("equal expressions are one node, and so are equal gradients") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3}), y = tape.input("y", {3});
  CHECK(exp(x * y) == exp(x * y));
  CHECK(x * y == y * x);
  CHECK(x + y + 1.0 == 1.0 + (y + x));
  CHECK(add_all({x, y, x}) == add_all({x, x, y}));
  CHECK(x - y != y - x);
  CHECK(less(x, y) != less(y, x));
  CHECK(equal(x, y) == equal(y, x));
  CHECK(sum(x, {1}) == sum(x, {-1}));
  CHECK(sum(x, {0, 1}) == sum(x));
  CHECK(sum(x, {1}) != sum(x, {1}, true));
  CHECK(contract("bi,i->b", {x, y}) == contract("pq,q->p", {x, y}));
  CHECK(transpose(transpose(x)) != x);  // two nodes, not a rewriting
  CHECK(constant(tape, 0.0) != constant(tape, -0.0));
  CHECK(constant(tape, std::nan("")) == constant(tape, std::nan("")));
  const Expr cost = sum(square(tanh(x * y)));
  const Expr g = gradient(cost, {y})[0];
  const std::size_t size = tape.size();
  CHECK(gradient(cost, {y})[0] == g);
  CHECK_EQ(tape.size(), size);
}

TEST_CASE("pull_back is the product with the transposed Jacobian") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3}), W = tape.input("W", {3, 4}), u = tape.input("u", {2, 4});
  const Expr h = tanh(matmul(x, W));
  const Expr got = pull_back(h, x, u);
  const Expr expected = gradient(sum(h * u), {x})[0];
  const Feed<Quad> feed = random_feed<Quad>({got, expected}, 4);
  CHECK_LE(tensor_error(evaluate<Quad>(got, feed), evaluate<Quad>(expected, feed)), 1e-31);
  CHECK(pull_back(h, h, u) == u);
  CHECK(evaluate<Quad>(pull_back(h, tape.input("z", {5}), u), feed) == Tensor<Quad>({5}));
}

TEST_CASE("sum_to adds up what was broadcast, and spreads what is constant") {
  Tape tape;
  const Expr g = tape.input("g", {2, 3, 4});
  const Feed<double> feed = random_feed({g}, 5);
  const auto check = [&](const Shape& shape, Expr expected) {
    const Expr got = sum_to(g, shape);
    CHECK(got.shape() == shape);
    CHECK_LE(tensor_error(evaluate<double>(got, feed), evaluate<double>(expected, feed)), 1e-15);
  };
  CHECK(sum_to(g, {2, 3, 4}) == g);
  check({3, 4}, sum(g, {0}));
  check({4}, sum(g, {0, 1}));
  check({}, sum(g));
  check({3, 1}, reshape(sum(g, {0, 2}), Shape{3, 1}));
  check({1, 1, 1}, reshape(sum(g), Shape{1, 1, 1}));
  check({2, 1, 4}, sum(g, {1}, true));
  CHECK(sum_to(constant(tape, 2.0), {2, 2}).shape() == Shape{2, 2});
}

TEST_CASE("an n-layer net grows its tape by the same number of nodes for each layer") {
  const auto appended = [](int layers, int order) {
    Tape tape;
    Expr h = tape.input("x", {4, 5});
    std::vector<Expr> parameters;
    for (int i = 0; i < layers; ++i) {
      parameters.push_back(tape.input(cat("W", i), {5, 5}));
      parameters.push_back(tape.input(cat("b", i), {5}));
      h = tanh(matmul(h, parameters[parameters.size() - 2]) + parameters.back());
    }
    Expr cost = sum(square(h));
    const std::size_t before = tape.size();
    const std::vector<Expr> g = gradient(cost, parameters);
    if (order == 2) gradient(sum(square(g[0])), parameters, Unused::kZero);
    return static_cast<double>(tape.size() - before);
  };
  for (const int order : {1, 2}) {
    const double at10 = appended(10, order), at20 = appended(20, order), at40 = appended(40, order);
    CHECK_EQ(at40 - at20, 2 * (at20 - at10));
    CHECK_LE((at20 - at10) / 10, order == 1 ? 12 : 60);
  }
}

TEST_CASE("chains of 100,000 ops are differentiated without recursion, and fast") {
  const std::clock_t start = std::clock();  // of the processor: others may be busy with it
  Tape tape;
  const Expr x = tape.input("x", {});
  Expr y = x;
  constexpr int kLength = 100'000;
  for (int i = 0; i < kLength; ++i) y = i % 2 == 0 ? sin(y) : y * 1.0625;
  const Expr g = gradient(y, {x})[0];
  verify(tape);
  const Feed<double> feed{{"x", Tensor<double>({}, 0.5)}};
  double value = 0.5, slope = 1;
  for (int i = 0; i < kLength; ++i) {
    slope *= i % 2 == 0 ? std::cos(value) : 1.0625;
    value = i % 2 == 0 ? std::sin(value) : value * 1.0625;
  }
  CHECK_EQ(number_of(y, feed), value);
  CHECK_LE(relative_error(number_of(g, feed), slope, 1e-300), 1e-10);
  const Expr gg = gradient(g, {x})[0];
  CHECK(std::isfinite(number_of(gg, feed)));
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  CHECK_MESSAGE(seconds < 30, seconds);  // about 1 s; far more would not be linear any more
}

TEST_CASE("a wide sum of many readers is differentiated in linear time") {
  Tape tape;
  const Expr x = tape.input("x", {2});
  std::vector<Expr> terms;
  for (int i = 0; i < 20'000; ++i) terms.push_back(x * static_cast<double>(i));
  const Expr g = gradient(sum(add_all(terms)), {x})[0];
  const Feed<double> feed{{"x", Tensor<double>({2}, 1.0)}};
  CHECK_EQ(number_of(g, feed), 20'000.0 * 19'999 / 2);
}
