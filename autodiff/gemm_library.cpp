#include "autodiff/gemm_library.hpp"

#include <cblas.h>

#include <string>

#include "autodiff/error.hpp"
#include "autodiff/products.hpp"

#ifdef JACQUARD_HAS_ONEDNN
#include <dnnl.h>
// Declared here rather than by <omp.h>, which clang has only with a package of its own: what counts
// is the OpenMP library that oneDNN was linked with.
extern "C" void omp_set_num_threads(int threads);
#endif

namespace jacquard {
namespace {

CBLAS_TRANSPOSE flag(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

// "OpenBLAS 0.3.21 SkylakeX" out of OpenBLAS's list of build options.
std::string openblas_description() {
  const std::string config = openblas_get_config();
  const std::size_t name_end = config.find(' ');
  if (name_end == std::string::npos) return config;
  return cat(config.substr(0, config.find(' ', name_end + 1)), " ", openblas_get_corename());
}

}  // namespace

void limit_library_threads() {
  static const bool once = (openblas_set_num_threads(1), true);
  (void)once;
#ifdef JACQUARD_HAS_ONEDNN
  // OpenMP's setting belongs to the calling thread and others may change it, so it is made anew
  // before every call; it is one write to the thread's own memory.
  omp_set_num_threads(1);
#endif
}

void library_gemm(bool a_transposed, bool b_transposed, std::int64_t m, std::int64_t n,
                  std::int64_t k, float alpha, const float* a, std::int64_t a_leading,
                  const float* b, std::int64_t b_leading, float beta, float* c,
                  std::int64_t c_leading) {
  limit_library_threads();
#ifdef JACQUARD_HAS_ONEDNN
  const dnnl_status_t status = dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', m, n,
                                          k, alpha, a, a_leading, b, b_leading, beta, c, c_leading);
  if (status == dnnl_out_of_memory) {
    throw Error(cat("product: oneDNN has no memory for [", m, ", ", k, "] x [", k, ", ", n, "]"));
  }
  if (status != dnnl_success) {
    throw InternalError(cat("product: oneDNN refused [", m, ", ", k, "] x [", k, ", ", n,
                            "] with status ", static_cast<int>(status)));
  }
#else
  cblas_sgemm(CblasRowMajor, flag(a_transposed), flag(b_transposed), static_cast<blasint>(m),
              static_cast<blasint>(n), static_cast<blasint>(k), alpha, a,
              static_cast<blasint>(a_leading), b, static_cast<blasint>(b_leading), beta, c,
              static_cast<blasint>(c_leading));
#endif
}

void library_gemm(bool a_transposed, bool b_transposed, std::int64_t m, std::int64_t n,
                  std::int64_t k, double alpha, const double* a, std::int64_t a_leading,
                  const double* b, std::int64_t b_leading, double beta, double* c,
                  std::int64_t c_leading) {
  limit_library_threads();
  cblas_dgemm(CblasRowMajor, flag(a_transposed), flag(b_transposed), static_cast<blasint>(m),
              static_cast<blasint>(n), static_cast<blasint>(k), alpha, a,
              static_cast<blasint>(a_leading), b, static_cast<blasint>(b_leading), beta, c,
              static_cast<blasint>(c_leading));
}

std::string gemm_library_description() {
  std::string single = openblas_description();
#ifdef JACQUARD_HAS_ONEDNN
  const dnnl_version_t* version = dnnl_version();
  single = cat("oneDNN ", version->major, ".", version->minor, ".", version->patch);
#endif
  return cat("float: ", single, "; double: ", openblas_description());
}

}  // namespace jacquard
