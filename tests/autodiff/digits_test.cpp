// Digits that the contraction algebra keeps in float where terms nearly cancel: plans of the fast
// form, or of the careful one where the conditions of the fast form ask for it, against the tape as
// it was written in quad precision on the same float inputs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/plan.hpp"
#include "autodiff/plan_check.hpp"
#include "tests/support/random.hpp"

using namespace jacquard;
using testing::Random;

namespace {

using Matrix = Tensor<double>;

Matrix random_matrix(const Shape& shape, std::uint64_t seed) {
  return Random(seed).tensor(shape, {-1, 1});
}

Matrix product(const Matrix& a, const Matrix& b) {
  const std::int64_t rows = a.shape[0], inner = a.shape[1], columns = b.shape[1];
  Matrix c(Shape{rows, columns});
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t k = 0; k < inner; ++k)
      for (std::int64_t j = 0; j < columns; ++j)
        c[i * columns + j] += a[i * inner + k] * b[k * columns + j];
  return c;
}

Matrix scaled(double factor, Matrix a) {
  for (double& x : a.data) x *= factor;
  return a;
}

Matrix plus(const Matrix& a, double factor, const Matrix& b) {
  Matrix c = a;
  for (std::int64_t i = 0; i < c.size(); ++i) c[i] += factor * b[i];
  return c;
}

double square_sum(const Matrix& a) {
  double total = 0;
  for (const double x : a.data) total += x * x;
  return total;
}

Matrix identity(std::int64_t n) {
  Matrix one(Shape{n, n});
  for (std::int64_t i = 0; i < n; ++i) one[i * n + i] = 1;
  return one;
}

Matrix transposed(const Matrix& a) {
  Matrix t(Shape{a.shape[1], a.shape[0]});
  for (std::int64_t i = 0; i < a.shape[0]; ++i)
    for (std::int64_t j = 0; j < a.shape[1]; ++j) t[j * a.shape[0] + i] = a[i * a.shape[1] + j];
  return t;
}

// Rows of the same span, by Gram-Schmidt, twice.
Matrix orthonormal(Matrix rows) {
  const std::int64_t n = rows.shape[0], m = rows.shape[1];
  for (std::int64_t i = 0; i < n; ++i) {
    double* row = rows.data.data() + i * m;
    for (int again = 0; again < 2; ++again)
      for (std::int64_t k = 0; k < i; ++k) {
        const double* other = rows.data.data() + k * m;
        double dot = 0;
        for (std::int64_t j = 0; j < m; ++j) dot += row[j] * other[j];
        for (std::int64_t j = 0; j < m; ++j) row[j] -= dot * other[j];
      }
    double size = 0;
    for (std::int64_t j = 0; j < m; ++j) size += row[j] * row[j];
    for (std::int64_t j = 0; j < m; ++j) row[j] /= std::sqrt(size);
  }
  return rows;
}

// Inputs with float values; a cost is built on them.
struct Setting {
  Tape tape;
  Feed<float> feed;
  std::vector<Expr> parameters;

  Expr data(const std::string& name, const Matrix& value) {
    feed[name] = cast<float>(value);
    return tape.input(name, value.shape);
  }
  Expr parameter(const std::string& name, const Matrix& value) {
    feed[name] = cast<float>(value);
    parameters.push_back(tape.input(name, value.shape, InputKind::kParameter));
    return parameters.back();
  }
  Quad exact(Expr e) const { return evaluate<Quad>(e, testing::cast<Quad>(feed))[0]; }
};

// Relative to the value, and to the length of the gradient of all parameters together.
struct Errors {
  double value = 0, gradient_length = 0, gradient = 0;
};

struct Digits {
  Errors fast, careful;
  Errors moved;               // what rounding does to the tape as it was written
  bool fast_kept = true;      // the guard of the fast form is finite, in float
  double terms_by_value = 1;  // the worst condition of the fast form
  const Errors& chosen() const { return fast_kept ? fast : careful; }
};

