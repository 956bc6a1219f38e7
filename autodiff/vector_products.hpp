// Products with vectors, which libraries serve badly.
//
// Private to autodiff/products.cpp. Lanes are written out, multiplications and additions are
// separate and every sum runs in ascending order within its lane, so the bits are the same on
// every x86-64 processor, whatever vectors it has.
#pragma once

#include <cstdint>

namespace jacquard {

template <class T>
struct StridedMatrix {  // element (i, j) stands at data[i * row + j * column]
  const T* data;
  std::int64_t row;
  std::int64_t column;
};

// y [m] = alpha a x + beta y with elements of x and y the given strides apart; m and k at least 1.
// Fast where one stride of a is 1.
template <class T>
void matrix_vector(std::int64_t m, std::int64_t k, T alpha, const StridedMatrix<T>& a, const T* x,
                   std::int64_t x_stride, T beta, T* y, std::int64_t y_stride);

}  // namespace jacquard
