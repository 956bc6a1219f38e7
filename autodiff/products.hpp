// Dense matrix products for plans: c = alpha op(a) op(b) + beta c, batched, row-major.
//
// Float goes to oneDNN where it is compiled in, else to OpenBLAS; double goes to OpenBLAS; tiny
// and thin products (vectors) go to kernels of our own (autodiff/small_products.hpp). Every library
// call runs on one thread; threads come from the pool, over tiles whose bounds depend on the
// shapes alone, and parts of one sum are added in fixed order. So the bits are the same for any
// number of threads. They do not depend on the alignment of memory either (tested; neither
// library promises it). They do differ from one kind of processor to another.
#pragma once

#include <cstdint>
#include <string>

#include "autodiff/pool.hpp"

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

// One factor. `leading` is the distance between its stored rows, `batch_stride` the distance
// between the matrices of the batch (0 if all share one), both in elements. `transposed` says that
// the stored matrix is the transpose of the factor: op(a) is [m, k], stored [k, m].
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
  std::int64_t batch_stride = 0;  // at least m * leading if batch > 1: results never overlap
};

// c = alpha op(a) op(b) + beta c for each matrix of the batch; T is float or double. c must not
// overlap a or b. Any of the sizes may be 0; k = 0 or alpha = 0 gives beta c without reading a and
// b, and beta = 0 never reads c. Sums that are split over k use memory that the calling thread
// keeps (at most kMaxPartialSums numbers of each type), else nothing of ours is allocated.
// A symmetric product takes c as symmetric as well: only its part on and below the diagonal counts,
// and the result's bits are the same on both sides of the diagonal. From 64 rows on, nearly half
// of the work is left out.
// Throws InternalError for negative sizes, leading dimensions that are too small, sizes beyond
// what the libraries count (2^31 - 1), and symmetric products where m is not n.
template <class T>
void product(ThreadPool& pool, const ProductShape& shape, const ProductFactor<T>& a,
             const ProductFactor<T>& b, const ProductResult<T>& c, T alpha = 1, T beta = 0);

constexpr std::int64_t kMaxPartialSums = std::int64_t{1} << 20;

// Makes OpenBLAS (for the process) and OpenMP (for the calling thread) use one thread. Every
// product does this itself; call it before other uses of BLAS and LAPACK.
void limit_library_threads();

// Which library multiplies, with versions, for a run's manifest:
// "float: oneDNN 2.6.3; double: OpenBLAS 0.3.21 SkylakeX".
std::string gemm_library_description();

}  // namespace jacquard
