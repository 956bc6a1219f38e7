// The conventions at kinks, ties and far out, of functions of several numbers and of composed ones,
// in all derivatives up to the third. Those of elementwise ops stand in special_values_test.cpp.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"

using namespace jacquard;

namespace {

constexpr double I = std::numeric_limits<double>::infinity();
constexpr double N = std::numeric_limits<double>::quiet_NaN();

bool same(double got, double expected) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected) || expected == 0) return got == expected;
  return std::abs(got - expected) <= 1e-14 * std::abs(expected);
}

// Value and the derivatives of a function of a vector, as numbers.
struct Derivatives {
  std::vector<double> value, first, second, third;
};
template <class F>
Derivatives derivatives(const std::vector<double>& at, const F& f) {
  Tape tape;
  const std::int64_t n = std::ssize(at);
  const Expr x = tape.input("x", {n});
  const Feed<double> feed{{"x", Tensor<double>({n}, at)}};
  const Expr y = f(x);
  const Expr first = gradient(sum(y), {x}, Unused::kZero)[0];
  const Expr second = gradient(sum(first), {x}, Unused::kZero)[0];
  const Expr third = gradient(sum(second), {x}, Unused::kZero)[0];
  const auto numbers = [&feed](Expr e) { return evaluate<double>(e, feed).data; };
  return {numbers(y), numbers(first), numbers(second), numbers(third)};
}

using Numbers = std::vector<double>;

void check_near(const Numbers& got, const Numbers& expected) {
  REQUIRE_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    CHECK_MESSAGE(same(got[i], expected[i]), "element ", i, " is ", got[i], ", not ", expected[i]);
}

}  // namespace

TEST_CASE("kinks and ties keep their conventions in all derivatives up to the third") {
  const auto check_at_0 = [](double value, double first, double second, double third, auto f) {
    const Derivatives d = derivatives({0.0}, f);
    check_near(d.value, {value});
    check_near(d.first, {first});
    check_near(d.second, {second});
    check_near(d.third, {third});
  };
  check_at_0(0, 0, 0, 0, [](Expr x) { return relu(x); });
  check_at_0(0, 0, 0, 0, [](Expr x) { return abs(x); });
  check_at_0(0, 0, 0, 0, [](Expr x) { return sign(x); });
  check_at_0(0, 0.01, 0, 0, [](Expr x) { return leaky_relu(x); });
  check_at_0(0, 2, 2, 2, [](Expr x) { return elu(x, 2.0); });
  check_at_0(0, 1.0507009873554805 * 1.6732632423543772, 1.0507009873554805 * 1.6732632423543772,
             1.0507009873554805 * 1.6732632423543772, [](Expr x) { return selu(x); });
  check_at_0(0, 1, 0, 0, [](Expr x) { return clamp(x, 0, 1); });
  check_at_0(0, 1, 0, 0, [](Expr x) { return clamp(x, -1, 0); });
  check_at_0(0, 1, 0, 0, [](Expr x) { return clamp(x, 0, 0); });
  check_at_0(0, 0.5, 0, 0, [](Expr x) { return maximum(x, zeros_like(x)); });
  check_at_0(0, 0.5, 0, 0, [](Expr x) { return minimum(x, 0.0 * x); });
  check_at_0(0, 1, 0, 0, [](Expr x) { return maximum(x, x); });
  check_at_0(1, 0, 0, 0, [](Expr x) { return power(x, 0.0); });
  check_at_0(0, 1, 0, 0, [](Expr x) { return power(x, 1.0); });
  check_at_0(0, 0, 2, 0, [](Expr x) { return power(x, 2.0); });
  check_at_0(0, 0, 0, 6, [](Expr x) { return power(x, 3.0); });
  check_at_0(0, 0, 0, 0, [](Expr x) { return norm(x); });
  check_at_0(0, 0, 2, 0, [](Expr x) { return sqnorm(x); });
}

TEST_CASE("norm has derivative 0 at 0, in every order, and its usual one elsewhere") {
  const auto f = [](Expr x) { return norm(reshape(x, Shape{2, 2})); };
  const Derivatives d = derivatives({0, 0, 3, -4}, f);
  check_near(d.value, {0, 5});
  check_near(d.first, {0, 0, 0.6, -0.8});
  check_near({d.second[0], d.second[1]}, {0, 0});
  check_near({d.third[0], d.third[1]}, {0, 0});
}

TEST_CASE("equal extremes share the adjoint") {
  const auto max1 = [](Expr x) { return max(x); };
  const auto min1 = [](Expr x) { return min(x); };
  check_near(derivatives({1, 3, 3, 2}, max1).first, {0, 0.5, 0.5, 0});
  check_near(derivatives({1, 3, 3, 1}, min1).first, {0.5, 0, 0, 0.5});
  check_near(derivatives({7, 7, 7, 7}, max1).first, {0.25, 0.25, 0.25, 0.25});
  check_near(derivatives({-0.0, 0.0}, max1).first, {0.5, 0.5});
  check_near(derivatives({-I, -I}, max1).first, {0.5, 0.5});
  check_near(derivatives({I, 1, I}, max1).first, {0.5, 0, 0.5});
  check_near(derivatives({1, 1}, max1).second, {0, 0});
  const Derivatives with_nan = derivatives({1, N, 3}, max1);
  check_near(with_nan.value, {N});
  check_near(with_nan.first, {0, 0, 0});
}

