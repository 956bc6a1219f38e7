// The transposition that completes symmetric products of which half was computed.
//
// Private to autodiff/products.cpp.
#pragma once

#include <cstdint>

namespace jacquard {

// to [columns, rows] = from' for from [rows, columns]; both have rows `leading` apart, and they do
// not overlap. The columns are a multiple of 4, or there are no rows.
template <class T>
void transpose(std::int64_t rows, std::int64_t columns, const T* from, T* to, std::int64_t leading);

// Copies what lies below the diagonal of c [size, size] to its mirror image.
template <class T>
void mirror(std::int64_t size, T* c, std::int64_t leading);

}  // namespace jacquard
