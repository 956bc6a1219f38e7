// Products that the caller knows to be symmetric: half computed, half mirrored.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/number.hpp"
#include "autodiff/products.hpp"
#include "tests/autodiff/product_cases.hpp"

using namespace jacquard;
using namespace jacquard::product_cases;

namespace {

constexpr std::array<std::int64_t, 9> kSizes = {0, 1, 2, 7, 31, 64, 65, 127, 500};

ProductShape symmetric(std::int64_t batch, std::int64_t m, std::int64_t k) {
  return {batch, m, m, k, true};
}

// op(b) is made the transpose of op(a), in the same memory.
template <class T>
ProductFactor<T> transposed(ProductFactor<T> factor) {
  factor.transposed = !factor.transposed;
  return factor;
}

// Of an element on or below the diagonal: how far it is from the quad sum, in units of a bound that
// any order of summation keeps (about k roundings of the sum of magnitudes).
template <class T>
double error_at(const Case& t, const Data<T>& d, std::int64_t item, std::int64_t i, std::int64_t j,
                T old, T got) {
  Quad sum = 0, size = 0;
  for (std::int64_t l = 0; l < t.shape.k; ++l) {
    const Quad term =
        static_cast<Quad>(at(d.left, item, i, l)) * static_cast<Quad>(at(d.right, item, l, j));
    sum += term;
    size += number::abs(term);
  }
  const Quad kept = t.beta == 0 ? Quad(0) : static_cast<Quad>(static_cast<T>(t.beta)) * old;
  const Quad alpha = static_cast<Quad>(static_cast<T>(t.alpha));
  sum = alpha * sum + kept;
  size = number::abs(alpha) * size + number::abs(kept);
  const Quad bound = size * static_cast<Quad>(std::numeric_limits<T>::epsilon()) *
                     static_cast<Quad>(t.shape.k + 3) / 2;
  const Quad error = number::abs(sum - static_cast<Quad>(got));
  if (bound == 0) return error == 0 ? 0 : 1e9;
  return static_cast<double>(error / bound);
}

// Computes the case and compares scattered elements below the diagonal with quad sums, all of those
// above it with their mirror images by their bits, and the memory around the result with before.
// What c held above the diagonal is NaN: it must not count.
template <class T>
void check_data(ThreadPool& pool, const Case& t, Data<T>& d) {
  const std::int64_t m = t.shape.m;
  const auto place = [&](std::int64_t item, std::int64_t i, std::int64_t j) {
    return t.shift + static_cast<std::size_t>(item * d.out.batch_stride + i * d.out.leading + j);
  };
  for (std::int64_t item = 0; item < t.shape.batch; ++item) {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = t.beta == 0 ? 0 : i + 1; j < m; ++j) {
        d.c[place(item, i, j)] = std::numeric_limits<T>::quiet_NaN();
      }
    }
  }
  const std::vector<T> before = d.c;
  std::vector<T> around = before;
  product(pool, t.shape, d.left, d.right, d.out, static_cast<T>(t.alpha), static_cast<T>(t.beta));
  const std::int64_t every = 1 + t.shape.batch * m * m * t.shape.k / 40000 / 2 * 2;  // odd
  double worst = 0;
  bool mirrored = true;
  for (std::int64_t item = 0; item < t.shape.batch; ++item) {
    for (std::int64_t i = 0; i < m; ++i) {
      for (std::int64_t j = 0; j < m; ++j) {
        const T got = d.c[place(item, i, j)];
        around[place(item, i, j)] = got;
        if (j > i) {
          mirrored = mirrored && std::memcmp(&got, &d.c[place(item, j, i)], sizeof(T)) == 0;
        } else if ((i * m + j) % every == 0) {
          const double error = error_at(t, d, item, i, j, before[place(item, i, j)], got);
          worst = error <= worst ? worst : error;  // NaN becomes the worst
        }
      }
    }
  }
  INFO(text(t));
  CHECK(worst <= 1);
  CHECK(mirrored);
  CHECK(same_bits(d.c, around));
}