// The cost and its gradients, then `more`.
std::vector<Expr> with_gradients(Expr cost, const std::vector<Expr>& parameters, Expr more = {}) {
  std::vector<Expr> roots{cost};
  for (const Expr& g : gradient(cost, parameters)) roots.push_back(g);
  if (more) roots.push_back(more);
  return roots;
}

std::vector<std::vector<float>> run(Setting& setting, const std::vector<Expr>& outputs) {
  ThreadPool pool(1);
  Plan<float> plan(setting.tape, Program{outputs, {}, {}}, pool);
  for (const auto& [name, value] : setting.feed)
    if (plan.has_input(name)) plan.bind_constant(name, value);
  plan.run(1, 0);
  std::vector<std::vector<float>> values;
  for (std::size_t i = 0; i < outputs.size(); ++i)
    values.emplace_back(plan.output(i).begin(), plan.output(i).end());
  return values;
}

Errors errors(const std::vector<std::vector<float>>& got, const std::vector<Tensor<Quad>>& exact) {
  Quad off(0), length(0), size(0);
  for (std::size_t i = 1; i < exact.size(); ++i)
    for (std::size_t k = 0; k < exact[i].data.size(); ++k) {
      const Quad a = static_cast<Quad>(got[i][k]), b = exact[i].data[k];
      off += (a - b) * (a - b);
      length += a * a;
      size += b * b;
    }
  const auto share = [](Quad a, Quad b) { return static_cast<double>(number::abs(a / b)); };
  return {share(static_cast<Quad>(got[0][0]) - exact[0][0], exact[0][0]),
          share(number::sqrt(length) - number::sqrt(size), number::sqrt(size)),
          share(number::sqrt(off), number::sqrt(size))};
}

Errors moved(const Setting& setting, const std::vector<Expr>& roots,
             const std::vector<Tensor<Quad>>& exact) {
  const std::vector<double> by =
      moved_by_rounding(setting.tape, roots, testing::cast<Quad>(setting.feed));
  double off = 0, size = 0;
  for (std::size_t i = 1; i < exact.size(); ++i) {
    off += by[i] * by[i];
    for (const Quad x : exact[i].data) size += static_cast<double>(x * x);
  }
  const double length = std::sqrt(off / size);
  return {by[0] / std::abs(static_cast<double>(exact[0][0])), length, length};
}

Digits digits(Setting& setting, Expr cost) {
  const auto truth = Interpreter<Quad>(setting.tape, with_gradients(cost, setting.parameters))
                         .run(testing::cast<Quad>(setting.feed));
  const Simplified fast = simplify({cost}), careful = simplify({cost}, Care::kCareful);
  const Expr guard = keeps_digits(fast.conditions);
  const auto fast_values = run(setting, with_gradients(fast.roots[0], setting.parameters, guard));
  const auto careful_values = run(setting, with_gradients(careful.roots[0], setting.parameters));
  Digits d{errors(fast_values, truth), errors(careful_values, truth),
           moved(setting, with_gradients(cost, setting.parameters), truth)};
  d.fast_kept = !guard || std::isfinite(fast_values.back()[0]);
  for (const Condition& c : fast.conditions) {
    const double ratio = static_cast<double>(setting.exact(max(c.terms / abs(c.value))));
    d.terms_by_value = std::max(d.terms_by_value, ratio);
  }
  return d;
}

// A product of floats adds up some ten roundings.
constexpr double kRoundings = 8;

// `product_is_rounded`: the product of weights, however its Jacobian is written, is itself rounded
// to more than what is allowed.
void check_digits(const std::string& name, Setting& setting, Expr cost, double allowed = 1e-4,
                  bool product_is_rounded = false) {
  const Digits d = digits(setting, cost);
  CAPTURE(name);
  CAPTURE(d.fast_kept);
  CAPTURE(d.terms_by_value);
  CAPTURE(d.moved.gradient);
  if (product_is_rounded) allowed = std::max(allowed, kRoundings * d.moved.value);
  // The elements of a gradient may be rounded to more than its length and the value are.
  const double of_gradient = std::max(allowed, kRoundings * d.moved.gradient);
  // Care costs no digits anywhere.
  for (const Errors& e : {d.chosen(), d.careful}) {
    CHECK(e.value < allowed);
    CHECK(e.gradient_length < allowed);
    CHECK(e.gradient < of_gradient);
  }
}

