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
}

}  // namespace

template <class T>
void product(ThreadPool& pool, const ProductShape& given, const ProductFactor<T>& a,
             const ProductFactor<T>& b, const ProductResult<T>& c, T alpha, T beta) {
  ProductShape shape = given;
  check_sizes(shape);
  if (shape.batch == 0 || shape.m == 0 || shape.n == 0) return;
  check_leading("c", c.leading, shape.n);
  if (shape.k == 0 || alpha == 0) {
    scale(shape, c, beta);
    return;
  }
  check_leading("a", a.leading, a.transposed ? shape.m : shape.k);
  check_leading("b", b.leading, b.transposed ? shape.k : shape.n);

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

template void product(ThreadPool&, const ProductShape&, const ProductFactor<float>&,
                      const ProductFactor<float>&, const ProductResult<float>&, float, float);
template void product(ThreadPool&, const ProductShape&, const ProductFactor<double>&,
                      const ProductFactor<double>&, const ProductResult<double>&, double, double);

}  // namespace jacquard
