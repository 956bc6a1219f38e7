// What the contraction algebra makes of penalties on random networks, against the tape as it was
// written, and their gradients against differences.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>

#include "autodiff/gradient_check.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/substitute.hpp"
#include "tests/autodiff/rewriting_cases.hpp"

using namespace jacquard;
using namespace jacquard::rewriting_cases;

namespace {

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

  static constexpr int kForms = 21, kDifference = 10;
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
      case 19:
        return sum(power(J(), 4.0)) + mean(sqnorm(J() * insert_axis(h, 2)));
      default: {
        const Expr flat = reshape(J(), Shape{batch, m * n});
        return sum(tape.input("per place", {m * n}) * square(flat)) + mean(logsumexp(flat, {1}));
      }
    }
  }
};

void check_random_network(unsigned seed, int form) {
  CAPTURE(seed);
  CAPTURE(form);
  RandomNet net(seed);
  check_same(net.cost(form), net.parameters);
}

// Gradients against differences, to order 2, and the plans of both precisions.
void check_gradients_of_random_network(unsigned seed, int form) {
  RandomNet net(seed);
  const Expr cost = net.cost(form);
  const CheckReport report =
      check_gradients({{"cost", cost}}, net.parameters, in_double(feed_of(net.tape, 0.5)),
                      {.order = 2, .directions = 1});
  for (const CheckRow& row : report.rows) {
    const bool right = row.verdict == Verdict::kPass || row.verdict == Verdict::kUnused ||
                       row.verdict == Verdict::kKink;
    CHECK_MESSAGE(right, "seed ", seed, ", form ", form, ", ", row.parameter, ", order ", row.order,
                  ": ", verdict_text(row.verdict), ' ', row.operation, ", error ", row.error,
                  ", float ", row.float_error, ", double ", row.double_error);
  }
}

}  // namespace

TEST_CASE("simplified: random networks keep value and gradients") {
  seen = {};
  for (unsigned seed = 1; seed <= 120; ++seed)
    check_random_network(seed, static_cast<int>(seed % RandomNet::kForms));
  INFO(seen.text());
  CHECK(seen.ordinary > 0.8 * seen.all);  // few networks are excused
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
    seen = {};
    for (unsigned seed = 1000; seed < 3000; ++seed)
      for (int form = 0; form < RandomNet::kForms; ++form) check_random_network(seed, form);
    MESSAGE(seen.text());
  }
  TEST_CASE("simplified: gradients of two thousand random networks are their slopes") {
    for (unsigned seed = 1000; seed < 3000; ++seed)
      check_gradients_of_random_network(seed, static_cast<int>(seed % RandomNet::kForms));
  }
}