template <class T>
void check_case(ThreadPool& pool, const Case& t) {
  Data<T> d = make<T>(t);
  check_data(pool, t, d);
}

// X X' where the case's a is X.
template <class T>
void check_gram(ThreadPool& pool, const Case& t) {
  Data<T> d = make<T>(t);
  d.right = transposed(d.left);
  check_data(pool, t, d);
}

// Shapes that reach every way of cutting: strips with ragged ends, grouped matrices, slabs of k,
// parts of k, squares alone.
std::vector<Case> cut_cases() {
  std::vector<Case> cases;
  for (const ProductShape& shape :
       {symmetric(1, 500, 300), symmetric(1, 500, 2500), symmetric(1, 127, 20000),
        symmetric(1, 64, 5000), symmetric(1, 65, 65), symmetric(1, 40, 30000),
        symmetric(3, 100, 9000), symmetric(20, 111, 200), symmetric(70, 66, 7),
        symmetric(300, 31, 12), symmetric(9, 20, 20), symmetric(9, 70, 3000), symmetric(1, 16, 16),
        symmetric(1, 1, 700)}) {
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        cases.push_back({.shape = shape,
                         .a_transposed = a_transposed,
                         .b_transposed = b_transposed,
                         .padding = shape.m % 3,
                         .alpha = 0.7,
                         .beta = 0.5});
      }
    }
  }
  return cases;
}

}  // namespace

TEST_CASE_TEMPLATE("symmetric products: all sizes and layouts agree with quad", T, float, double) {
  ThreadPool pool(2);
  for (const std::int64_t m : kSizes) {
    for (const std::int64_t k : {0, 1, 2, 7, 65, 300}) {
      for (int flags = 0; flags < 4; ++flags) {
        const double beta = std::array{0.0, 1.0, 0.5}[static_cast<std::size_t>(m + k) % 3];
        check_case<T>(pool, {.shape = symmetric(m > 200 ? 1 : 1 + (m + k) % 3, m, k),
                             .a_transposed = (flags & 1) != 0,
                             .b_transposed = (flags & 2) != 0,
                             .padding = (m + k + flags) % 4,
                             .alpha = flags == 3 ? -1.5 : 1,
                             .beta = beta});
      }
    }
  }
}

TEST_CASE_TEMPLATE("symmetric products: every way of cutting agrees with quad", T, float, double) {
  ThreadPool pool(3);
  for (Case t : cut_cases()) {
    check_case<T>(pool, t);
    t.beta = 0;
    check_case<T>(pool, t);
  }
}

TEST_CASE_TEMPLATE("symmetric products: X X' and X' X of one matrix agree with quad", T, float,
                   double) {
  ThreadPool pool(2);
  for (const Case& t : cut_cases()) {
    if (!t.b_transposed) check_gram<T>(pool, t);
  }
  for (const bool a_transposed : {false, true}) {
    check_gram<T>(pool, {.shape = symmetric(5, 90, 70),
                         .a_transposed = a_transposed,
                         .a_shared = true,
                         .padding = 3});
    check_gram<T>(pool, {.shape = symmetric(5, 12, 9),
                         .a_transposed = a_transposed,
                         .a_shared = true,
                         .padding = 1});
  }
}

