#include "autodiff/products.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gemm_library.hpp"
#include "autodiff/small_products.hpp"

namespace jacquard {
namespace {

enum class Method { kTiny, kVector, kLibrary };

// Multiplications worth a tile: at least some microseconds, fifty times a fork and join. A product
// with a vector is bound by memory and ten times slower by this measure. Libraries pack their
// operands anew for every tile, so beyond kFewTiles only very large ones are cut further.
template <class T>
constexpr double kTileWork = sizeof(T) == 4 ? 1 << 21 : 1 << 22;
constexpr double kVectorTileWork = 1 << 17;
constexpr double kLargeTileWork = 1 << 29;
constexpr double kFewTiles = 8;
constexpr double kMaxTiles = 64;
constexpr double kGroupWork = 1 << 15;  // small matrices of a batch share tasks of this size

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

struct Tiling {
  std::int64_t rows = 1;     // parts of m
  std::int64_t columns = 1;  // parts of n
  std::int64_t depth = 1;    // parts of k, whose sums are added afterwards
  std::int64_t group = 1;    // matrices of the batch in one task; 1 if a matrix is cut
};

struct Range {
  std::int64_t first;
  std::int64_t size;
};

double work(const ProductShape& shape) {  // of one matrix; a double, since int64 may overflow
  return static_cast<double>(shape.m) * static_cast<double>(shape.n) * static_cast<double>(shape.k);
}

Method choose_method(const ProductShape& shape) {
  if (shape.m == 1 || shape.n == 1) return Method::kVector;
  if (work(shape) <= kMaxTinyWork) return Method::kTiny;
  return Method::kLibrary;
}

std::int64_t power_of_two_below(double limit) {
  return static_cast<std::int64_t>(
      std::bit_floor(static_cast<std::uint64_t>(std::clamp(limit, 1.0, kMaxTiles))));
}

std::int64_t most_parts(std::int64_t size, const Cut& cut, std::int64_t wanted) {
  return power_of_two_below(std::min(static_cast<double>(size) / static_cast<double>(cut.least),
                                     static_cast<double>(wanted)));
}

Range part_of(std::int64_t size, std::int64_t part, std::int64_t parts, const Cut& cut) {
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
double memory_traffic(const ProductShape& shape, const Tiling& tiling) {
  const double m = static_cast<double>(shape.m);
  const double n = static_cast<double>(shape.n);
  const double k = static_cast<double>(shape.k);
  return static_cast<double>(tiling.columns) * m * k + static_cast<double>(tiling.rows) * k * n +
         2 * static_cast<double>(tiling.depth) * m * n;
}

// Of the cuts into most tiles the one that moves least. It depends on the shape alone, never on the
// number of threads. Parts are powers of two, so that they share out evenly.
template <class T>
Tiling choose_tiling(const ProductShape& shape, Method method) {
  Tiling best;
  const double batch = static_cast<double>(shape.batch);
  const std::int64_t wanted = wanted_tiles<T>(shape, method);
  if (wanted == 1) {
    best.group = static_cast<std::int64_t>(std::clamp(kGroupWork / work(shape), 1.0, batch));
    return best;
  }
  double best_traffic = std::numeric_limits<double>::max();
  const auto consider = [&](const Tiling& tiling) {
    const std::int64_t more =
        tiling.rows * tiling.columns * tiling.depth - best.rows * best.columns * best.depth;
    const double traffic = memory_traffic(shape, tiling);
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
StridedMatrix<T> strided(const T* data, std::int64_t leading, bool transposed) {
  return transposed ? StridedMatrix<T>{data, 1, leading} : StridedMatrix<T>{data, leading, 1};
}

// A product on one thread: part of one matrix of the batch.
template <class T>
void multiply(Method method, std::int64_t m, std::int64_t n, std::int64_t k, T alpha,
              const ProductFactor<T>& a, const ProductFactor<T>& b, T beta, T* c,
              std::int64_t c_leading) {
  if (method == Method::kLibrary) {
    library_gemm(a.transposed, b.transposed, m, n, k, alpha, a.data, a.leading, b.data, b.leading,
                 beta, c, c_leading);
    return;
  }
  const StridedMatrix<T> left = strided(a.data, a.leading, a.transposed);
  const StridedMatrix<T> right = strided(b.data, b.leading, b.transposed);
  if (method == Method::kTiny) {
    tiny_product(m, n, k, alpha, left, right, beta, c, c_leading);
  } else if (n == 1) {
    matrix_vector(m, k, alpha, left, b.data, right.row, beta, c, c_leading);
  } else {  // m == 1: c' = op(b)' a'
    const StridedMatrix<T> right_transposed{b.data, right.column, right.row};
    matrix_vector(n, k, alpha, right_transposed, a.data, left.column, beta, c, 1);
  }
}

template <class T>
ProductFactor<T> part(ProductFactor<T> from, std::int64_t item, std::int64_t row,
                      std::int64_t column) {
  from.data += item * from.batch_stride +
               (from.transposed ? column * from.leading + row : row * from.leading + column);
  return from;
}

// Room for partial sums that the calling thread keeps, so that training allocates once.
template <class T>
T* partial_sums(std::size_t count) {
  thread_local std::vector<T> sums;
  if (sums.size() < count) sums.resize(count);
  return sums.data();
}

template <class T>
void scale(const ProductShape& shape, const ProductResult<T>& c, T beta) {
  if (beta == 1) return;
  for (std::int64_t item = 0; item < shape.batch; ++item) {
    for (std::int64_t i = 0; i < shape.m; ++i) {
      T* row = c.data + item * c.batch_stride + i * c.leading;
      for (std::int64_t j = 0; j < shape.n; ++j) row[j] = beta == 0 ? T(0) : beta * row[j];
    }
  }
}

// Adds the sums of the later parts of k to c, part by part.
template <class T>
void add_partial_sums(ThreadPool& pool, const ProductShape& shape, std::int64_t parts,
                      const T* sums, const ProductResult<T>& c) {
  constexpr std::int64_t kAdditionsOfTask = 1 << 13;
  const std::int64_t rows = shape.batch * shape.m;
  const std::int64_t rows_of_task = std::max<std::int64_t>(1, kAdditionsOfTask / shape.n / parts);
  pool.run((rows + rows_of_task - 1) / rows_of_task, [&](std::int64_t task) {
    const std::int64_t first = task * rows_of_task;
    for (std::int64_t row = first; row < std::min(rows, first + rows_of_task); ++row) {
      T* out = c.data + row / shape.m * c.batch_stride + row % shape.m * c.leading;
      for (std::int64_t p = 0; p < parts; ++p) {
        const T* from = sums + (p * rows + row) * shape.n;
        for (std::int64_t j = 0; j < shape.n; ++j) out[j] += from[j];
      }
    }
  });
}

template <class T>
void run_tiles(ThreadPool& pool, const ProductShape& shape, Method method, const Tiling& tiling,
               T alpha, const ProductFactor<T>& a, const ProductFactor<T>& b, T beta,
               const ProductResult<T>& c) {
  const std::int64_t matrix = shape.m * shape.n;
  const std::int64_t later_parts = tiling.depth - 1;
  T* const sums =
      later_parts == 0
          ? nullptr
          : partial_sums<T>(static_cast<std::size_t>(later_parts * shape.batch * matrix));
  const std::int64_t tiles = tiling.rows * tiling.columns * tiling.depth;
  pool.run(shape.batch * tiles, [&](std::int64_t task) {
    const std::int64_t item = task / tiles;
    const std::int64_t depth_part = task % tiling.depth;
    const std::int64_t tile = task % tiles / tiling.depth;
    const Range rows = part_of(shape.m, tile / tiling.columns, tiling.rows, row_cut(method));
    const Range columns =
        part_of(shape.n, tile % tiling.columns, tiling.columns, column_cut(method));
    const Range depth = part_of(shape.k, depth_part, tiling.depth, kDepth);
    const ProductFactor<T> left = part(a, item, rows.first, depth.first);
    const ProductFactor<T> right = part(b, item, depth.first, columns.first);
    if (depth_part == 0) {
      T* out = c.data + item * c.batch_stride + rows.first * c.leading + columns.first;
      multiply(method, rows.size, columns.size, depth.size, alpha, left, right, beta, out,
               c.leading);
    } else {
      T* out = sums + ((depth_part - 1) * shape.batch + item) * matrix + rows.first * shape.n +
               columns.first;
      multiply(method, rows.size, columns.size, depth.size, alpha, left, right, T(0), out, shape.n);
    }
  });
  if (later_parts != 0) add_partial_sums(pool, shape, later_parts, sums, c);
}

template <class T>
void multiply_batch(Method method, const ProductShape& shape, const Range& items, T alpha,
                    const ProductFactor<T>& a, const ProductFactor<T>& b, T beta,
                    const ProductResult<T>& c) {
  for (std::int64_t item = items.first; item < items.first + items.size; ++item) {
    multiply(method, shape.m, shape.n, shape.k, alpha, part(a, item, 0, 0), part(b, item, 0, 0),
             beta, c.data + item * c.batch_stride, c.leading);
  }
}

template <class T>
void run_whole(ThreadPool& pool, ProductShape shape, T alpha, const ProductFactor<T>& a,
               const ProductFactor<T>& b, T beta, const ProductResult<T>& c) {
  // Examples that share b and follow each other in memory are the rows of one larger product.
  if (shape.batch > 1 && b.batch_stride == 0 && !a.transposed &&
      a.batch_stride == shape.m * a.leading && c.batch_stride == shape.m * c.leading &&
      shape.batch <= std::numeric_limits<std::int32_t>::max() / shape.m) {
    shape.m *= shape.batch;
    shape.batch = 1;
  }
  const Method method = choose_method(shape);
  if (static_cast<double>(shape.batch) * work(shape) <= kMaxTinyWork) {  // no time for threads
    multiply_batch(method, shape, {0, shape.batch}, alpha, a, b, beta, c);
    return;
  }
  const Tiling tiling = choose_tiling<T>(shape, method);
  if (tiling.rows * tiling.columns * tiling.depth == 1) {
    const std::int64_t group = tiling.group;
    pool.run((shape.batch + group - 1) / group, [&](std::int64_t task) {
      const std::int64_t first = task * group;
      const Range items{first, std::min(group, shape.batch - first)};
      multiply_batch(method, shape, items, alpha, a, b, beta, c);
    });
  } else {
    run_tiles(pool, shape, method, tiling, alpha, a, b, beta, c);
  }
}

// ---- symmetric products

// What lies on and below the diagonal is cut into strips so thin that little is computed above it.
// Each of them reads a factor anew; so k is cut into slabs that stay in the cache meanwhile.
constexpr std::int64_t kLeastStripped = 64;  // smaller matrices are one strip: a square
constexpr std::int64_t kSlab = 1024;
constexpr Cut kStrips{32, 16, 32};

struct StripTiling {
  std::int64_t strips = 1;  // of one matrix
  std::int64_t depth = 1;   // parts of k, whose sums are added afterwards
  std::int64_t slabs = 1;   // of each of these parts, one after the other
  std::int64_t group = 1;   // strips in one task
};

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

struct Tile {
  Range rows, columns;
};

// A square on the diagonal together with what is below it, or to the left of it.
struct Strip {
  Tile all;
  Range square;
  Tile beside;
};

// The largest strips come first, so that threads end together.
template <class T>
Strip strip_of(std::int64_t size, std::int64_t strip, std::int64_t strips) {
  const Range square = part_of(size, kTallParts<T> ? strip : strips - 1 - strip, strips, kStrips);
  const std::int64_t end = square.first + square.size;
  if (kTallParts<T>) {
    return {{{square.first, size - square.first}, square}, square, {{end, size - end}, square}};
  }
  return {{square, {0, end}}, square, {square, {0, square.first}}};
}

template <class T>
void mirror_strip(const Strip& strip, T* c, std::int64_t leading) {
  mirror(strip.square.size, c + strip.square.first * (leading + 1), leading);
  const Range& rows = strip.beside.rows;
  const Range& columns = strip.beside.columns;
  transpose(rows.size, columns.size, c + rows.first * leading + columns.first,
            c + columns.first * leading + rows.first, leading);
}

template <class T>
void mirror_batch(ThreadPool& pool, const ProductShape& shape, const ProductResult<T>& c) {
  const auto group = static_cast<std::int64_t>(1 + kGroupWork / static_cast<double>(shape.m) /
                                                       static_cast<double>(shape.m));
  pool.run((shape.batch + group - 1) / group, [&](std::int64_t task) {
    const std::int64_t first = task * group;
    for (std::int64_t item = first; item < std::min(shape.batch, first + group); ++item) {
      mirror(shape.m, c.data + item * c.batch_stride, c.leading);
    }
  });
}

// Adds the sums of the later parts of k to a tile of c, part by part.
template <class T>
void add_to_tile(const Tile& tile, const ProductShape& shape, std::int64_t parts, const T* sums,
                 T* c, std::int64_t leading) {
  for (std::int64_t i = tile.rows.first; i < tile.rows.first + tile.rows.size; ++i) {
    for (std::int64_t p = 0; p < parts; ++p) {
      const T* from = sums + (p * shape.batch * shape.m + i) * shape.n;
      for (std::int64_t j = tile.columns.first; j < tile.columns.first + tile.columns.size; ++j) {
        c[i * leading + j] += from[j];
      }
    }
  }
}

template <class T>
void run_strips(ThreadPool& pool, const ProductShape& shape, T alpha, const ProductFactor<T>& a,
                const ProductFactor<T>& b, T beta, const ProductResult<T>& c) {
  const StripTiling tiling = choose_strips<T>(shape);
  const std::int64_t matrix = shape.m * shape.n;
  const std::int64_t later_parts = tiling.depth - 1;
  T* const sums = partial_sums<T>(static_cast<std::size_t>(later_parts * shape.batch * matrix));
  const auto each_strip = [&](std::int64_t parts, const auto& call) {
    const std::int64_t strips = parts * shape.batch * tiling.strips;
    pool.run((strips + tiling.group - 1) / tiling.group, [&](std::int64_t task) {
      const std::int64_t first = task * tiling.group;
      for (std::int64_t s = first; s < std::min(strips, first + tiling.group); ++s) {
        const std::int64_t item = s / tiling.strips % shape.batch;
        const std::int64_t part = s / tiling.strips / shape.batch;
        call(part, item, strip_of<T>(shape.m, s % tiling.strips, tiling.strips));
      }
    });
  };
  for (std::int64_t slab = 0; slab < tiling.slabs; ++slab) {
    each_strip(tiling.depth, [&](std::int64_t depth_part, std::int64_t item, const Strip& strip) {
      const Range depth =
          part_of(shape.k, depth_part * tiling.slabs + slab, tiling.depth * tiling.slabs, kDepth);
      const auto& [rows, columns] = strip.all;
      const bool first_part = depth_part == 0;
      T* const to = first_part ? c.data + item * c.batch_stride
                               : sums + ((depth_part - 1) * shape.batch + item) * matrix;
      const std::int64_t leading = first_part ? c.leading : shape.n;
      multiply(Method::kLibrary, rows.size, columns.size, depth.size, alpha,
               part(a, item, rows.first, depth.first), part(b, item, depth.first, columns.first),
               slab != 0    ? T(1)
               : first_part ? beta
                            : T(0),
               to + rows.first * leading + columns.first, leading);
      if (later_parts == 0 && slab + 1 == tiling.slabs) mirror_strip(strip, to, leading);
    });
  }
  if (later_parts == 0) return;
  each_strip(1, [&](std::int64_t, std::int64_t item, const Strip& strip) {
    T* const to = c.data + item * c.batch_stride;
    add_to_tile(strip.all, shape, later_parts, sums + item * matrix, to, c.leading);
    mirror_strip(strip, to, c.leading);
  });
}

void check_leading(const char* name, std::int64_t leading, std::int64_t width) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  if (leading < width || leading > kMost) {
    throw InternalError(cat("product: the leading dimension of ", name, " is ", leading, "; ",
                            width, " to ", kMost, " are allowed"));
  }
}

void check_sizes(const ProductShape& shape) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();
  const bool negative = shape.batch < 0 || shape.m < 0 || shape.n < 0 || shape.k < 0;
  if (negative || shape.m > kMost || shape.n > kMost || shape.k > kMost) {
    throw InternalError(cat("product: sizes batch ", shape.batch, ", m ", shape.m, ", n ", shape.n,
                            ", k ", shape.k, "; 0 to ", kMost, " are allowed"));
  }
  if (shape.symmetric && shape.m != shape.n) {
    throw InternalError(cat("product: a symmetric result of m ", shape.m, ", n ", shape.n,
                            " is impossible; leave `symmetric` unset"));
  }
}

}  // namespace

template <class T>
void product(ThreadPool& pool, const ProductShape& shape, const ProductFactor<T>& a,
             const ProductFactor<T>& b, const ProductResult<T>& c, T alpha, T beta) {
  check_sizes(shape);
  if (shape.batch == 0 || shape.m == 0 || shape.n == 0) return;
  check_leading("c", c.leading, shape.n);
  if (shape.k == 0 || alpha == 0) {
    scale(shape, c, beta);
    if (shape.symmetric) mirror_batch(pool, shape, c);
    return;
  }
  check_leading("a", a.leading, a.transposed ? shape.m : shape.k);
  check_leading("b", b.leading, b.transposed ? shape.k : shape.n);

  if (shape.symmetric && choose_method(shape) == Method::kLibrary) {
    run_strips(pool, shape, alpha, a, b, beta, c);
    return;
  }
  run_whole(pool, shape, alpha, a, b, beta, c);
  if (shape.symmetric) mirror_batch(pool, shape, c);
}

template void product(ThreadPool&, const ProductShape&, const ProductFactor<float>&,
                      const ProductFactor<float>&, const ProductResult<float>&, float, float);
template void product(ThreadPool&, const ProductShape&, const ProductFactor<double>&,
                      const ProductFactor<double>&, const ProductResult<double>&, double, double);

}  // namespace jacquard
