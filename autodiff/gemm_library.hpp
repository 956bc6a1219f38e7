// The one place that calls oneDNN and OpenBLAS: one product, one thread.
//
// Private to autodiff/products.cpp, which splits products into such calls.
#pragma once

#include <cstdint>

namespace jacquard {

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
