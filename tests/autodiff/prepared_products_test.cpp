// Products made ready once and run many times, and the kernels of tiny ones at every edge.
#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/products.hpp"
#include "autodiff/simd.hpp"
#include "tests/autodiff/product_cases.hpp"

using namespace jacquard;
using namespace jacquard::product_cases;

namespace {

MatrixLayout layout_of(const auto& operand, bool transposed) {
  return {operand.leading, operand.batch_stride, transposed};
}

template <class T>
PreparedProduct<T> prepare(const Case& t, const Data<T>& d) {
  return {t.shape, layout_of(d.left, t.a_transposed), layout_of(d.right, t.b_transposed),
          layout_of(d.out, false)};
}

// The plain triple loop in quad precision, within about k roundings of the sum of magnitudes;
// memory around c is unchanged, and c is not read where beta is 0.
template <class T>
void check_against_loop(ThreadPool& pool, const PreparedProduct<T>& prepared, const Case& t,
                        Data<T>& d) {
  const std::vector<T> before = d.c;
  std::vector<T> around = before;
  prepared.run(pool, d.left.data, d.right.data, d.out.data, static_cast<T>(t.alpha),
               static_cast<T>(t.beta));
  bool right = true;
  for (std::int64_t item = 0; item < t.shape.batch; ++item) {
    for (std::int64_t i = 0; i < t.shape.m; ++i) {
      for (std::int64_t j = 0; j < t.shape.n; ++j) {
        const auto place =
            t.shift + static_cast<std::size_t>(item * d.out.batch_stride + i * d.out.leading + j);
        __float128 sum = 0, size = 0;
        for (std::int64_t l = 0; l < t.shape.k && t.alpha != 0; ++l) {
          const __float128 term = static_cast<__float128>(at(d.left, item, i, l)) *
                                  static_cast<__float128>(at(d.right, item, l, j));
          sum += term;
          size += term < 0 ? -term : term;
        }
        const __float128 alpha = static_cast<T>(t.alpha), beta = static_cast<T>(t.beta);
        const __float128 old = t.beta == 0 ? __float128(0) : beta * before[place];
        sum = alpha * sum + old;
        size = (alpha < 0 ? -alpha : alpha) * size + (old < 0 ? -old : old);
        const __float128 error = sum - d.c[place], bound = size *
                                                           std::numeric_limits<T>::epsilon() *
                                                           static_cast<T>(t.shape.k + 3) / 2;
        right = right && error <= bound && -error <= bound;
        around[place] = d.c[place];
      }
    }
  }
  INFO(text(t));
  CHECK(right);
  CHECK(same_bits(d.c, around));
}

template <class T>
void fill_result_with_nan(Data<T>& d) {
  for (T& c : d.c) c = std::numeric_limits<T>::quiet_NaN();
}

// Every transposition, with rows farther apart than they are long.
template <class T>
void check_all_layouts(ThreadPool& pool, const ProductShape& shape, double alpha, double beta) {
  for (int flags = 0; flags < 4; ++flags) {
    const Case t{.shape = shape,
                 .a_transposed = (flags & 1) != 0,
                 .b_transposed = (flags & 2) != 0,
                 .padding = (shape.m + shape.n + flags) % 3,
                 .alpha = alpha,
                 .beta = beta};
    Data<T> d = make<T>(t);
    if (beta == 0) fill_result_with_nan(d);
    check_against_loop(pool, prepare(t, d), t, d);
  }
}

}  // namespace

TEST_CASE_TEMPLATE("prepared products: tiny ones of any size agree with the plain triple loop", T,
                   float, double) {
  ThreadPool pool(1);
  std::mt19937 random(11);
  const auto size = [&] { return static_cast<std::int64_t>(1 + random() % 40); };
  for (const Simd most : {Simd::kBaseline, Simd::kAvx2, Simd::kAvx512}) {
    limit_simd(most);
    for (int i = 0; i < 100; ++i) {
      const double beta = std::array{0.0, 1.0, 0.5}[random() % 3];
      check_all_layouts<T>(pool, {1, size(), size(), size()}, i % 4 == 0 ? -0.3 : 1, beta);
    }
  }
  limit_simd(Simd::kAvx512);
}

