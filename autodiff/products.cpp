#include "autodiff/products.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <mutex>

#include "autodiff/error.hpp"
#include "autodiff/gemm_library.hpp"
#include "autodiff/mirror.hpp"
#include "autodiff/thread_memory.hpp"
#include "autodiff/vector_products.hpp"

namespace jacquard {
namespace {

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

// Room for partial sums that the calling thread keeps.
template <class T>
T* partial_sums(std::int64_t count) {
  struct PartialSums;
  return thread_memory<T, PartialSums>(static_cast<std::size_t>(count));
}

// Memory of the calling thread in pieces, one for each task that runs at the same time.
template <class T>
class Pieces {
 public:
  Pieces(std::int64_t count, std::int64_t numbers) {
    struct Kept;
    T* const memory = thread_memory<T, Kept>(static_cast<std::size_t>(count * numbers));
    for (std::int64_t i = 0; i < count; ++i) free_[free_count_++] = memory + i * numbers;
  }

  // A piece, for as long as this lives.
  class Taken {
   public:
    explicit Taken(Pieces& from) : from_(from) {
      const std::lock_guard lock(from_.mutex_);
      piece_ = from_.free_[--from_.free_count_];
    }
    ~Taken() {
      const std::lock_guard lock(from_.mutex_);
      from_.free_[from_.free_count_++] = piece_;
    }
    Taken(const Taken&) = delete;
    Taken& operator=(const Taken&) = delete;
    T* values() const { return piece_; }

   private:
    Pieces& from_;
    T* piece_;
  };

