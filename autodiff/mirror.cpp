#include "autodiff/mirror.hpp"

#include <algorithm>

#include "autodiff/transpose_block.hpp"

namespace jacquard {
namespace {

template <class T>
constexpr std::int64_t kTransposedBlock = 16 / sizeof(T);  // what every x86-64 holds in a register

}  // namespace

template <class T>
void transpose(std::int64_t rows, std::int64_t columns, const T* from, T* to,
               std::int64_t leading) {
  constexpr std::int64_t kBlock = kTransposedBlock<T>;
  constexpr std::int64_t kLine = 64 / sizeof(T);  // rows of `to` are written by cache lines
  const std::int64_t whole_rows = rows / kBlock * kBlock;
  for (std::int64_t line = 0; line < whole_rows; line += kLine) {
    const std::int64_t end = std::min(line + kLine, whole_rows);
    for (std::int64_t j = 0; j < columns; j += kBlock) {
      for (std::int64_t i = line; i < end; i += kBlock) {
        transpose_block(from + i * leading + j, leading, to + j * leading + i, leading);
      }
    }
  }
  for (std::int64_t j = 0; j < columns; ++j) {
    for (std::int64_t i = whole_rows; i < rows; ++i) to[j * leading + i] = from[i * leading + j];
  }
}

template <class T>
void mirror(std::int64_t size, T* c, std::int64_t leading) {
  constexpr std::int64_t kBlock = kTransposedBlock<T>;
  for (std::int64_t first = 0; first < size; first += kBlock) {
    const std::int64_t end = std::min(first + kBlock, size);
    for (std::int64_t i = first + 1; i < end; ++i) {
      for (std::int64_t j = first; j < i; ++j) c[j * leading + i] = c[i * leading + j];
    }
    transpose(size - end, end - first, c + end * leading + first, c + first * leading + end,
              leading);
  }
}

template void transpose(std::int64_t, std::int64_t, const float*, float*, std::int64_t);
template void transpose(std::int64_t, std::int64_t, const double*, double*, std::int64_t);
template void mirror(std::int64_t, float*, std::int64_t);
template void mirror(std::int64_t, double*, std::int64_t);

}  // namespace jacquard
