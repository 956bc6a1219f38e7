// Kernels of our own for products that libraries serve badly: tiny ones and products with vectors;
// and the transposition that mirrors symmetric ones.
//
// Private to autodiff/products.cpp. Lanes are written out, multiplications and additions are
// separate and every sum runs in ascending order within its lane, so the bits are the same on
// every x86-64 processor, whatever vectors it has.
#pragma once

#include <cstdint>

namespace jacquard {

// The most multiplications of a tiny product. Beyond it a library's better kernels outweigh its
// bookkeeping (0.1 to 0.4 microseconds a call).
constexpr std::int64_t kMaxTinyWork = 4096;

template <class T>
struct StridedMatrix {  // element (i, j) stands at data[i * row + j * column]
  const T* data;
  std::int64_t row;
  std::int64_t column;
};

// c [m, n] = alpha a b + beta c with c's rows `c_leading` apart; m n k <= kMaxTinyWork.
template <class T>
void tiny_product(std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
                  const StridedMatrix<T>& a, const StridedMatrix<T>& b, T beta, T* c,
                  std::int64_t c_leading);

// y [m] = alpha a x + beta y with elements of x and y the given strides apart; m and k at least 1.
// Fast where one stride of a is 1.
template <class T>
void matrix_vector(std::int64_t m, std::int64_t k, T alpha, const StridedMatrix<T>& a, const T* x,
                   std::int64_t x_stride, T beta, T* y, std::int64_t y_stride);

// to [columns, rows] = from' for from [rows, columns]; both have rows `leading` apart, and they do
// not overlap. The columns are a multiple of 4, or there are no rows.
template <class T>
void transpose(std::int64_t rows, std::int64_t columns, const T* from, T* to, std::int64_t leading);

// Copies what lies below the diagonal of c [size, size] to its mirror image.
template <class T>
void mirror(std::int64_t size, T* c, std::int64_t leading);

}  // namespace jacquard
