// The one order in which elements are summed: by the plain kernel of `sum` and by tile programs.
//
// It depends on the shape and the axes alone: pieces of kSumPiece columns in lanes, pieces one
// after the other, rows one after the other within a part of the rows, and the parts in order. So a
// sum has the same bits in every program and for any number of threads. Sums of floats are kept in
// double.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "autodiff/loops.hpp"
#include "autodiff/vector_lanes.hpp"

namespace jacquard {

constexpr std::int64_t kSumPiece = 256;

// How a space is dealt out. Rows are counted through all axes but the last; a part has those whose
// index along one axis, the longest, lies in a range. A space of one row is cut into ranges of
// columns.
struct Parts {
  std::int64_t count = 1;
  std::int64_t columns = 1;                       // of a part
  int axis = -1;                                  // of the rows; -1: the space is one row
  std::int64_t size = 1;                          // along this axis, of a part
  std::int64_t outer = 1, extent = 1, inner = 1;  // rows before the axis, along it, and after it

  // Calls run(first row, rows, first column, columns) for the blocks of rows of part i.
  template <class Run>
  void each_block(std::int64_t i, std::int64_t all_columns, const Run& run) const {
    if (axis < 0)
      return run(std::int64_t{0}, std::int64_t{1}, i * columns,
                 std::min(columns, all_columns - i * columns));
    const std::int64_t first = i * size, rows = std::min(size, extent - first) * inner;
    for (std::int64_t o = 0; o < outer; ++o)
      run((o * extent + first) * inner, rows, std::int64_t{0}, all_columns);
  }
};
// `sizes` are those of the axes, none of them 1 or 0; empty for a single number.
Parts parts_of(const std::vector<std::int64_t>& sizes);

namespace sums {

constexpr std::int64_t kLanes = 32;

// The sum of neighbours, dealt out to lanes in turn, which are then added by halves. Fewer than
// `Lanes` numbers have the bits that more lanes would give: those are 0.
template <int Lanes, class A, class T>
[[gnu::always_inline]] inline A sum_of_lanes(const T* from, std::int64_t count) {
  A lane[Lanes] = {};
  for (std::int64_t i = 0; i < count; ++i) lane[i % Lanes] += static_cast<A>(from[i]);
  for (std::int64_t half = Lanes / 2; half > 0; half /= 2)
    for (std::int64_t l = 0; l < half; ++l) lane[l] += lane[l + half];
  return lane[0];
}

// The lanes of one piece, for types that vectors are made of: eight of four lanes, by name, because
// an array of numbers ends up in memory.
template <class T>
[[gnu::always_inline]] inline double sum_of_piece(const T* from, std::int64_t count) {
  using Four = Vector<double, 4>;
  Four lane[kLanes / 4] = {};
  const auto add_four = [](Four & to, const T* x) __attribute__((always_inline)) {
    to += Four{static_cast<double>(x[0]), static_cast<double>(x[1]), static_cast<double>(x[2]),
               static_cast<double>(x[3])};
  };
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
#pragma GCC unroll 8
    for (int k = 0; k < kLanes / 4; ++k) add_four(lane[k], from + i + 4 * k);
  }
#pragma GCC unroll 8
  for (int k = 0; k < kLanes / 4; ++k, i += 4) {
    if (i + 4 <= count) {
      add_four(lane[k], from + i);
    } else if (i < count) {
      T rest[4] = {};  // what is added to the other lanes is 0
      for (std::int64_t l = 0; i + l < count; ++l) rest[l] = from[i + l];
      add_four(lane[k], rest);
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < 4; ++k) lane[k] += lane[k + 4];
  lane[0] += lane[2];
  lane[1] += lane[3];
  lane[0] += lane[1];
  return (lane[0][0] + lane[0][2]) + (lane[0][1] + lane[0][3]);
}

// *to += the sum of `count` neighbours.
template <class A, class T>
[[gnu::always_inline]] inline void add_sum(A* to, const T* from, std::int64_t count) {
  A total = *to;
  for (std::int64_t first = 0; first < count; first += kSumPiece) {
    const T* const piece = from + first;
    const std::int64_t n = std::min(kSumPiece, count - first);
    if (n <= 8)
      total += sum_of_lanes<8, A>(piece, n);
    else if constexpr (std::is_same_v<A, double>)
      total += sum_of_piece(piece, n);
    else
      total += sum_of_lanes<kLanes, A>(piece, n);
  }
  *to = total;
}

}  // namespace sums

// The plain kernel of `sum`: x summed over the axes marked in `gone`.
template <class T>
void plain_sum(const Shape& shape, const std::array<bool, Shape::kMaxRank>& gone, const T* x,
               T* out);

}  // namespace jacquard
