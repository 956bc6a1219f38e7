// Which kernels compute a product, and how it is cut into tasks. Everything here depends on shapes
// alone, never on the number of threads, so that the bits do not either.
#pragma once

#include <cstdint>

namespace jacquard {

struct ProductShape {
  std::int64_t batch = 1;
  std::int64_t m = 0;  // rows of op(a) and c
  std::int64_t n = 0;  // columns of op(b) and c
  std::int64_t k = 0;  // columns of op(a), rows of op(b)
  // The caller knows that each op(a) op(b) equals its own transpose: X X', X' X, (S B) S' where B
  // is symmetric. Then m = n and the result is mirrored instead of computed twice.
  bool symmetric = false;
};

enum class ProductMethod { kTiny, kVector, kLibrary };

ProductMethod choose_method(const ProductShape& shape);

struct ProductTiling {
  std::int64_t rows = 1;     // parts of m
  std::int64_t columns = 1;  // parts of n
  std::int64_t depth = 1;    // parts of k, whose sums are added afterwards
  std::int64_t group = 1;    // matrices of the batch in one task; 1 if a matrix is cut
};

template <class T>
ProductTiling choose_tiling(const ProductShape& shape, ProductMethod method);

// What lies on and below the diagonal of a symmetric product is cut into strips so thin that little
// is computed above it.
struct StripTiling {
  std::int64_t strips = 1;  // of one matrix
  std::int64_t depth = 1;   // parts of k, whose sums are added afterwards
  std::int64_t slabs = 1;   // of each of these parts, one after the other
  std::int64_t group = 1;   // strips in one task
};

template <class T>
StripTiling choose_strips(const ProductShape& shape);

struct ProductRange {
  std::int64_t first;
  std::int64_t size;
};

// A part of each axis.
ProductRange rows_of(const ProductShape& shape, ProductMethod method, std::int64_t part,
                     std::int64_t parts);
ProductRange columns_of(const ProductShape& shape, ProductMethod method, std::int64_t part,
                        std::int64_t parts);
ProductRange depth_of(const ProductShape& shape, std::int64_t part, std::int64_t parts);
ProductRange strip_of(const ProductShape& shape, std::int64_t strip, std::int64_t strips);

// Multiplications of one matrix of the batch; a double, since int64 may overflow.
double work(const ProductShape& shape);

constexpr double kGroupWork = 1 << 15;  // small matrices of a batch share tasks of this size
constexpr std::size_t kMostTiles = 64;  // of one matrix
constexpr std::int64_t kMaxPartialSums = std::int64_t{1} << 20;

}  // namespace jacquard
