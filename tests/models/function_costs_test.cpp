// The values of functions that take derivatives, losses and draws, against loops over their
// definitions.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autodiff/philox.hpp"
#include "tests/models/function_cases.hpp"

using namespace jacquard;
using namespace jacquard::models;

namespace {

// The code h = tanh(x W) and its derivatives, by hand.
double pre(std::int64_t b, std::int64_t j) {
  double a = 0;
  for (std::int64_t i = 0; i < kN; ++i) a += at(data().x, b, i) * at(data().W, i, j, kM);
  return a;
}
double code(std::int64_t b, std::int64_t j) { return std::tanh(pre(b, j)); }
double slope(std::int64_t b, std::int64_t j) { return 1 - code(b, j) * code(b, j); }
double jacobian_at(std::int64_t b, std::int64_t j, std::int64_t i) {
  return slope(b, j) * at(data().W, i, j, kM);
}
// c = sum_j h_j^3: c' and c'' as functions of a_j.
double bend(std::int64_t b, std::int64_t j) {
  const double h = code(b, j), s = slope(b, j);
  return 6 * h * s * s + 3 * h * h * (-2 * h * s);
}
double hessian_at(std::int64_t b, std::int64_t i, std::int64_t k) {
  double total = 0;
  for (std::int64_t j = 0; j < kM; ++j)
    total += bend(b, j) * at(data().W, i, j, kM) * at(data().W, k, j, kM);
  return total;
}

Numbers jacobian_numbers() {
  Numbers result;
  for (std::int64_t b = 0; b < kB; ++b)
    for (std::int64_t j = 0; j < kM; ++j)
      for (std::int64_t i = 0; i < kN; ++i) result.push_back(jacobian_at(b, j, i));
  return result;
}

Numbers draws(bool normals, const std::string& stream, std::size_t count) {
  Numbers result(count);
  if (normals)
    fill_normal(std::span<double>(result), kSeed, stream, kStep);
  else
    fill_uniform(std::span<double>(result), kSeed, stream, kStep);
  return result;
}

std::vector<Case> derivative_cases() {
  const Data& d = data();
  Numbers grad_w, hessian, jvp, vjp, hv;
  for (std::int64_t i = 0; i < kN; ++i)
    for (std::int64_t j = 0; j < kM; ++j) {
      double g = 0;
      for (std::int64_t b = 0; b < kB; ++b) g += slope(b, j) * at(d.x, b, i);
      grad_w.push_back(g);
    }
  for (std::int64_t b = 0; b < kB; ++b) {
    for (std::int64_t i = 0; i < kN; ++i)
      for (std::int64_t k = 0; k < kN; ++k) hessian.push_back(hessian_at(b, i, k));
    for (std::int64_t j = 0; j < kM; ++j)
      jvp.push_back(sum_row([&](std::int64_t i) { return jacobian_at(b, j, i) * at(d.u, b, i); }));
    for (std::int64_t i = 0; i < kN; ++i) {
      double g = 0;
      for (std::int64_t j = 0; j < kM; ++j) g += at(d.v, b, j, kM) * jacobian_at(b, j, i);
      vjp.push_back(g);
      hv.push_back(sum_row([&](std::int64_t k) { return hessian_at(b, i, k) * at(d.u, b, k); }));
    }
  }
  // m |z' J|^2 / |z|^2 for the normal draw z of the estimate's stream.
  const Numbers z = draws(true, "e/0", static_cast<std::size_t>(kB * kM));
  const auto estimate = per_row([&](std::int64_t b) {
    double length = 0, value = 0;
    for (std::int64_t j = 0; j < kM; ++j) length += at(z, b, j, kM) * at(z, b, j, kM);
    for (std::int64_t i = 0; i < kN; ++i) {
      double g = 0;
      for (std::int64_t j = 0; j < kM; ++j) g += at(z, b, j, kM) * jacobian_at(b, j, i);
      value += g * g;
    }
    return kM * value / length;
  });
  return {
      {"gradient(sum(h), W)", {kN, kM}, grad_w},
      {"jacobian(h, x)", {kB, kM, kN}, jacobian_numbers()},
      {"hessian(c, x)", {kB, kN, kN}, hessian},
      {"jvp(h, x, u)", {kB, kM}, jvp},
      {"vjp(h, x, v)", {kB, kN}, vjp},
      {"hessian_vector(sum(c), x, u)", {kB, kN}, hv},
      {"sqnorm_estimate(jacobian(h, x), stream=\"e\")", {kB}, estimate},
  };
}

std::vector<Case> loss_cases() {
  const Data& d = data();
  const auto entropy = [](double y, double t) {
    return -t * std::log(y) - (1 - t) * std::log(1 - y);
  };
  return {
      {"squared_error(x, u)", {kB}, per_row([&](std::int64_t b) {
         return sum_row([&](std::int64_t i) {
           return (at(d.x, b, i) - at(d.u, b, i)) * (at(d.x, b, i) - at(d.u, b, i));
         });
       })},
      {"cross_entropy(q, t=q^2)", {kB}, per_row([&](std::int64_t b) {
         return sum_row(
             [&](std::int64_t i) { return entropy(at(d.q, b, i), at(d.q, b, i) * at(d.q, b, i)); });
       })},
      {"cross_entropy_logits(x, q)", {kB}, per_row([&](std::int64_t b) {
         return sum_row([&](std::int64_t i) {
           return entropy(1 / (1 + std::exp(-at(d.x, b, i))), at(d.q, b, i));
         });
       })},
      {"softmax_cross_entropy(x, labels)", {kB}, per_row([&](std::int64_t b) {
         const double total = sum_row([&](std::int64_t i) { return std::exp(at(d.x, b, i)); });
         const auto label = static_cast<std::int64_t>(d.labels[static_cast<std::size_t>(b)]);
         return std::log(total) - at(d.x, b, label);
       })},
  };
}

std::vector<Case> draw_cases() {
  const Data& d = data();
  const Shape s{kB, kN};
  const Numbers u = draws(false, "e", 12), z = draws(true, "e", 12);
  const Numbers placed = draws(true, "test#0", 8), second = draws(false, "test#1", 12);
  return {
      {"normal(v)", {kB, kM}, placed},
      {"0 * sum(normal(v)) + uniform(x)", s, second},
      {"normal(x, stream=\"e\")", s, z},
      {"uniform(x, 'e')", s, u},
      {"bernoulli(q, x, stream='e')", s,
       map2(u, d.q, [](double a, double b) { return a < b ? 1 : 0; })},
      {"bernoulli(0.5, x, stream='e')", s, map(u, [](double a) { return a < 0.5 ? 1 : 0; })},
      {"masking_noise(x, 0.4, stream='e')", s,
       map2(u, d.x, [](double a, double t) { return a < 0.4 ? 0 : t; })},
      {"masking_noise(x, epoch / 10, stream='e')", s,
       map2(u, d.x, [](double a, double t) { return a < 0.3 ? 0 : t; })},
      {"gaussian_noise(x, s=0.3, stream='e')", s,
       map2(z, d.x, [](double a, double t) { return t + 0.3 * a; })},
      {"salt_and_pepper(x, 0.6, stream='e')", s,
       map2(u, d.x, [](double a, double t) { return a < 0.3   ? 1
                                                    : a < 0.6 ? 0
                                                              : t; })},
      {"salt_and_pepper(x, 0.6, lo=-1, hi=5, stream='e')", s,
       map2(u, d.x, [](double a, double t) { return a < 0.3   ? 5
                                                    : a < 0.6 ? -1
                                                              : t; })},
  };
}
}  // namespace

TEST_CASE("every derivative has the value of its definition") {
  check_cases(derivative_cases(), {FunctionGroup::kDerivatives});
}

TEST_CASE("every loss has the value of its definition") {
  check_cases(loss_cases(), {FunctionGroup::kLosses});
}

TEST_CASE("every draw has the value of its definition") {
  check_cases(draw_cases(), {FunctionGroup::kDraws});
}
