// Products to test: shapes, layouts and data, shared by the tests of values and of bits.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/products.hpp"

namespace jacquard::product_cases {

struct Case {
  ProductShape shape;
  bool a_transposed = false, b_transposed = false;
  bool a_shared = false, b_shared = false;  // batch stride 0
  std::int64_t padding = 0;                 // elements between stored rows and between matrices
  double alpha = 1, beta = 0;
  std::size_t shift = 0;  // elements by which the data is moved off its natural alignment
};

inline std::string text(const Case& t) {
  return cat(t.shape.symmetric ? "symmetric, " : "", t.shape.batch, " x [", t.shape.m, ", ",
             t.shape.n, "], k ", t.shape.k, ", ", t.a_transposed ? 'T' : 'N',
             t.b_transposed ? 'T' : 'N', t.a_shared ? " a shared" : "",
             t.b_shared ? " b shared" : "", ", padding ", t.padding, ", alpha ", t.alpha, ", beta ",
             t.beta);
}

// A case's three operands, with NaN wherever a product has no business.
template <class T>
struct Data {
  std::vector<T> a, b, c;
  ProductFactor<T> left, right;
  ProductResult<T> out;
};

// A number in [-1, 1) with all of its bits in use, quickly.
inline double next(std::uint64_t& state) {
  state = state * 6364136223846793005 + 1442695040888963407;
  return static_cast<double>(static_cast<std::int64_t>(state)) * 0x1p-63;
}

template <class T>
std::vector<T> stored(std::uint64_t& random, std::int64_t matrices, std::int64_t rows,
                      std::int64_t columns, std::int64_t padding, std::size_t shift) {
  constexpr T kNaN = std::numeric_limits<T>::quiet_NaN();
  std::vector<T> data(shift, kNaN);
  data.reserve(shift + static_cast<std::size_t>(matrices * (rows + 1) * (columns + padding)));
  for (std::int64_t i = 0; i < matrices; ++i) {
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t s = 0; s < columns; ++s) data.push_back(static_cast<T>(next(random)));
      for (std::int64_t s = 0; s < padding; ++s) data.push_back(kNaN);
    }
    for (std::int64_t s = 0; s < padding; ++s) data.push_back(kNaN);
  }
  return data;
}

template <class T>
Data<T> make(const Case& t) {
  std::uint64_t random = 7;
  const std::int64_t batch = t.shape.batch, m = t.shape.m, n = t.shape.n, k = t.shape.k;
  const auto factor = [&](std::vector<T>& data, bool shared, std::int64_t rows,
                          std::int64_t columns, bool transposed) {
    if (transposed) std::swap(rows, columns);
    data = stored<T>(random, shared ? 1 : batch, rows, columns, t.padding, t.shift);
    const std::int64_t leading = columns + t.padding;
    return ProductFactor<T>{data.data() + t.shift, leading, shared ? 0 : rows * leading + t.padding,
                            transposed};
  };
  Data<T> d;
  d.left = factor(d.a, t.a_shared, m, k, t.a_transposed);
  d.right = factor(d.b, t.b_shared, k, n, t.b_transposed);
  d.c = stored<T>(random, batch, m, n, t.padding, t.shift);
  d.out = {d.c.data() + t.shift, n + t.padding, m * (n + t.padding) + t.padding};
  return d;
}

template <class T>
T at(const ProductFactor<T>& f, std::int64_t item, std::int64_t row, std::int64_t column) {
  return f.data[item * f.batch_stride +
                (f.transposed ? column * f.leading + row : row * f.leading + column)];
}

template <class T>
bool same_bits(const std::vector<T>& x, const std::vector<T>& y) {
  if (x.size() != y.size()) return false;
  return x.empty() || std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
}

template <class T>
std::vector<T> result_of(ThreadPool& pool, const Case& t) {
  Data<T> d = make<T>(t);
  product(pool, t.shape, d.left, d.right, d.out, static_cast<T>(t.alpha), static_cast<T>(t.beta));
  d.c.erase(d.c.begin(), d.c.begin() + static_cast<std::ptrdiff_t>(t.shift));
  return d.c;
}

// Shapes that reach every kernel, every way of cutting, and ragged ends.
inline std::vector<Case> telling_cases() {
  std::vector<Case> cases;
  for (const ProductShape& shape : {ProductShape{1, 20, 1000, 784},
                                    {1, 100, 256, 784},
                                    {1, 257, 97, 301},
                                    {1, 784, 1000, 20},
                                    {1, 25, 64, 10000},
                                    {1, 3, 5, 20000},
                                    {1, 2, 2, 300},
                                    {1, 2, 2, 1024},
                                    {1, 63, 2, 32},
                                    {1, 2, 31, 66},
                                    {1, 1, 1000, 784},
                                    {1, 1000, 1, 784},
                                    {1, 7, 1, 30000},
                                    {1, 1, 1, 4097},
                                    {1, 16, 16, 16},
                                    {3, 100, 130, 200},
                                    {60, 9, 7, 5},
                                    {40, 33, 20, 17},
                                    {5, 1, 700, 300},
                                    {2, 30, 30, 10000}}) {
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        cases.push_back({.shape = shape,
                         .a_transposed = a_transposed,
                         .b_transposed = b_transposed,
                         .padding = shape.m % 2,
                         .alpha = 0.7,
                         .beta = 0.5});
      }
    }
  }
  return cases;
}

}  // namespace jacquard::product_cases
