#include "autodiff/product_tiling.hpp"

#include <algorithm>
#include <bit>
#include <limits>

#include "autodiff/tiny_products.hpp"

namespace jacquard {
namespace {

using Method = ProductMethod;

// Multiplications worth a tile: at least some microseconds, fifty times a fork and join. A product
// with a vector is bound by memory and ten times slower by this measure. Libraries pack their
// operands anew for every tile, so beyond kFewTiles only very large ones are cut further.
template <class T>
constexpr double kTileWork = sizeof(T) == 4 ? 1 << 21 : 1 << 22;
constexpr double kVectorTileWork = 1 << 17;
constexpr double kLargeTileWork = 1 << 29;
constexpr double kFewTiles = 8;
constexpr double kMaxTiles = kMostTiles;
constexpr double kCostOfCutRows = 1.25;  // in memory traffic, where tiles have parts of rows

// How one axis is cut: into parts of about `least` or more, with bounds at multiples of `grain`. A
// last piece shorter than `ragged` is left with its neighbour: libraries are slow on slivers and
// take another path for width 1.
struct Cut {
  std::int64_t grain;
  std::int64_t ragged;
  std::int64_t least;
};

constexpr Cut kRows{8, 8, 64};       // few rows do not pay for packing b again
constexpr Cut kColumns{48, 16, 96};  // 48: columns of oneDNN's inner method (AVX-512)
constexpr Cut kDepth{16, 16, 512};
constexpr Cut kVectorElements{16, 16, 128};

// Each strip reads a factor anew; so k is cut into slabs that stay in the cache meanwhile.
constexpr std::int64_t kLeastStripped = 64;  // smaller matrices are one strip: a square
constexpr std::int64_t kSlab = 1024;
constexpr Cut kStrips{32, 16, 32};

std::int64_t power_of_two_below(double limit) {
  return static_cast<std::int64_t>(
      std::bit_floor(static_cast<std::uint64_t>(std::clamp(limit, 1.0, kMaxTiles))));
}

std::int64_t most_parts(std::int64_t size, const Cut& cut, std::int64_t wanted) {
  return power_of_two_below(std::min(static_cast<double>(size) / static_cast<double>(cut.least),
                                     static_cast<double>(wanted)));
}

ProductRange part_of(std::int64_t size, std::int64_t part, std::int64_t parts, const Cut& cut) {
  if (parts == 1) return {0, size};
  const std::int64_t units = (size + cut.grain - cut.ragged) / cut.grain;
  const std::int64_t first = units * part / parts * cut.grain;
  const std::int64_t end = part + 1 == parts ? size : units * (part + 1) / parts * cut.grain;
  return {first, end - first};
}

Cut row_cut(Method method) { return method == Method::kVector ? kVectorElements : kRows; }
Cut column_cut(Method method) { return method == Method::kVector ? kVectorElements : kColumns; }

// How many tiles one matrix of the batch should give.
template <class T>
std::int64_t wanted_tiles(const ProductShape& shape, Method method) {
  const double batch = static_cast<double>(shape.batch);
  const double total = batch * work(shape);
  switch (method) {
    case Method::kTiny:
      return 1;
    case Method::kVector:
      return power_of_two_below(std::min(total / kVectorTileWork, kMaxTiles) / batch);
    case Method::kLibrary:
      break;
  }
  const double few = std::min(total / kTileWork<T>, kFewTiles);
  const double many = std::min(total / kLargeTileWork, kMaxTiles);
  return power_of_two_below(std::max(few, many) / batch);
}

// Numbers that the tiles of one matrix move: each row of tiles reads b, each column of tiles reads
// a, and partial sums are written and read.
double memory_traffic(const ProductShape& shape, const ProductTiling& tiling) {
  const double m = static_cast<double>(shape.m);
  const double n = static_cast<double>(shape.n);
  const double k = static_cast<double>(shape.k);
  return static_cast<double>(tiling.columns) * m * k + static_cast<double>(tiling.rows) * k * n +
         2 * static_cast<double>(tiling.depth) * m * n;
}

}  // namespace

double work(const ProductShape& shape) {
  return static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
}

Method choose_method(const ProductShape& shape) {
  if (shape.m == 1 || shape.n == 1) return Method::kVector;
  if (work(shape) <= kMaxTinyWork) return Method::kTiny;
  return Method::kLibrary;
}

// Of the cuts into most tiles the one that moves least. It depends on the shape alone, never on the
// number of threads. Parts are powers of two, so that they share out evenly.
template <class T>
ProductTiling choose_tiling(const ProductShape& shape, Method method) {
  ProductTiling best;
  const double batch = static_cast<double>(shape.batch);
  const std::int64_t wanted = wanted_tiles<T>(shape, method);
  if (wanted == 1) {
    best.group = static_cast<std::int64_t>(std::clamp(kGroupWork / work(shape), 1.0, batch));
    return best;
  }
  double best_traffic = std::numeric_limits<double>::max();
  const auto consider = [&](const ProductTiling& tiling) {
    const std::int64_t more =
        tiling.rows * tiling.columns * tiling.depth - best.rows * best.columns * best.depth;
    // Whole rows lie together in memory for whatever comes after.
    const double traffic =
        memory_traffic(shape, tiling) * (tiling.columns > 1 ? kCostOfCutRows : 1);
    if (more < 0 || (more == 0 && traffic >= best_traffic)) return;
    best = tiling;
    best_traffic = traffic;
  };
  const double sums = batch * static_cast<double>(shape.m) * static_cast<double>(shape.n);
  const double room = 1 + static_cast<double>(kMaxPartialSums) / sums;
  const std::int64_t most_depth =
      most_parts(shape.k, kDepth, std::min(wanted, power_of_two_below(room)));
  for (std::int64_t depth = 1; depth <= most_depth; depth *= 2) {
    const std::int64_t most_rows = most_parts(shape.m, row_cut(method), wanted / depth);
    for (std::int64_t rows = 1; rows <= most_rows; rows *= 2) {
      const std::int64_t columns = most_parts(shape.n, column_cut(method), wanted / depth / rows);
      consider({.rows = rows, .columns = columns, .depth = depth});
    }
  }
  return best;
}

template <class T>
StripTiling choose_strips(const ProductShape& shape) {
  StripTiling tiling;
  const double batch = static_cast<double>(shape.batch);
  const double total = batch * work(shape);
  if (shape.m >= kLeastStripped) {
    tiling.strips = (shape.m + kStrips.grain - kStrips.ragged) / kStrips.grain;
  }
  const bool shared_out = batch >= kFewTiles && work(shape) < kLargeTileWork;  // by the batch
  if (shared_out || total < kTileWork<T>) {
    const double matrices = std::clamp(kGroupWork / work(shape), 1.0, batch);
    tiling.group = tiling.strips * static_cast<std::int64_t>(matrices);
    tiling.slabs = std::max<std::int64_t>(1, shape.k / kSlab);
    return tiling;
  }
  const double sums = batch * static_cast<double>(shape.m) * static_cast<double>(shape.n);
  const double room = 1 + static_cast<double>(kMaxPartialSums) / sums;
  const double tiles = std::min(total / kTileWork<T>, kFewTiles);
  const double wanted = tiles / (batch * static_cast<double>(tiling.strips));
  tiling.depth = most_parts(shape.k, kDepth, power_of_two_below(std::min(wanted, room)));
  tiling.slabs = std::max<std::int64_t>(1, shape.k / tiling.depth / kSlab);
  return tiling;
}

ProductRange rows_of(const ProductShape& shape, Method method, std::int64_t part,
                     std::int64_t parts) {
  return part_of(shape.m, part, parts, row_cut(method));
}

ProductRange columns_of(const ProductShape& shape, Method method, std::int64_t part,
                        std::int64_t parts) {
  return part_of(shape.n, part, parts, column_cut(method));
}

ProductRange depth_of(const ProductShape& shape, std::int64_t part, std::int64_t parts) {
  return part_of(shape.k, part, parts, kDepth);
}

ProductRange strip_of(const ProductShape& shape, std::int64_t strip, std::int64_t strips) {
  return part_of(shape.m, strip, strips, kStrips);
}

template ProductTiling choose_tiling<float>(const ProductShape&, Method);
template ProductTiling choose_tiling<double>(const ProductShape&, Method);
template StripTiling choose_strips<float>(const ProductShape&);
template StripTiling choose_strips<double>(const ProductShape&);

}  // namespace jacquard
