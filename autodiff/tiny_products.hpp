// Kernels of our own for products so small that a library's bookkeeping (0.1 to 0.4 microseconds a
// call) outweighs its better kernels.
//
// Reached through autodiff/products.hpp. Multiplications and additions are separate, every sum runs
// in ascending order (in parts that depend on k alone), so the bits are the same on every x86-64
// processor, whatever vectors it has.
#pragma once

#include <array>
#include <cstdint>

namespace jacquard {

// The most multiplications of a tiny product. Against oneDNN on AVX2, one of 16^3 takes 0.3 of the
// time, one of 24^3 0.55, one of 32^3 0.75.
constexpr std::int64_t kMaxTinyWork = 1 << 15;

// How the numbers of a tile lie. Its columns are one vector or two, which may overlap.
struct TileLayout {
  std::int64_t k = 0;
  std::int64_t a_row = 0, a_column = 0;  // element (i, l) of the factor: i a_row + l a_column
  std::int64_t b_row = 0, b_second = 0;  // from one row to the next, from one vector to the other
  std::int64_t c_row = 0, c_second = 0;
};

// c [m, n] = alpha op(a) op(b) + beta c, made ready for the processor's vectors.
template <class T>
class TinyProduct {
 public:
  TinyProduct() = default;
  // n at least 2, m and k at least 1. layout.b_row is the distance of b's stored rows, or of those
  // of its transpose; the second vectors are left to the product.
  TinyProduct(std::int64_t m, std::int64_t n, const TileLayout& layout, bool b_transposed);

  // Never reads c where beta is 0.
  void run(const T* a, const T* b, T* c, T alpha, T beta) const {
    if (single_tile_ != nullptr) {
      single_tile_(layout_, a, b, c, alpha, beta);
    } else if (single_packed_ != nullptr) {
      run_packed(a, b, c, alpha, beta);
    } else {
      run_tiles(a, b, c, alpha, beta);
    }
  }

 private:
  using Tile = void (*)(const TileLayout&, const T* a, const T* b, T* c, T alpha, T beta);
  using Pack = void (*)(std::int64_t k, const T* b, std::int64_t leading, T* to,
                        std::int64_t to_row);

  template <class Kernels, int Width>
  void choose();
  void run_packed(const T* a, const T* b, T* c, T alpha, T beta) const;
  void run_tiles(const T* a, const T* b, T* c, T alpha, T beta) const;

  Tile single_tile_ = nullptr;    // where one tile is all and there is nothing to copy
  Tile single_packed_ = nullptr;  // where one tile is all and b is copied
  std::int64_t m_ = 0, n_ = 0;
  TileLayout layout_;
  bool b_transposed_ = false;
  std::int64_t b_leading_ = 0;                   // of the stored b, if one tile is all
  std::int64_t width_ = 0;                       // of a vector
  std::int64_t tile_rows_ = 0, tall_tiles_ = 0;  // later tiles have a row less
  std::array<std::array<Tile, 2>, 2> tiles_{};   // of one or two vectors, tall or with a row less
  Pack pack_ = nullptr;                          // copies columns of a transposed b
};

}  // namespace jacquard
