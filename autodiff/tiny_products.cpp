// The result is cut into panels of one or two vectors of columns, and these into tiles of some rows
// that stay in registers while k is summed. The two vectors of a panel may overlap: so any number
// of columns is covered without single numbers, and nothing beyond the operands is touched.
#include "autodiff/tiny_products.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "autodiff/simd.hpp"
#include "autodiff/transpose_block.hpp"
#include "autodiff/vector_lanes.hpp"

namespace jacquard {
namespace {

constexpr std::int64_t kMostDepth = 256;  // of one sum; parts of longer ones are added to c

// Both vectors of a row of c are read before either is written, for they may overlap. The loops
// over rows and vectors are unrolled, or else the sums would live in memory.
template <class T, int Width, int Vectors, int Rows>
[[gnu::always_inline]] inline void tile(const TileLayout& layout, const T* a, const T* b, T* c,
                                        T alpha, T beta) {
  using V = Vector<T, Width>;
  const auto [k, a_row, a_column, b_row, b_second, c_row, c_second] = layout;
  V sums[Rows][Vectors];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) sums[r][v] = V{};
  }
  for (std::int64_t l = k; l > 0; --l, a += a_column, b += b_row) {
    V row[Vectors];
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) load(row[v], b + v * b_second);
#pragma GCC unroll 8
    for (int r = 0; r < Rows; ++r) {
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sums[r][v] += a[r * a_row] * row[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) {
    T* out = c + r * c_row;
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) sums[r][v] = alpha * sums[r][v];
    if (beta != 0) {
      V old[Vectors];
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) load(old[v], out + v * c_second);
#pragma GCC unroll 2
      for (int v = 0; v < Vectors; ++v) sums[r][v] += beta * old[v];
    }
#pragma GCC unroll 2
    for (int v = 0; v < Vectors; ++v) store(sums[r][v], out + v * c_second);
  }
}

// Width columns of b', which are rows of b: to[l] = (b[0][l], b[1][l], ...).
template <class T, int Width>
[[gnu::always_inline]] inline void pack_columns(std::int64_t k, const T* b, std::int64_t leading,
                                                T* to, std::int64_t to_row) {
  std::int64_t l = 0;
  if constexpr (sizeof(T) == 4 && Width >= 4) {
    for (; l + 4 <= k; l += 4) {
      if constexpr (Width == 4) {
        transpose_block(b + l, leading, to + l * to_row, to_row);
      } else {
        for (int s = 0; s < Width; s += 8) {
          transpose_eight_rows(b + s * leading + l, leading, to + l * to_row + s, to_row);
        }
      }
    }
  }
  for (; l < k; ++l) {
    for (int s = 0; s < Width; ++s) to[l * to_row + s] = b[s * leading + l];
  }
}

// ---- one compiled form for each processor

template <class T>
struct Avx512 {
  static constexpr int kBytes = 64, kMostRows = 8;
  template <int Width, int Vectors, int Rows>
  JACQUARD_TARGET_AVX512 static void run(const TileLayout& layout, const T* a, const T* b, T* c,
                                         T alpha, T beta) {
    tile<T, Width, Vectors, Rows>(layout, a, b, c, alpha, beta);
  }
  template <int Width>
  JACQUARD_TARGET_AVX512 static void pack(std::int64_t k, const T* b, std::int64_t leading, T* to,
                                          std::int64_t to_row) {
    pack_columns<T, Width>(k, b, leading, to, to_row);
  }
};

template <class T>
struct Avx2 {
  static constexpr int kBytes = 32, kMostRows = 6;
  template <int Width, int Vectors, int Rows>
  JACQUARD_TARGET_AVX2 static void run(const TileLayout& layout, const T* a, const T* b, T* c,
                                       T alpha, T beta) {
    tile<T, Width, Vectors, Rows>(layout, a, b, c, alpha, beta);
  }
  template <int Width>
  JACQUARD_TARGET_AVX2 static void pack(std::int64_t k, const T* b, std::int64_t leading, T* to,
                                        std::int64_t to_row) {
    pack_columns<T, Width>(k, b, leading, to, to_row);
  }
};

template <class T>
struct Baseline {
  static constexpr int kBytes = 16, kMostRows = 4;
  template <int Width, int Vectors, int Rows>
  static void run(const TileLayout& layout, const T* a, const T* b, T* c, T alpha, T beta) {
    tile<T, Width, Vectors, Rows>(layout, a, b, c, alpha, beta);
  }
  template <int Width>
  static void pack(std::int64_t k, const T* b, std::int64_t leading, T* to, std::int64_t to_row) {
    pack_columns<T, Width>(k, b, leading, to, to_row);
  }
};