TEST_CASE("top_k is what taking the largest one by one gives") {
  std::mt19937 generator(5);
  for (int round = 0; round < 200; ++round) {
    const std::int64_t n = 1 + round % 40,
                       k = static_cast<std::int64_t>(generator() % 41) % (n + 1);
    Tensor<double> x(Shape{n});
    for (double& v : x.data) {
      v = static_cast<double>(generator() % 7) - 3;  // many are equal
      if (v == 3) v = std::numeric_limits<double>::quiet_NaN();
      if (v == 2) v = std::numeric_limits<double>::infinity();
    }
    Tensor<double> wanted(Shape{n});
    for (std::int64_t chosen = 0; chosen < k; ++chosen) {
      std::int64_t best = -1;
      for (std::int64_t i = 0; i < n; ++i)
        if (wanted[i] == 0 && !std::isnan(x[i]) && (best < 0 || x[i] > x[best])) best = i;
      if (best >= 0) wanted[best] = 1;
    }
    Tape tape;
    CHECK(evaluate<double>(top_k(tape.input("x", {n}), k), {{"x", x}}).data == wanted.data);
  }
}

TEST_CASE("top_k takes a count that is a value of the tape, rounded, from none to all") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3}), k = tape.input("k", {});
  const Expr mask = top_k(x, k);
  const auto marked = [&](double count) {
    const Tensor<double> values({2, 3}, {1, 3, 2, 6, 5, 4});
    return evaluate<double>(sum(mask, {1}), {{"x", values}, {"k", Tensor<double>({}, count)}}).data;
  };
  for (const auto& [count, expected] : std::vector<std::pair<double, double>>{
           {2.4, 2}, {1.5, 2}, {0.4, 0}, {-7, 0}, {1e30, 3}, {N, 0}})
    CHECK_EQ(marked(count), Numbers{expected, expected});
  CHECK_EQ(evaluate<double>(mask, {{"x", Tensor<double>({2, 3}, {1, 3, 2, 6, 5, 4})},
                                   {"k", Tensor<double>({}, 1.0)}})
               .data,
           Numbers{0, 1, 0, 1, 0, 0});
}

TEST_CASE("top_k takes the first of equal elements and never NaN") {
  const auto mask = [](const Numbers& x, std::int64_t k) {
    return derivatives(x, [k](Expr e) { return top_k(e, k); }).value;
  };
  CHECK_EQ(mask({1, 3, 3, 3}, 2), Numbers{0, 1, 1, 0});
  CHECK_EQ(mask({N, 1, N, 0}, 1), Numbers{0, 1, 0, 0});
  CHECK_EQ(mask({N, 1}, 2), Numbers{0, 1});
  CHECK_EQ(mask({-I, I, -I}, 2), Numbers{1, 1, 0});
  CHECK_EQ(mask({1, 2}, 0), Numbers{0, 0});
  CHECK_EQ(mask({-0.0, 0.0}, 1), Numbers{1, 0});
}

TEST_CASE("exponentials normalised along an axis stay finite for logits of any size") {
  const auto lse = [](Expr x) { return logsumexp(x); };
  const auto soft = [](Expr x) { return softmax(x); };
  const auto log_soft = [](Expr x) { return log_softmax(x); };
  check_near(derivatives({1e6, 1e6}, lse).value, {1e6 + std::log(2.0)});
  check_near(derivatives({1e6, 1e6}, lse).first, {0.5, 0.5});
  check_near(derivatives({-1e6, -1e6}, lse).first, {0.5, 0.5});
  check_near(derivatives({-I, 0}, lse).value, {0});
  check_near(derivatives({-I, 0}, lse).first, {0, 1});
  check_near(derivatives({-I, -I}, lse).value, {-I});
  check_near(derivatives({I, 0}, lse).value, {I});
  check_near(derivatives({1e6, -1e6}, soft).value, {1, 0});
  check_near(derivatives({1e6, -1e6}, soft).second, {0, 0});
  check_near(derivatives({-I, 0, 0}, soft).value, {0, 0.5, 0.5});
  check_near(derivatives({1e6, -1e6}, log_soft).value, {0, -2e6});
  check_near(derivatives({1e6, -1e6}, log_soft).first, {-1, 1});
  check_near(derivatives({1e6, -1e6}, log_soft).third, {0, 0});
}

TEST_CASE("stable forms stay finite far out") {
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return softplus(x); }).value, {0, 1e6});
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return softplus(x); }).first, {0, 1});
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return sigmoid(x); }).second, {0, 0});
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return tanh(x); }).third, {0, 0});
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return elu(x); }).value, {-1, 1e6});
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return elu(x); }).first, {0, 1});
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return elu(x); }).third, {0, 0});
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return gelu(x); }).value, {0, 1e6});
  check_near(derivatives({-1e6, 1e6}, [](Expr x) { return gelu(x); }).first, {0, 1});
}