TEST_CASE_TEMPLATE("symmetric products: (S B) S' of integers is exact", T, float, double) {
  ThreadPool pool(2);
  std::uint64_t random = 5;
  const auto small = [&] { return static_cast<T>(static_cast<int>(next(random) * 3)); };
  for (const std::int64_t m : kSizes) {
    for (const std::int64_t k : {1, 31, 130}) {
      const auto sm = static_cast<std::size_t>(m), sk = static_cast<std::size_t>(k);
      std::vector<T> s(sm * sk), b(sk * sk), sb(sm * sk), want(sm * sm), whole(sm * sm);
      std::ranges::generate(s, small);
      for (std::size_t i = 0; i < sk; ++i) {
        for (std::size_t j = 0; j <= i; ++j) b[i * sk + j] = b[j * sk + i] = small();
      }
      for (std::size_t i = 0; i < sm; ++i) {
        for (std::size_t l = 0; l < sk; ++l) {
          for (std::size_t j = 0; j < sk; ++j) sb[i * sk + j] += s[i * sk + l] * b[l * sk + j];
        }
      }
      for (std::size_t i = 0; i < sm; ++i) {
        for (std::size_t j = 0; j < sm; ++j) {
          for (std::size_t l = 0; l < sk; ++l) want[i * sm + j] += sb[i * sk + l] * s[j * sk + l];
        }
      }
      product<T>(pool, symmetric(1, m, k), {sb.data(), k, 0, false}, {s.data(), k, 0, true},
                 {whole.data(), m, 0});
      CAPTURE(m);
      CAPTURE(k);
      CHECK(same_bits(whole, want));
    }
  }
}

TEST_CASE_TEMPLATE("symmetric products: the bits depend on neither threads nor alignment", T, float,
                   double) {
  ThreadPool one(1), two(2), three(3);
  for (Case t : cut_cases()) {
    const std::vector<T> expected = result_of<T>(one, t);
    INFO(text(t));
    CHECK(same_bits(result_of<T>(two, t), expected));
    CHECK(same_bits(result_of<T>(three, t), expected));
    for (const std::size_t shift : {1u, 5u}) {
      t.shift = shift;
      CHECK(same_bits(result_of<T>(two, t), expected));
    }
  }
}

TEST_CASE_TEMPLATE("symmetric products: what is not finite spreads along its row and column only",
                   T, float, double) {
  ThreadPool pool(2);
  for (const std::int64_t m : {7, 33, 100, 500}) {
    for (const bool a_transposed : {false, true}) {
      const std::int64_t k = 40, bad = m - 5;
      Data<T> d = make<T>({.shape = symmetric(1, m, k), .a_transposed = a_transposed});
      d.a[static_cast<std::size_t>(a_transposed ? 3 * m + bad : bad * k + 3)] =
          std::numeric_limits<T>::quiet_NaN();
      product(pool, symmetric(1, m, k), d.left, transposed(d.left), d.out);
      bool right = true;
      for (std::int64_t i = 0; i < m; ++i) {
        for (std::int64_t j = 0; j < m; ++j) {
          const T value = d.c[static_cast<std::size_t>(i * m + j)];
          right = right && std::isnan(value) == (i == bad || j == bad);
        }
      }
      CHECK(right);
    }
  }
}

TEST_CASE_TEMPLATE("symmetric products: alpha = 0 gives beta c, mirrored", T, float, double) {
  ThreadPool pool(2);
  const T nan = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> c{1, nan, 9, 2, 3, 9};
  const ProductFactor<T> none{nullptr, 2, 0, false};
  product<T>(pool, symmetric(1, 2, 2), none, none, {c.data(), 3, 0}, 0, 2);
  CHECK(c == std::vector<T>{2, 4, 9, 4, 6, 9});
  check_case<T>(pool, {.shape = symmetric(2, 100, 30), .padding = 1, .alpha = 0, .beta = 0.5});
}

TEST_CASE("symmetric products: a result that is not square is refused") {
  ThreadPool pool(1);
  std::vector<float> x(20);
  const ProductFactor<float> a{x.data(), 4, 0, false};
  CHECK_THROWS_WITH_AS(
      product<float>(pool, {1, 2, 3, 4, true}, a, a, {x.data(), 4, 0}),
      "product: a symmetric result of m 2, n 3 is impossible; leave `symmetric` unset",
      InternalError);
}
