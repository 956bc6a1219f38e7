// Small blocks of a matrix transposed in registers.
#pragma once

#include <cstdint>

#include "autodiff/vector_lanes.hpp"

namespace jacquard {

// to [4, 4] = from', their rows `from_leading` and `to_leading` apart.
[[gnu::always_inline]] inline void transpose_block(const float* from, std::int64_t from_leading,
                                                   float* to, std::int64_t to_leading) {
  Vector<float, 4> a, b, c, d;
  load(a, from);
  load(b, from + from_leading);
  load(c, from + 2 * from_leading);
  load(d, from + 3 * from_leading);
  const auto ac_low = __builtin_shufflevector(a, c, 0, 4, 1, 5);
  const auto bd_low = __builtin_shufflevector(b, d, 0, 4, 1, 5);
  const auto ac_high = __builtin_shufflevector(a, c, 2, 6, 3, 7);
  const auto bd_high = __builtin_shufflevector(b, d, 2, 6, 3, 7);
  store(__builtin_shufflevector(ac_low, bd_low, 0, 4, 1, 5), to);
  store(__builtin_shufflevector(ac_low, bd_low, 2, 6, 3, 7), to + to_leading);
  store(__builtin_shufflevector(ac_high, bd_high, 0, 4, 1, 5), to + 2 * to_leading);
  store(__builtin_shufflevector(ac_high, bd_high, 2, 6, 3, 7), to + 3 * to_leading);
}

// to [2, 2] = from'.
[[gnu::always_inline]] inline void transpose_block(const double* from, std::int64_t from_leading,
                                                   double* to, std::int64_t to_leading) {
  Vector<double, 2> a, b;
  load(a, from);
  load(b, from + from_leading);
  store(__builtin_shufflevector(a, b, 0, 2), to);
  store(__builtin_shufflevector(a, b, 1, 3), to + to_leading);
}

// to [4, 8] = from'. Its rows are written whole, so that vectors of eight can be read again at
// once.
[[gnu::always_inline]] inline void transpose_eight_rows(const float* from,
                                                        std::int64_t from_leading, float* to,
                                                        std::int64_t to_leading) {
  Vector<float, 8> rows[4];  // r and r + 4
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    Vector<float, 4> low, high;
    load(low, from + r * from_leading);
    load(high, from + (r + 4) * from_leading);
    rows[r] = __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7);
  }
  const auto a = __builtin_shufflevector(rows[0], rows[1], 0, 8, 1, 9, 4, 12, 5, 13);
  const auto b = __builtin_shufflevector(rows[0], rows[1], 2, 10, 3, 11, 6, 14, 7, 15);
  const auto c = __builtin_shufflevector(rows[2], rows[3], 0, 8, 1, 9, 4, 12, 5, 13);
  const auto d = __builtin_shufflevector(rows[2], rows[3], 2, 10, 3, 11, 6, 14, 7, 15);
  store(__builtin_shufflevector(a, c, 0, 1, 8, 9, 4, 5, 12, 13), to);
  store(__builtin_shufflevector(a, c, 2, 3, 10, 11, 6, 7, 14, 15), to + to_leading);
  store(__builtin_shufflevector(b, d, 0, 1, 8, 9, 4, 5, 12, 13), to + 2 * to_leading);
  store(__builtin_shufflevector(b, d, 2, 3, 10, 11, 6, 7, 14, 15), to + 3 * to_leading);
}

}  // namespace jacquard