// ---------------------------------------------------------------- the settings
constexpr std::int64_t kBatch = 2;

// Differences of Jacobians at x and at x with relative noise, through one to three layers.
void check_difference(int layers, double noise) {
  constexpr std::int64_t kSizes[] = {24, 16, 12, 8};
  Setting s;
  const Matrix at = random_matrix({kBatch, kSizes[0]}, 1);
  Matrix moved = random_matrix(at.shape, 2);
  for (std::int64_t i = 0; i < at.size(); ++i) moved[i] = at[i] * (1 + noise * moved[i]);
  const Expr x = s.data("x", at), x2 = s.data("x2", moved);
  Expr h = x, h2 = x2;
  for (int i = 0; i < layers; ++i) {
    const std::string layer = std::to_string(i);
    const Expr w = s.parameter(
        "W" + layer, random_matrix({kSizes[i], kSizes[i + 1]}, static_cast<std::uint64_t>(3 + i)));
    const Expr b =
        s.parameter("b" + layer, random_matrix({kSizes[i + 1]}, static_cast<std::uint64_t>(7 + i)));
    h = sigmoid(matmul(h, w) + b);
    h2 = sigmoid(matmul(h2, w) + b);
  }
  const Expr J = jacobian(h, x), off = J - jacobian(h2, x2);
  const double ratio = std::sqrt(static_cast<double>(s.exact(sum(square(J)) / sum(square(off)))));
  check_digits(cat("difference, layers ", layers, ", noise ", noise), s, mean(sqnorm(off)),
               20 * static_cast<double>(number::epsilon<float>()) * ratio);
}

// W [n, m] of rank `rank` and V [m, q] so that |W V|^2 / (|W|^2 |V|^2) = `ratio`.
struct NearlyCancelling {
  Matrix w, v;
  NearlyCancelling(std::int64_t n, std::int64_t m, std::int64_t q, std::int64_t rank,
                   double ratio) {
    const Matrix rows = orthonormal(random_matrix({rank, m}, 1));
    w = product(random_matrix({n, rank}, 2), rows);
    v = random_matrix({m, q}, 3);
    v = plus(v, -1, product(transposed(rows), product(rows, v)));
    const Matrix more = random_matrix({m, q}, 4);
    const double size = square_sum(w) * square_sum(v);
    v = plus(v, std::sqrt(ratio * size / square_sum(product(w, more))), more);
  }
};

void check_cancelling(std::int64_t n, std::int64_t m, std::int64_t q, double ratio, bool linear,
                      bool product_is_rounded = false) {
  Setting s;
  const NearlyCancelling pair(n, m, q, std::min(n, m) / 2, ratio);
  // Small inputs: the slopes of the hidden layer are so near 1 that they leave W V as it is.
  const Expr x = s.data("x", scaled(1e-4, random_matrix({kBatch, n}, 5)));
  const Expr w = s.parameter("W", pair.w), v = s.parameter("V", pair.v);
  const Expr a = matmul(x, w), h = tanh(matmul(linear ? a : tanh(a), v));
  check_digits(cat("W V, ", n, '-', m, '-', q, linear ? ", linear" : ", tanh", ", ratio ", ratio),
               s, mean(sqnorm(jacobian(h, x))), 1e-4, product_is_rounded);
}

}  // namespace

TEST_CASE("differences of Jacobians that nearly agree keep their digits in float") {
  for (const int layers : {1, 2, 3})
    for (const double noise : {1e-2, 1e-3, 1e-4}) check_difference(layers, noise);
}

