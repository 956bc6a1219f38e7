// What tile programs do with rows of neighbours beside running ops on them, for the processor that
// this runs on: sums, in the order of tile_sums.hpp, and copies of what broadcasts.
#pragma once

#include <cstdint>

namespace jacquard {

template <class T>
struct RowKernels {
  // Row r is added to what begins at to[r * step].
  using Add = void (*)(double* to, std::int64_t step, const T* from, std::int64_t rows,
                       std::int64_t columns);
  // Row r becomes what begins at from[r * step].
  using Copy = void (*)(T* to, const T* from, std::int64_t step, std::int64_t rows,
                        std::int64_t columns);
  Add add_sums;  // the sum of the row, to one number
  Add add_rows;  // number by number
  Copy copy;     // as many numbers
  Copy spread;   // one number, as often as there are columns
  void (*round)(T* to, const double* from, std::int64_t count);
};

template <class T>
const RowKernels<T>& row_kernels();

}  // namespace jacquard