 private:
  std::mutex mutex_;
  std::array<T*, kMostTiles> free_;
  std::size_t free_count_ = 0;
};

std::int64_t offset(const MatrixLayout& layout, std::int64_t item, std::int64_t row,
                    std::int64_t column) {
  return item * layout.batch_stride +
         (layout.transposed ? column * layout.leading + row : row * layout.leading + column);
}

// Matrices of a batch that one task takes.
std::int64_t matrices_of_task(double work_of_matrix) {
  return static_cast<std::int64_t>(1 + kGroupWork / work_of_matrix);
}

}  // namespace

template <class T>
PreparedProduct<T>::PreparedProduct(const ProductShape& shape, const MatrixLayout& a,
                                    const MatrixLayout& b, const MatrixLayout& c)
    : shape_(shape), a_(a), b_(b), c_(c) {
  check_sizes(shape);
  if (shape.batch == 0 || shape.m == 0 || shape.n == 0) return;
  check_leading("c", c.leading, shape.n);
  if (c.transposed) throw InternalError("product: the result is transposed; swap the factors");
  way_ = Way::kScaled;
  if (shape.k == 0) return;
  check_leading("a", a.leading, a.transposed ? shape.m : shape.k);
  check_leading("b", b.leading, b.transposed ? shape.k : shape.n);
  way_ = choose_way();
  if (method_ == ProductMethod::kTiny) {
    tiny_ = TinyProduct<T>(shape_.m, shape_.n,
                           {.k = shape_.k,
                            .a_row = a.transposed ? 1 : a.leading,
                            .a_column = a.transposed ? a.leading : 1,
                            .b_row = b.leading,
                            .c_row = c.leading},
                           b.transposed);
  }
}

template <class T>
typename PreparedProduct<T>::Way PreparedProduct<T>::choose_way() {
  if (shape_.symmetric) {
    method_ = choose_method(shape_);
    if (method_ == ProductMethod::kLibrary) {
      strips_ = choose_strips<T>(shape_);
      return Way::kStrips;
    }
  }
  // Examples that share b and follow each other in memory are the rows of one larger product.
  if (shape_.batch > 1 && !shape_.symmetric && b_.batch_stride == 0 && !a_.transposed &&
      a_.batch_stride == shape_.m * a_.leading && c_.batch_stride == shape_.m * c_.leading &&
      shape_.batch <= std::numeric_limits<std::int32_t>::max() / shape_.m) {
    shape_.m *= shape_.batch;
    shape_.batch = 1;
  }
  method_ = choose_method(shape_);
  if (method_ == ProductMethod::kTiny && shape_.batch == 1 && !shape_.symmetric) return Way::kTiny;
  if (static_cast<double>(shape_.batch) * work(shape_) <= kGroupWork) return Way::kAlone;
  tiling_ = choose_tiling<T>(shape_, method_);
  return tiling_.rows * tiling_.columns * tiling_.depth == 1 ? Way::kGroups : Way::kTiles;
}

template <class T>
void PreparedProduct<T>::run_way(ThreadPool& pool, const Operands& on) const {
  if (way_ == Way::kNothing) return;
  if (way_ == Way::kScaled || on.alpha == 0) {
    scale(pool, on.c, on.beta);
  } else if (way_ == Way::kStrips) {
    return run_strips(pool, on);
  } else if (way_ == Way::kAlone) {  // no time for threads
    multiply_items(on, 0, shape_.batch);
  } else if (way_ == Way::kGroups) {
    run_groups(pool, on);
  } else {
    run_tiles(pool, on);
  }
  if (shape_.symmetric) mirror_items(pool, on.c);
}

template <class T>
const T* PreparedProduct<T>::a_at(const T* a, std::int64_t item, std::int64_t row,
                                  std::int64_t column) const {
  return a + offset(a_, item, row, column);
}

template <class T>
const T* PreparedProduct<T>::b_at(const T* b, std::int64_t item, std::int64_t row,
                                  std::int64_t column) const {
  return b + offset(b_, item, row, column);
}

// Part of one matrix of the batch, on one thread.
template <class T>
void PreparedProduct<T>::multiply(const ProductShape& part, const T* a, const T* b, T* c,
                                  std::int64_t c_leading, T alpha, T beta) const {
  if (method_ == ProductMethod::kTiny) {
    tiny_.run(a, b, c, alpha, beta);  // tiny ones have one part
  } else if (method_ == ProductMethod::kLibrary) {
    library_gemm(a_.transposed, b_.transposed, part.m, part.n, part.k, alpha, a, a_.leading, b,
                 b_.leading, beta, c, c_leading);
  } else if (shape_.n == 1) {
    const StridedMatrix<T> left =
        a_.transposed ? StridedMatrix<T>{a, 1, a_.leading} : StridedMatrix<T>{a, a_.leading, 1};
    matrix_vector(part.m, part.k, alpha, left, b, b_.transposed ? 1 : b_.leading, beta, c,
                  c_leading);
  } else {  // m = 1: c' = op(b)' a'
    const StridedMatrix<T> right =
        b_.transposed ? StridedMatrix<T>{b, b_.leading, 1} : StridedMatrix<T>{b, 1, b_.leading};
    matrix_vector(part.n, part.k, alpha, right, a, a_.transposed ? a_.leading : 1, beta, c,
                  std::int64_t{1});
  }
}

template <class T>
void PreparedProduct<T>::multiply_items(const Operands& on, std::int64_t first,
                                        std::int64_t end) const {
  for (std::int64_t item = first; item < end; ++item) {
    multiply(shape_, a_at(on.a, item, 0, 0), b_at(on.b, item, 0, 0), on.c + item * c_.batch_stride,
             c_.leading, on.alpha, on.beta);
  }
}

template <class T>
void PreparedProduct<T>::scale(ThreadPool& pool, T* c, T beta) const {
  if (beta == 1) return;
  const std::int64_t rows = shape_.batch * shape_.m;
  const std::int64_t group = matrices_of_task(static_cast<double>(shape_.n));
  pool.run((rows + group - 1) / group, [&](std::int64_t task) {
    for (std::int64_t row = task * group; row < std::min(rows, (task + 1) * group); ++row) {
      T* out = c + row / shape_.m * c_.batch_stride + row % shape_.m * c_.leading;
      for (std::int64_t j = 0; j < shape_.n; ++j) out[j] = beta == 0 ? T(0) : beta * out[j];
    }
  });
}

template <class T>
void PreparedProduct<T>::run_groups(ThreadPool& pool, const Operands& on) const {
  const std::int64_t group = tiling_.group;
  pool.run((shape_.batch + group - 1) / group, [&](std::int64_t task) {
    multiply_items(on, task * group, std::min((task + 1) * group, shape_.batch));
  });
}

template <class T>
ProductRange PreparedProduct<T>::rows_of_tile(std::int64_t tile) const {
  return rows_of(shape_, method_, tile / tiling_.columns, tiling_.rows);
}

template <class T>
ProductRange PreparedProduct<T>::columns_of_tile(std::int64_t tile) const {
  return columns_of(shape_, method_, tile % tiling_.columns, tiling_.columns);
}

template <class T>
void PreparedProduct<T>::run_tiles(ThreadPool& pool, const Operands& on) const {
  const ProductTiling& tiling = tiling_;
  const std::int64_t matrix = shape_.m * shape_.n;
  const std::int64_t tiles = tiling.rows * tiling.columns * tiling.depth;
  T* const sums = partial_sums<T>((tiling.depth - 1) * shape_.batch * matrix);
  pool.run(shape_.batch * tiles, [&](std::int64_t task) {
    const std::int64_t item = task / tiles;
    const std::int64_t depth_part = task % tiling.depth;
    const std::int64_t tile = task % tiles / tiling.depth;
    const ProductRange rows = rows_of_tile(tile), columns = columns_of_tile(tile);
    const ProductRange depth = depth_of(shape_, depth_part, tiling.depth);
    const bool first = depth_part == 0;
    const std::int64_t leading = first ? c_.leading : shape_.n;
    T* const out = first ? on.c + item * c_.batch_stride
                         : sums + ((depth_part - 1) * shape_.batch + item) * matrix;
    multiply({1, rows.size, columns.size, depth.size}, a_at(on.a, item, rows.first, depth.first),
             b_at(on.b, item, depth.first, columns.first),
             out + rows.first * leading + columns.first, leading, on.alpha, first ? on.beta : T(0));
  });
  if (tiling.depth != 1) add_partial_sums(pool, sums, on.c);
}

template <class T>
bool PreparedProduct<T>::in_rectangles() const {
  constexpr std::int64_t kMostBytes = std::int64_t{4} << 20;  // as near as a cache is
  const auto numbers = shape_.m / tiling_.rows * (shape_.n / tiling_.columns);
  return way_ == Way::kTiles && method_ == ProductMethod::kLibrary && tiling_.depth == 1 &&
         shape_.batch == 1 && !shape_.symmetric && c_.leading == shape_.n &&
         numbers * static_cast<std::int64_t>(sizeof(T)) <= kMostBytes;
}

template <class T>
void PreparedProduct<T>::run_in_rectangles(
    ThreadPool& pool, const T* a, const T* b,
    const std::function<void(const Rectangle<T>&)>& each) const {
  const std::int64_t tiles = tiling_.rows * tiling_.columns;
  std::int64_t largest = 0;
  for (std::int64_t tile = 0; tile < tiles; ++tile)
    largest = std::max(largest, rows_of_tile(tile).size * columns_of_tile(tile).size);
  Pieces<T> pieces(std::min<std::int64_t>(pool.threads(), tiles), largest);
  pool.run(tiles, [&](std::int64_t tile) {
    const ProductRange rows = rows_of_tile(tile), columns = columns_of_tile(tile);
    const typename Pieces<T>::Taken piece(pieces);
    T* const values = piece.values();
    multiply({1, rows.size, columns.size, shape_.k}, a_at(a, 0, rows.first, 0),
             b_at(b, 0, 0, columns.first), values, columns.size, T(1), T(0));
    each({rows.first, rows.size, columns.first, columns.size, values});
  });
}

template <class T>
void PreparedProduct<T>::add_partial_sums(ThreadPool& pool, const T* sums, T* c) const {
  constexpr std::int64_t kAdditionsOfTask = 1 << 13;
  const std::int64_t parts = tiling_.depth - 1;
  const std::int64_t rows = shape_.batch * shape_.m;
  const std::int64_t rows_of_task = std::max<std::int64_t>(1, kAdditionsOfTask / shape_.n / parts);
  pool.run((rows + rows_of_task - 1) / rows_of_task, [&](std::int64_t task) {
    const std::int64_t first = task * rows_of_task;
    for (std::int64_t row = first; row < std::min(rows, first + rows_of_task); ++row) {
      T* out = c + row / shape_.m * c_.batch_stride + row % shape_.m * c_.leading;
      for (std::int64_t p = 0; p < parts; ++p) {
        const T* from = sums + (p * rows + row) * shape_.n;
        for (std::int64_t j = 0; j < shape_.n; ++j) out[j] += from[j];
      }
    }
  });
}

template <class T>
void PreparedProduct<T>::mirror_items(ThreadPool& pool, T* c) const {
  const std::int64_t group =
      matrices_of_task(static_cast<double>(shape_.m) * static_cast<double>(shape_.m));
  pool.run((shape_.batch + group - 1) / group, [&](std::int64_t task) {
    for (std::int64_t item = task * group; item < std::min(shape_.batch, (task + 1) * group);
         ++item) {
      mirror(shape_.m, c + item * c_.batch_stride, c_.leading);
    }
  });
}

// ---- symmetric products

namespace {

struct Tile {
  ProductRange rows, columns;
};

// A square on the diagonal together with what is below it, or to the left of it.
struct Strip {
  Tile all;
  ProductRange square;
  Tile beside;
};

// The largest strips come first, so that threads end together.
template <class T>
Strip make_strip(const ProductShape& shape, std::int64_t strip, std::int64_t strips) {
  const ProductRange square = strip_of(shape, kTallParts<T> ? strip : strips - 1 - strip, strips);
  const std::int64_t end = square.first + square.size;
  if (kTallParts<T>) {
    return {
        {{square.first, shape.m - square.first}, square}, square, {{end, shape.m - end}, square}};
  }
  return {{square, {0, end}}, square, {square, {0, square.first}}};
}

template <class T>
void mirror_strip(const Strip& strip, T* c, std::int64_t leading) {
  mirror(strip.square.size, c + strip.square.first * (leading + 1), leading);
  const auto& [rows, columns] = strip.beside;
  transpose(rows.size, columns.size, c + rows.first * leading + columns.first,
            c + columns.first * leading + rows.first, leading);
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

}  // namespace

template <class T>
void PreparedProduct<T>::run_strips(ThreadPool& pool, const Operands& on) const {
  const std::int64_t matrix = shape_.m * shape_.n;
  const std::int64_t later_parts = strips_.depth - 1;
  T* const sums = partial_sums<T>(later_parts * shape_.batch * matrix);
  const auto each_strip = [&](std::int64_t parts, const auto& call) {
    const std::int64_t strips = parts * shape_.batch * strips_.strips;
    pool.run((strips + strips_.group - 1) / strips_.group, [&](std::int64_t task) {
      const std::int64_t first = task * strips_.group;
      for (std::int64_t s = first; s < std::min(strips, first + strips_.group); ++s) {
        const std::int64_t item = s / strips_.strips % shape_.batch;
        const std::int64_t part = s / strips_.strips / shape_.batch;
        call(part, item, make_strip<T>(shape_, s % strips_.strips, strips_.strips));
      }
    });
  };
  for (std::int64_t slab = 0; slab < strips_.slabs; ++slab) {
    each_strip(strips_.depth, [&](std::int64_t depth_part, std::int64_t item, const Strip& strip) {
      const ProductRange depth =
          depth_of(shape_, depth_part * strips_.slabs + slab, strips_.depth * strips_.slabs);
      const auto& [rows, columns] = strip.all;
      const bool first_part = depth_part == 0;
      T* const to = first_part ? on.c + item * c_.batch_stride
                               : sums + ((depth_part - 1) * shape_.batch + item) * matrix;
      const std::int64_t leading = first_part ? c_.leading : shape_.n;
      const T kept = slab != 0 ? T(1) : first_part ? on.beta : T(0);
      multiply({1, rows.size, columns.size, depth.size}, a_at(on.a, item, rows.first, depth.first),
               b_at(on.b, item, depth.first, columns.first),
               to + rows.first * leading + columns.first, leading, on.alpha, kept);
      if (later_parts == 0 && slab + 1 == strips_.slabs) mirror_strip(strip, to, leading);
    });
  }
  if (later_parts == 0) return;
  each_strip(1, [&](std::int64_t, std::int64_t item, const Strip& strip) {
    T* const to = on.c + item * c_.batch_stride;
    add_to_tile(strip.all, shape_, later_parts, sums + item * matrix, to, c_.leading);
    mirror_strip(strip, to, c_.leading);
  });
}

template class PreparedProduct<float>;
template class PreparedProduct<double>;

}  // namespace jacquard