TEST_CASE("squared distances of Jacobians from the identity keep their digits in float") {
  constexpr std::int64_t kSize = 40, kHidden = 24;
  const Matrix off = random_matrix({kSize, kSize}, 2), at = random_matrix({kBatch, kSize}, 1);
  for (const double deviation : {1e-1, 1e-2, 1e-3, 1e-4}) {
    const auto check = [&](const char* kind, Setting& s, Expr h, Expr x) {
      check_digits(cat("J - 1, ", kind, ", deviation ", deviation), s,
                   mean(sqnorm(jacobian(h, x) - eye(s.tape, kSize))));
    };
    const Matrix near_one = plus(identity(kSize), deviation, off);
    Setting linear;
    Expr x = linear.data("x", at);
    check("linear", linear, matmul(x, linear.parameter("W", near_one)), x);
    Setting curved;  // slopes of nearly 1
    x = curved.data("x", scaled(1e-3, at));
    check("tanh", curved, tanh(matmul(x, curved.parameter("W", near_one))), x);
    Setting residual;
    x = residual.data("x", at);
    const Expr w = residual.parameter("W", random_matrix({kSize, kHidden}, 3));
    const Expr v = residual.parameter("V", scaled(deviation, random_matrix({kHidden, kSize}, 4)));
    check("residual", residual, x + matmul(tanh(matmul(x, w)), v), x);
    Setting two;  // Q and Q' (1 + deviation), with Q orthonormal
    x = two.data("x", at);
    const Matrix q = orthonormal(random_matrix({kSize, kSize}, 5));
    const Expr first = two.parameter("W", q);
    const Expr second = two.parameter("V", product(transposed(q), near_one));
    check("two layers", two, matmul(matmul(x, first), second), x);
  }
}

TEST_CASE("the fast form is kept only where it is within 1e-4, up to the edge of its condition") {
  for (const std::int64_t n : {5, 16, 24})
    for (std::uint64_t seed = 0; seed < 34; ++seed) {
      // From 200 to 2000 terms by value.
      const double deviation =
          (0.03 + 0.002 * static_cast<double>(seed % 17)) * std::sqrt(6.0 / static_cast<double>(n));
      Setting s;
      const Expr x = s.data("x", scaled(1e-3, random_matrix({4, n}, 10 + seed)));
      const Matrix near_one = plus(identity(n), deviation, random_matrix({n, n}, 100 + seed));
      const Expr h = tanh(matmul(x, s.parameter("W", near_one)));
      check_digits(cat("J - 1, ", n, ", seed ", seed), s,
                   mean(sqnorm(jacobian(h, x) - eye(s.tape, n))));
    }
}

TEST_CASE("Jacobians of a softmax keep their digits in float where one unit wins") {
  for (const double gap : {4.0, 8.0, 13.0, 15.0})
    for (const bool deep : {false, true}) {
      Setting s;
      Matrix bias(Shape{12});
      bias[3] = gap;
      const Expr x = s.data("x", random_matrix({kBatch, 20}, 1));
      Expr h = x;
      if (deep) h = tanh(matmul(x, s.parameter("U", random_matrix({20, 20}, 4))));
      const Expr w = s.parameter("W", scaled(0.1, random_matrix({20, 12}, 2)));
      const Expr b = s.parameter("b", bias);
      const Expr J = jacobian(softmax(matmul(h, w) + b), x);
      check_digits(cat("softmax", deep ? ", two layers" : "", ", gap ", gap), s, mean(sqnorm(J)));
    }
}

TEST_CASE("products of weights that nearly cancel keep their digits in float") {
  for (const double ratio : {1e-3, 1e-6, 1e-8, 1e-10})
    for (const bool linear : {true, false}) {
      check_cancelling(100, 40, 80, ratio, linear);  // Gram matrices are the cheapest
      check_cancelling(100, 60, 100, ratio, linear);
      // A product of so few numbers, at the last ratio: no roundings average out.
      check_cancelling(10, 30, 20, ratio, linear, ratio == 1e-10);
    }
}
