#include "autodiff/simd.hpp"

#include <algorithm>
#include <atomic>

namespace jacquard {
namespace {

Simd detect() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("fma")) return Simd::kBaseline;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512dq")) {
    return Simd::kAvx512;
  }
  return __builtin_cpu_supports("avx2") ? Simd::kAvx2 : Simd::kBaseline;
}

std::atomic<Simd>& limit() {
  static std::atomic<Simd> most{Simd::kAvx512};
  return most;
}

}  // namespace

Simd simd() {
  static const Simd found = detect();
  return std::min(found, limit().load(std::memory_order_relaxed));
}

void limit_simd(Simd most) { limit().store(most, std::memory_order_relaxed); }

}  // namespace jacquard
