// The values of functions that work on elements, reduce them or move them, against loops over their
// definitions.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "tests/models/function_cases.hpp"

using namespace jacquard;
using namespace jacquard::models;

namespace {

std::vector<Case> elementwise_cases() {
  const Data& d = data();
  const Shape s{kB, kN};
  const auto gauss = [](double t) { return t * 0.5 * std::erfc(-t / std::sqrt(2.0)); };
  const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
  return {
      {"abs(x)", s, map(d.x, [](double t) { return t < 0 ? -t : t; })},
      {"sign(x)", s, map(d.x, [](double t) { return t > 0   ? 1.0
                                                    : t < 0 ? -1.0
                                                            : 0.0; })},
      {"exp(x)", s, map(d.x, [](double t) { return std::exp(t); })},
      {"expm1(x)", s, map(d.x, [](double t) { return std::exp(t) - 1; })},
      {"log(p)", s, map(d.p, [](double t) { return std::log(t); })},
      {"log1p(p)", s, map(d.p, [](double t) { return std::log(1 + t); })},
      {"sqrt(p)", s, map(d.p, [](double t) { return std::sqrt(t); })},
      {"square(x)", s, map(d.x, [](double t) { return t * t; })},
      {"sin(x)", s, map(d.x, [](double t) { return std::sin(t); })},
      {"cos(x)", s, map(d.x, [](double t) { return std::cos(t); })},
      {"tanh(x)", s, map(d.x, [](double t) { return std::tanh(t); })},
      {"sigmoid(x)", s, map(d.x, [](double t) { return 1 / (1 + std::exp(-t)); })},
      {"softplus(x)", s, map(d.x, [](double t) { return std::log(1 + std::exp(t)); })},
      {"relu(x)", s, map(d.x, [](double t) { return t > 0 ? t : 0; })},
      {"leaky_relu(x)", s, map(d.x, [](double t) { return t > 0 ? t : 0.01 * t; })},
      {"leaky_relu(x, slope=0.2)", s, map(d.x, [](double t) { return t > 0 ? t : 0.2 * t; })},
      {"elu(x)", s, map(d.x, [](double t) { return t > 0 ? t : std::exp(t) - 1; })},
      {"elu(x, 2)", s, map(d.x, [](double t) { return t > 0 ? t : 2 * (std::exp(t) - 1); })},
      {"selu(x)", s,
       map(d.x, [=](double t) { return scale * (t > 0 ? t : alpha * (std::exp(t) - 1)); })},
      {"gelu(x)", s, map(d.x, gauss)},
      {"erf(x)", s, map(d.x, [](double t) { return std::erf(t); })},
      {"maximum(x, u)", s, map2(d.x, d.u, [](double a, double b) { return a > b ? a : b; })},
      {"minimum(x, 0.25)", s, map(d.x, [](double a) { return a < 0.25 ? a : 0.25; })},
      {"power(p, x)", s, map2(d.p, d.x, [](double a, double b) { return std::pow(a, b); })},
      {"power(x, 3)", s, map(d.x, [](double a) { return a * a * a; })},
      {"where(x > u, x, 7)", s, map2(d.x, d.u, [](double a, double b) { return a > b ? a : 7; })},
      {"clamp(x, -0.5, hi=1)", s,
       map(d.x, [](double t) { return t < -0.5 ? -0.5
                                      : t > 1  ? 1
                                               : t; })},
  };
}

std::vector<Case> reduction_cases() {
  const Data& d = data();
  const auto row = [&](std::int64_t b, std::int64_t i) { return at(d.x, b, i); };
  double total = 0;
  for (const double t : d.x) total += t;
  Numbers by_column(kN, 0), softmax, log_softmax, top;
  for (std::int64_t b = 0; b < kB; ++b) {
    const double sum_exp = sum_row([&](std::int64_t i) { return std::exp(row(b, i)); });
    for (std::int64_t i = 0; i < kN; ++i) {
      by_column[static_cast<std::size_t>(i)] += row(b, i);
      softmax.push_back(std::exp(row(b, i)) / sum_exp);
      log_softmax.push_back(row(b, i) - std::log(sum_exp));
      // Among the two largest: fewer than two are larger, or equal and further in front.
      int before = 0;
      for (std::int64_t k = 0; k < kN; ++k)
        before += row(b, k) > row(b, i) || (row(b, k) == row(b, i) && k < i);
      top.push_back(before < 2 ? 1 : 0);
    }
  }
  Numbers column_softmax;
  for (std::int64_t b = 0; b < kB; ++b)
    for (std::int64_t i = 0; i < kN; ++i) {
      double sum_exp = 0;
      for (std::int64_t k = 0; k < kB; ++k) sum_exp += std::exp(row(k, i));
      column_softmax.push_back(std::exp(row(b, i)) / sum_exp);
    }
  const auto logsumexp = per_row([&](std::int64_t b) {
    return std::log(sum_row([&](std::int64_t i) { return std::exp(row(b, i)); }));
  });
  const auto norms = per_row([&](std::int64_t b) {
    return sum_row([&](std::int64_t i) { return row(b, i) * row(b, i); });
  });
  const auto matrix_norms = per_row([&](std::int64_t b) {
    double s = 0;
    for (std::int64_t i = 0; i < 9; ++i) s += at(d.M, b, i, 9) * at(d.M, b, i, 9);
    return s;
  });
  return {
      {"sum(x)", {}, {total}},
      {"sum(x, axis=0)", {kN}, by_column},
      {"sum(x, axis=all, keepdims=true)", {1, 1}, {total}},
      {"sum(x, axis=-2, keepdims=true)", {1, kN}, by_column},
      {"sum(M, axis=[1, -1])", {kB}, per_row([&](std::int64_t b) {
         double s = 0;
         for (std::int64_t i = 0; i < 9; ++i) s += at(d.M, b, i, 9);
         return s;
       })},
      {"mean(x)", {}, {total / 12}},
      {"mean(x, 0)", {kN}, map(by_column, [](double t) { return t / 4; })},
      {"max(x)", {}, {2}},
      {"max(x, axis=1)", {kB}, {0.25, 2, 1, 0.5}},
      {"min(x, axis=[0])", {kN}, {-1.5, -3, -0.5}},
      {"logsumexp(x)", {kB}, logsumexp},
      {"logsumexp(x, keepdims=true)", {kB, 1}, logsumexp},
      {"logsumexp(x, axis=all)", {}, {std::log([&] {
         double s = 0;
         for (const double t : d.x) s += std::exp(t);
         return s;
       }())}},
      {"softmax(x)", {kB, kN}, softmax},
      {"softmax(x, axis=0)", {kB, kN}, column_softmax},
      {"log_softmax(x)", {kB, kN}, log_softmax},
      {"sqnorm(x)", {kB}, norms},
      {"sqnorm(M)", {kB}, matrix_norms},
      {"norm(x)", {kB}, map(norms, [](double t) { return std::sqrt(t); })},
      {"norm(0 * x)", {kB}, {0, 0, 0, 0}},
      {"top_k(x, 2)", {kB, kN}, top},
      {"top_k(x, k=0)", {kB, kN}, Numbers(12, 0)},
  };
}

std::vector<Case> shape_cases() {
  const Data& d = data();
  Numbers transposed, swapped, diagonal, product, matvec, vecmat, outer;
  for (std::int64_t i = 0; i < kN; ++i)
    for (std::int64_t b = 0; b < kB; ++b) transposed.push_back(at(d.x, b, i));
  for (std::int64_t b = 0; b < kB; ++b)
    for (std::int64_t i = 0; i < kN; ++i) {
      for (std::int64_t k = 0; k < kN; ++k) swapped.push_back(at(d.M, b, k * kN + i, 9));
      diagonal.push_back(at(d.M, b, i * kN + i, 9));
      matvec.push_back(
          sum_row([&](std::int64_t k) { return at(d.M, b, i * kN + k, 9) * at(d.x, b, k); }));
      vecmat.push_back(
          sum_row([&](std::int64_t k) { return at(d.x, b, k) * at(d.M, b, k * kN + i, 9); }));
    }
  for (std::int64_t b = 0; b < kB; ++b)
    for (std::int64_t j = 0; j < kM; ++j)
      product.push_back(sum_row([&](std::int64_t i) { return at(d.x, b, i) * at(d.W, i, j, kM); }));
  Numbers joined, hot, taken, taken_columns, scattered(12, 0);
  for (std::int64_t b = 0; b < kB; ++b) {
    for (std::int64_t i = 0; i < kN; ++i) joined.push_back(at(d.x, b, i));
    for (std::int64_t j = 0; j < kM; ++j) joined.push_back(at(d.v, b, j, kM));
    for (int c = 0; c < 4; ++c)
      hot.push_back(c == static_cast<int>(d.labels[static_cast<std::size_t>(b)]) ? 1 : 0);
  }
  for (const std::int64_t b : {2, 0})
    for (std::int64_t i = 0; i < kN; ++i) taken.push_back(at(d.x, b, i));
  for (std::int64_t b = 0; b < kB; ++b)
    for (const std::int64_t i : {2, 2, 0}) taken_columns.push_back(at(d.x, b, i));
  // v [4, 2] to columns 2 and 0 of three.
  for (std::int64_t b = 0; b < kB; ++b) {
    scattered[static_cast<std::size_t>(b * 3 + 2)] = at(d.v, b, 0, kM);
    scattered[static_cast<std::size_t>(b * 3)] = at(d.v, b, 1, kM);
  }
  return {
      {"reshape(x, [2, -1])", {2, 6}, d.x},
      {"reshape(x, shape=[12])", {12}, d.x},
      {"transpose(x)", {kN, kB}, transposed},
      {"transpose(M)", {kB, kN, kN}, swapped},
      {"transpose(x, [1, 0])", {kN, kB}, transposed},
      {"transpose(x, axes=[-2, -1])", {kB, kN}, d.x},
      {"concat([x, v], 1)", {kB, 5}, joined},
      {"concat([x], axis=0)", {kB, kN}, d.x},
      {"broadcast_to(x[1], [2, 3])", {2, kN}, {2, 2, -0.5, 2, 2, -0.5}},
      {"stop_gradient(x)", {kB, kN}, d.x},
      {"one_hot(labels, 4)", {kB, 4}, hot},
      {"take(x, idx)", {2, kN}, taken},
      {"take(x, [2, 2, 0], axis=1)", {kB, 3}, taken_columns},
      {"scatter_add(v, [2, 0], 1, size=3)", {kB, 3}, scattered},
      {"scatter_add(v[0:2], idx, axis=1, size=3)",
       {2, 3},
       Numbers(scattered.begin(), scattered.begin() + 6)},
      {"diag(M)", {kB, kN}, diagonal},
      {"trace(M)", {kB}, per_row([&](std::int64_t b) {
         return sum_row([&](std::int64_t i) { return at(d.M, b, i * kN + i, 9); });
       })},
      {"contract(\"bi,ij->bj\", x, W)", {kB, kM}, product},
      {"contract('bij,bi,bj->', M, x, x)", {}, {[&] {
         double s = 0;
         for (std::int64_t b = 0; b < kB; ++b)
           for (std::int64_t i = 0; i < kN; ++i)
             for (std::int64_t k = 0; k < kN; ++k)
               s += at(d.M, b, i * kN + k, 9) * at(d.x, b, i) * at(d.x, b, k);
         return s;
       }()}},
      {"matvec(M, x)", {kB, kN}, matvec},
      {"vecmat(x, M)", {kB, kN}, vecmat},
  };
}
}  // namespace

TEST_CASE("every elementwise function has the value of its definition") {
  check_cases(elementwise_cases(), {FunctionGroup::kElementwise});
}

TEST_CASE("every reduction has the value of its definition") {
  check_cases(reduction_cases(), {FunctionGroup::kReductions});
}

TEST_CASE("every function of shapes and products has the value of its definition") {
  check_cases(shape_cases(), {FunctionGroup::kShape});
}
