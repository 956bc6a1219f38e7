#include "autodiff/products.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "tests/autodiff/product_cases.hpp"

using namespace jacquard;
using namespace jacquard::product_cases;

namespace {

// Against the triple loop in long double; nothing but c's elements may have changed. Of large
// products only some elements are compared, scattered over all tiles.
template <class T>
void check_case(ThreadPool& pool, const Case& t) {
  Data<T> d = make<T>(t);
  if (t.beta == 0) {  // then c is not read
    for (std::size_t i = t.shift; i < d.c.size(); ++i) {
      d.c[i] = std::numeric_limits<T>::quiet_NaN();
    }
  }
  const std::vector<T> before = d.c;
  std::vector<T> expected = before;  // c with its elements taken from the result
  product(pool, t.shape, d.left, d.right, d.out, static_cast<T>(t.alpha), static_cast<T>(t.beta));
  const std::int64_t every =
      1 + t.shape.batch * t.shape.m * t.shape.n * t.shape.k / 2000000 / 2 * 2;  // odd
  double worst = 0;  // in units of the bound
  for (std::int64_t item = 0; item < t.shape.batch; ++item) {
    for (std::int64_t i = 0; i < t.shape.m; ++i) {
      for (std::int64_t j = 0; j < t.shape.n; ++j) {
        const std::size_t place =
            t.shift + static_cast<std::size_t>(item * d.out.batch_stride + i * d.out.leading + j);
        expected[place] = d.c[place];
        if ((i * t.shape.n + j) % every != 0) continue;
        long double sum = 0, size = 0;
        for (std::int64_t l = 0; l < t.shape.k; ++l) {
          const long double term = static_cast<long double>(at(d.left, item, i, l)) *
                                   static_cast<long double>(at(d.right, item, l, j));
          sum += term;
          size += std::abs(term);
        }
        const long double old = t.beta == 0 ? 0.0L : static_cast<long double>(before[place]);
        sum = t.alpha * sum + t.beta * old;
        size = std::abs(t.alpha) * size + std::abs(t.beta * old);
        // Any order of summation errs by at most about k roundings of the sum of magnitudes.
        const long double bound = size *
                                  static_cast<long double>(std::numeric_limits<T>::epsilon()) *
                                  static_cast<long double>(t.shape.k + 3) / 2;
        const long double error = std::abs(sum - static_cast<long double>(d.c[place]));
        const double ratio =
            bound == 0 ? (error == 0 ? 0 : 1e9) : static_cast<double>(error / bound);
        worst = ratio <= worst ? worst : ratio;  // NaN becomes the worst
      }
    }
  }
  INFO(text(t));
  CHECK(worst <= 1);
  CHECK(same_bits(d.c, expected));
}

}  // namespace

TEST_CASE_TEMPLATE("products: small and awkward shapes agree with the plain triple loop", T, float,
                   double) {
  ThreadPool pool(2);
  const std::int64_t sizes[] = {0, 1, 2, 3, 7, 17};
  for (const std::int64_t m : sizes) {
    for (const std::int64_t n : sizes) {
      for (const std::int64_t k : sizes) {
        for (int flags = 0; flags < 4; ++flags) {
          const double beta = std::array{0.0, 1.0, 0.5}[static_cast<std::size_t>(m + n + k) % 3];
          check_case<T>(pool, {.shape = {1 + (m + k) % 3, m, n, k},
                               .a_transposed = (flags & 1) != 0,
                               .b_transposed = (flags & 2) != 0,
                               .padding = (n + k) % 3,
                               .alpha = flags == 3 ? -1.5 : 1,
                               .beta = beta});
        }
      }
    }
  }
}

TEST_CASE_TEMPLATE("products: all sizes of a training step agree with the plain triple loop", T,
                   float, double) {
  ThreadPool pool(2);
  for (Case t : telling_cases()) check_case<T>(pool, t);
  for (const double beta : {0.0, 1.0, 0.5}) {
    check_case<T>(pool, {.shape = {1, 20, 1000, 784}, .padding = 3, .beta = beta});
    check_case<T>(pool, {.shape = {1, 30, 20, 2000}, .padding = 3, .alpha = 2, .beta = beta});
  }
}

TEST_CASE_TEMPLATE("products: random shapes agree with the plain triple loop", T, float, double) {
  ThreadPool pool(3);
  std::mt19937 random(3);
  const auto pick = [&](std::int64_t most) {
    const std::int64_t limit = random() % 2 == 0 ? 20 : most;
    return static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(limit));
  };
  for (int i = 0; i < 200; ++i) {
    check_case<T>(pool, {.shape = {pick(30) / 5, pick(150), pick(150), pick(150)},
                         .a_transposed = random() % 2 == 0,
                         .b_transposed = random() % 2 == 0,
                         .a_shared = random() % 4 == 0,
                         .b_shared = random() % 4 == 0,
                         .padding = random() % 2 == 0 ? 0 : pick(20),
                         .alpha = random() % 2 == 0 ? 1 : -0.3,
                         .beta = std::array{0.0, 1.0, 0.5}[random() % 3],
                         .shift = random() % 4});
  }
}