TEST_CASE_TEMPLATE("prepared products: columns and rows at the edges of tiles are right", T, float,
                   double) {
  ThreadPool pool(1);
  for (const std::int64_t n : {2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49})
    for (const std::int64_t m : {2, 3, 4, 5, 6, 7, 8, 9, 13})
      check_all_layouts<T>(pool, {1, m, n, (m + n) % 6 + 1}, 1, m % 2 == 0 ? 0.0 : 0.5);
  for (const std::int64_t k : {255, 256, 257, 512, 2000}) {  // sums in one part and in several
    for (const double beta : {0.0, 1.0, 0.5}) check_all_layouts<T>(pool, {1, 3, 5, k}, 0.7, beta);
  }
}

TEST_CASE_TEMPLATE("prepared products: our own kernels give the same bits on every processor", T,
                   float, double) {
  ThreadPool pool(1);
  std::mt19937 random(12);
  for (int i = 0; i < 200; ++i) {
    const auto size = [&] { return static_cast<std::int64_t>(1 + random() % 31); };
    const Case t{.shape = {1, size(), size(), i % 10 == 0 ? 300 / (size() + 1) + 1 : size()},
                 .a_transposed = random() % 2 == 0,
                 .b_transposed = random() % 2 == 0,
                 .padding = i % 3,
                 .alpha = 0.7,
                 .beta = 0.5};
    const std::vector<T> expected = result_of<T>(pool, t);
    for (const Simd most : {Simd::kBaseline, Simd::kAvx2}) {
      limit_simd(most);
      INFO(text(t));
      CHECK(same_bits(result_of<T>(pool, t), expected));
    }
    limit_simd(Simd::kAvx512);
  }
}

TEST_CASE_TEMPLATE("prepared products: one is run with other operands, alpha and beta", T, float,
                   double) {
  ThreadPool pool(2);
  for (const ProductShape& shape : {ProductShape{1, 4, 16, 8},
                                    {1, 70, 90, 60},
                                    {3, 9, 7, 5},
                                    {1, 1, 50, 40},
                                    {1, 20, 10, 3000},
                                    {1, 80, 80, 40, true}}) {
    Case t{.shape = shape, .b_transposed = true, .padding = 2};
    Data<T> d = make<T>(t);
    if (shape.symmetric) d.right = {d.left.data, d.left.leading, d.left.batch_stride, true};
    const PreparedProduct<T> prepared{t.shape, layout_of(d.left, false), layout_of(d.right, true),
                                      layout_of(d.out, false)};
    if (shape.symmetric) fill_result_with_nan(d);
    for (const auto& [alpha, beta] : {std::array{1.0, 0.0}, {-0.5, 1.0}, {0.3, 0.7}, {0.0, 0.5}}) {
      t.alpha = alpha;
      t.beta = beta;
      check_against_loop(pool, prepared, t, d);
    }
  }
}

TEST_CASE_TEMPLATE("prepared products: the bits are those of `product`, for 1, 2, 3 and 8 threads",
                   T, float, double) {
  ThreadPool one(1), two(2), three(3), eight(8);
  for (const Case& t : telling_cases()) {
    const std::vector<T> expected = result_of<T>(one, t);
    for (ThreadPool* pool : {&one, &two, &three, &eight}) {
      Data<T> d = make<T>(t);
      prepare(t, d).run(*pool, d.left.data, d.right.data, d.out.data, static_cast<T>(t.alpha),
                        static_cast<T>(t.beta));
      INFO(text(t));
      CHECK(same_bits(d.c, expected));
    }
  }
}

TEST_CASE("prepared products: without matrices, or made of nothing, they do nothing") {
  ThreadPool pool(1);
  PreparedProduct<float>{}.run(pool, nullptr, nullptr, nullptr);
  PreparedProduct<float>({0, 2, 2, 2}, {}, {}, {}).run(pool, nullptr, nullptr, nullptr);
}

TEST_CASE("prepared products: a transposed result is refused") {
  CHECK_THROWS_WITH_AS(
      (PreparedProduct<float>({1, 2, 2, 2}, {2, 0, false}, {2, 0, false}, {2, 0, true})),
      "product: the result is transposed; swap the factors", InternalError);
}
