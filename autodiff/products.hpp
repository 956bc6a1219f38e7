// Dense matrix products for plans: c = alpha op(a) op(b) + beta c, batched, row-major.
//
// Float goes to oneDNN where it is compiled in, else to OpenBLAS; double goes to OpenBLAS; tiny
// products and those with vectors go to kernels of our own (autodiff/tiny_products.hpp,
// autodiff/vector_products.hpp). Every library call runs on one thread; threads come from the pool,
// over tiles whose bounds depend on the shapes alone, and parts of one sum are added in fixed
// order. So the bits are the same for any number of threads. They do not depend on the alignment of
// memory either (tested; neither library promises it). Those of libraries differ from one kind of
// processor to another.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "autodiff/op.hpp"
#include "autodiff/pool.hpp"
#include "autodiff/product_tiling.hpp"
#include "autodiff/tiny_products.hpp"

namespace jacquard {

// How the matrices of a factor or result are stored. `leading` is the distance between their stored
// rows, `batch_stride` the distance between the matrices of the batch (0 if all share one), both in
// elements. `transposed` says that the stored matrix is the transpose of the factor: op(a) is
// [m, k], stored [k, m]. A result is never transposed, and its matrices never overlap: its batch
// stride is at least m * leading if there are several.
struct MatrixLayout {
  std::int64_t leading = 0;
  std::int64_t batch_stride = 0;
  bool transposed = false;
};

// c = alpha op(a) op(b) + beta c for each matrix of the batch, checked and planned once and run
// many times; T is float or double. Any of the sizes may be 0; k = 0 or alpha = 0 gives beta c
// without reading a and b, and beta = 0 never reads c. c must not overlap a or b. A symmetric
// product takes c as symmetric as well: only its part on and below the diagonal counts, and the
// result's bits are the same on both sides of the diagonal. From 64 rows on, nearly half of the
// work is left out unless it is tiny.
template <class T>
class PreparedProduct {
 public:
  PreparedProduct() = default;  // of no matrices

  // Throws InternalError for negative sizes, leading dimensions that are too small, sizes beyond
  // what the libraries count (2^31 - 1), and symmetric products where m is not n.
  PreparedProduct(const ProductShape& shape, const MatrixLayout& a, const MatrixLayout& b,
                  const MatrixLayout& c);

  // Is the result computed in rectangles, each of them at once? Then run_in_rectangles() gives
  // those of op(a) op(b) to `each`, with the bits of run(), on any thread of the pool, instead of
  // writing them. The calling thread keeps memory for one for each thread.
  bool in_rectangles() const;
  bool in_whole_rows() const { return tiling_.columns == 1; }
  void run_in_rectangles(ThreadPool& pool, const T* a, const T* b,
                         const std::function<void(const Rectangle<T>&)>& each) const;

  // Sums that are split over k use memory that the calling thread keeps (at most kMaxPartialSums
  // numbers of each type), else nothing of ours is allocated.
  void run(ThreadPool& pool, const T* a, const T* b, T* c, T alpha = 1, T beta = 0) const {
    if (way_ == Way::kTiny && alpha != 0) {
      tiny_.run(a, b, c, alpha, beta);
    } else {
      run_way(pool, {a, b, c, alpha, beta});
    }
  }

 private:
  enum class Way { kNothing, kScaled, kTiny, kAlone, kGroups, kTiles, kStrips };

  struct Operands {
    const T* a;
    const T* b;
    T* c;
    T alpha, beta;
  };

  Way choose_way();
  void run_way(ThreadPool& pool, const Operands& on) const;
  ProductRange rows_of_tile(std::int64_t tile) const;
  ProductRange columns_of_tile(std::int64_t tile) const;
  const T* a_at(const T* a, std::int64_t item, std::int64_t row, std::int64_t column) const;
  const T* b_at(const T* b, std::int64_t item, std::int64_t row, std::int64_t column) const;
  void multiply(const ProductShape& part, const T* a, const T* b, T* c, std::int64_t c_leading,
                T alpha, T beta) const;
  void multiply_items(const Operands& on, std::int64_t first, std::int64_t end) const;
  void scale(ThreadPool& pool, T* c, T beta) const;
  void run_groups(ThreadPool& pool, const Operands& on) const;
  void run_tiles(ThreadPool& pool, const Operands& on) const;
  void run_strips(ThreadPool& pool, const Operands& on) const;
  void add_partial_sums(ThreadPool& pool, const T* sums, T* c) const;
  void mirror_items(ThreadPool& pool, T* c) const;

  Way way_ = Way::kNothing;
  ProductMethod method_ = ProductMethod::kTiny;
  TinyProduct<T> tiny_;
  ProductShape shape_;
  MatrixLayout a_, b_, c_;
  ProductTiling tiling_;
  StripTiling strips_;
};

// One factor, and the result, of a product that is run once.
template <class T>
struct ProductFactor {
  const T* data = nullptr;
  std::int64_t leading = 0;
  std::int64_t batch_stride = 0;
  bool transposed = false;
};

template <class T>
struct ProductResult {
  T* data = nullptr;
  std::int64_t leading = 0;
  std::int64_t batch_stride = 0;
};

// The same for a product that is run once. Throws what the constructor throws.
template <class T>
void product(ThreadPool& pool, const ProductShape& shape, const ProductFactor<T>& a,
             const ProductFactor<T>& b, const ProductResult<T>& c, T alpha = 1, T beta = 0) {
  PreparedProduct<T>(shape, {a.leading, a.batch_stride, a.transposed},
                     {b.leading, b.batch_stride, b.transposed}, {c.leading, c.batch_stride, false})
      .run(pool, a.data, b.data, c.data, alpha, beta);
}

// Makes OpenBLAS (for the process) and OpenMP (for the calling thread) use one thread. Every
// product does this itself; call it before other uses of BLAS and LAPACK.
void limit_library_threads();

// Which library multiplies, with versions, for a run's manifest:
// "float: oneDNN 2.6.3; double: OpenBLAS 0.3.21 SkylakeX".
std::string gemm_library_description();

}  // namespace jacquard