template <class Kernels, class T, int Width, int Vectors, int... Row>
auto tile_of(std::int64_t rows, std::integer_sequence<int, Row...>) {
  using Tile = void (*)(const TileLayout&, const T*, const T*, T*, T, T);
  static constexpr std::array<Tile, sizeof...(Row)> kOfRows{
      Kernels::template run<Width, Vectors, Row + 1>...};
  return kOfRows[static_cast<std::size_t>(rows - 1)];
}

}  // namespace

template <class T>
template <class Kernels, int Width>
void TinyProduct<T>::choose() {
  // The widest vectors that the columns fill.
  if constexpr (Width > 2) {
    if (n_ < Width) return choose<Kernels, Width / 2>();
  }
  const auto rows = std::make_integer_sequence<int, Kernels::kMostRows>{};
  const std::int64_t tiles = (m_ + Kernels::kMostRows - 1) / Kernels::kMostRows;
  width_ = Width;
  tile_rows_ = (m_ + tiles - 1) / tiles;
  tall_tiles_ = m_ - (tile_rows_ - 1) * tiles;
  for (const std::size_t shorter : {0u, 1u}) {
    const std::int64_t count =
        std::max<std::int64_t>(1, tile_rows_ - static_cast<std::int64_t>(shorter));
    tiles_[0][shorter] = tile_of<Kernels, T, Width, 1>(count, rows);
    tiles_[1][shorter] = tile_of<Kernels, T, Width, 2>(count, rows);
  }
  if (b_transposed_) pack_ = Kernels::template pack<Width>;
}

template <class T>
TinyProduct<T>::TinyProduct(std::int64_t m, std::int64_t n, const TileLayout& layout,
                            bool b_transposed)
    : m_(m), n_(n), layout_(layout), b_transposed_(b_transposed) {
  switch (simd()) {
    case Simd::kAvx512:
      choose<Avx512<T>, 64 / sizeof(T)>();
      break;
    case Simd::kAvx2:
      choose<Avx2<T>, 32 / sizeof(T)>();
      break;
    case Simd::kBaseline:
      choose<Baseline<T>, 16 / sizeof(T)>();
      break;
  }
  const std::int64_t second = n_ - width_;
  if (m_ != tile_rows_ || second > width_ || layout_.k > kMostDepth) return;
  layout_.c_second = second;
  if (b_transposed_) {
    b_leading_ = layout_.b_row;
    layout_.b_row = second > 0 ? 2 * width_ : width_;
    layout_.b_second = width_;
    single_packed_ = tiles_[second > 0][0];
  } else {
    layout_.b_second = second;
    single_tile_ = tiles_[second > 0][0];
  }
}

template <class T>
void TinyProduct<T>::run_packed(const T* a, const T* b, T* c, T alpha, T beta) const {
  alignas(64) std::array<T, kMostDepth * 128 / sizeof(T)> packed;
  pack_(layout_.k, b, b_leading_, packed.data(), layout_.b_row);
  if (layout_.c_second > 0)
    pack_(layout_.k, b + layout_.c_second * b_leading_, b_leading_, packed.data() + width_,
          layout_.b_row);
  single_packed_(layout_, a, packed.data(), c, alpha, beta);
}

template <class T>
void TinyProduct<T>::run_tiles(const T* a, const T* b, T* c, T alpha, T beta) const {
  alignas(64) std::array<T, kMostDepth * 128 / sizeof(T)> packed;  // of two vectors of 64 bytes
  TileLayout layout = layout_;
  for (std::int64_t l = 0; l < layout_.k; l += kMostDepth) {
    layout.k = std::min(kMostDepth, layout_.k - l);
    for (std::int64_t j = 0; j < n_;) {
      // What is left after a panel is nothing, or a whole vector at least.
      const std::int64_t left = n_ - j;
      const bool two = left != width_ && (left <= 2 * width_ || left >= 3 * width_);
      const std::int64_t second = two ? std::min(left - width_, width_) : 0;
      layout.c_second = layout.b_second = second;
      const T* panel = b + l * layout_.b_row + j;
      if (b_transposed_) {
        const T* const from = b + j * layout_.b_row + l;
        panel = packed.data();
        layout.b_row = two ? 2 * width_ : width_;
        layout.b_second = width_;
        pack_(layout.k, from, layout_.b_row, packed.data(), layout.b_row);
        if (two) {
          pack_(layout.k, from + second * layout_.b_row, layout_.b_row, packed.data() + width_,
                layout.b_row);
        }
      }
      std::int64_t rows = tile_rows_, tile = 0;
      for (std::int64_t i = 0; i < m_; i += rows, ++tile) {
        if (tile == tall_tiles_) --rows;
        tiles_[two][tile >= tall_tiles_](layout, a + i * layout.a_row + l * layout.a_column, panel,
                                         c + i * layout.c_row + j, alpha, beta);
      }
      j += width_ + second;
    }
    beta = 1;
  }
}

template class TinyProduct<float>;
template class TinyProduct<double>;

}  // namespace jacquard