TEST_CASE_TEMPLATE("products: factors that a batch shares agree with the plain triple loop", T,
                   float, double) {
  ThreadPool pool(2);
  for (const std::int64_t m : {1, 4, 50}) {
    for (const std::int64_t n : {1, 6, 40}) {
      for (int flags = 0; flags < 16; ++flags) {
        check_case<T>(pool, {.shape = {7, m, n, 30},
                             .a_transposed = (flags & 1) != 0,
                             .b_transposed = (flags & 2) != 0,
                             .a_shared = (flags & 4) != 0,
                             .b_shared = (flags & 8) != 0,
                             .padding = flags % 3 == 0 ? 2 : 0,
                             .beta = 0.5});
      }
    }
  }
}

TEST_CASE_TEMPLATE("products: no factors to sum give beta c, and beta 0 clears what was not finite",
                   T, float, double) {
  ThreadPool pool(1);
  const T nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> c{1, 2, 9, 3, 4, 9}, bad{nan, nan};
  const ProductFactor<T> none{nullptr, 0, 0, false}, unread{bad.data(), 2, 0, false};
  product<T>(pool, {1, 2, 2, 0}, none, none, {c.data(), 3, 0}, 1, T(0.5));
  CHECK(c == std::vector<T>{0.5, 1, 9, 1.5, 2, 9});
  product<T>(pool, {1, 2, 2, 1}, unread, unread, {c.data(), 3, 0}, 0, 2);
  CHECK(c == std::vector<T>{1, 2, 9, 3, 4, 9});
  product<T>(pool, {1, 2, 2, 0}, none, none, {c.data(), 3, 0}, 1, 1);
  CHECK(c == std::vector<T>{1, 2, 9, 3, 4, 9});
  c[0] = nan;
  product<T>(pool, {1, 2, 2, 0}, none, none, {c.data(), 3, 0});
  CHECK(c == std::vector<T>{0, 0, 9, 0, 0, 9});
  product<T>(pool, {0, 2, 2, 2}, none, none, {nullptr, 0, 0});
  product<T>(pool, {2, 0, 2, 2}, none, none, {nullptr, 0, 0});
  product<T>(pool, {2, 2, 0, 2}, none, none, {nullptr, 0, 0});
}

TEST_CASE_TEMPLATE("products: what is not finite spreads along its row and column only", T, float,
                   double) {
  ThreadPool pool(2);
  for (const ProductShape& shape :
       {ProductShape{1, 7, 9, 6}, {1, 70, 90, 60}, {1, 20, 1000, 784}}) {
    for (int flags = 0; flags < 4; ++flags) {
      Data<T> d = make<T>(
          {.shape = shape, .a_transposed = (flags & 1) != 0, .b_transposed = (flags & 2) != 0});
      const std::int64_t row = shape.m - 2, column = shape.n - 3, depth = shape.k - 1;
      const_cast<T&>(
          d.left.data[d.left.transposed ? depth * shape.m + row : row * shape.k + depth]) =
          std::numeric_limits<T>::quiet_NaN();
      const_cast<T&>(
          d.right.data[d.right.transposed ? column * shape.k + depth : depth * shape.n + column]) =
          std::numeric_limits<T>::infinity();
      product(pool, shape, d.left, d.right, d.out);
      bool right = true;
      for (std::int64_t i = 0; i < shape.m; ++i) {
        for (std::int64_t j = 0; j < shape.n; ++j) {
          const T value = d.c[static_cast<std::size_t>(i * shape.n + j)];
          const bool as_told = i == row      ? std::isnan(value)
                               : j == column ? std::isinf(value)
                                             : std::isfinite(value);
          right = right && as_told;
        }
      }
      CHECK(right);
    }
  }
}

TEST_CASE("products: impossible sizes and leading dimensions are refused") {
  ThreadPool pool(1);
  std::vector<float> x(100);
  const ProductFactor<float> a{x.data(), 3, 0, false};
  const auto refused = [&](const ProductShape& shape, const ProductFactor<float>& left,
                           const ProductFactor<float>& right, std::int64_t leading) {
    product<float>(pool, shape, left, right, {x.data(), leading, 0});
  };
  CHECK_THROWS_WITH_AS(refused({1, 2, -3, 3}, a, a, 3),
                       "product: sizes batch 1, m 2, n -3, k 3; 0 to 2147483647 are allowed",
                       InternalError);
  CHECK_THROWS_WITH_AS(
      refused({1, 2, 3, std::int64_t{1} << 31}, a, a, 3),
      "product: sizes batch 1, m 2, n 3, k 2147483648; 0 to 2147483647 are allowed", InternalError);
  CHECK_THROWS_WITH_AS(refused({1, 2, 3, 4}, a, a, 3),
                       "product: the leading dimension of a is 3; 4 to 2147483647 are allowed",
                       InternalError);
  CHECK_THROWS_WITH_AS(refused({1, 2, 3, 4}, {x.data(), 2, 0, true}, {x.data(), 3, 0, true}, 3),
                       "product: the leading dimension of b is 3; 4 to 2147483647 are allowed",
                       InternalError);
  CHECK_THROWS_WITH_AS(refused({1, 2, 3, 3}, a, a, 2),
                       "product: the leading dimension of c is 2; 3 to 2147483647 are allowed",
                       InternalError);
}

TEST_CASE("products: the manifest names the libraries with their versions") {
  const std::string description = gemm_library_description();
  CHECK(description.starts_with("float: "));
  CHECK(description.find("; double: OpenBLAS ") != std::string::npos);
}
