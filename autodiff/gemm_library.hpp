// The one place that calls oneDNN and OpenBLAS: one product, one thread.
//
// Private to autodiff/products.cpp, which splits products into such calls.
#pragma once

#include <cstdint>
#include <type_traits>

namespace jacquard {

// How to cut a product of T into thin parts that cost little more than the whole: oneDNN is fast
// on tall narrow ones, OpenBLAS on flat wide ones.
#ifdef JACQUARD_HAS_ONEDNN
template <class T>
constexpr bool kTallParts = std::is_same_v<T, float>;
#else
template <class T>
constexpr bool kTallParts = false;
#endif

// c [m, n] = alpha op(a) op(b) + beta c, row-major, leading dimensions in elements, all sizes at
// least 1. Throws Error if the library cannot get memory.
void library_gemm(bool a_transposed, bool b_transposed, std::int64_t m, std::int64_t n,
                  std::int64_t k, float alpha, const float* a, std::int64_t a_leading,
                  const float* b, std::int64_t b_leading, float beta, float* c,
                  std::int64_t c_leading);
void library_gemm(bool a_transposed, bool b_transposed, std::int64_t m, std::int64_t n,
                  std::int64_t k, double alpha, const double* a, std::int64_t a_leading,
                  const double* b, std::int64_t b_leading, double beta, double* c,
                  std::int64_t c_leading);

}  // namespace jacquard
