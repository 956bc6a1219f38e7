#include "tests/benchmarks/fma_peak.hpp"

#include <immintrin.h>

#include <atomic>

#include "autodiff/simd.hpp"

namespace jacquard::benchmarks {
namespace {

// Enough of them to hide the latency of an addition, and few enough for the registers: 10 of 16,
// 20 of 32. Each gets a = a x + y, which stays near 1.
constexpr int kRepeats = 20000;
constexpr float kFactor = 0.999f, kAddend = 0.001f;

// Each returns a sum of everything, so that nothing is optimised away.
float chains_baseline() {
  __m128 sums[10];
  for (__m128& s : sums) s = _mm_set1_ps(1);
  const __m128 x = _mm_set1_ps(kFactor), y = _mm_set1_ps(kAddend);
  for (int i = 0; i < kRepeats; ++i)
    for (__m128& s : sums) s = _mm_add_ps(_mm_mul_ps(s, x), y);
  float total = 0;
  for (const __m128& s : sums) total += _mm_cvtss_f32(s);
  return total;
}

[[gnu::target("avx2,fma")]] float chains_avx2() {
  __m256 sums[10];
  for (__m256& s : sums) s = _mm256_set1_ps(1);
  const __m256 x = _mm256_set1_ps(kFactor), y = _mm256_set1_ps(kAddend);
  for (int i = 0; i < kRepeats; ++i)
    for (__m256& s : sums) s = _mm256_fmadd_ps(s, x, y);
  float total = 0;
  for (const __m256& s : sums) total += _mm256_cvtss_f32(s);
  return total;
}

[[gnu::target("avx512f")]] float chains_avx512() {
  __m512 sums[20];
  for (__m512& s : sums) s = _mm512_set1_ps(1);
  const __m512 x = _mm512_set1_ps(kFactor), y = _mm512_set1_ps(kAddend);
  for (int i = 0; i < kRepeats; ++i)
    for (__m512& s : sums) s = _mm512_fmadd_ps(s, x, y);
  float total = 0;
  for (const __m512& s : sums) total += _mm512_cvtss_f32(s);
  return total;
}

struct Chains {
  float (*run)();
  double flops;
};

Chains chains_of_this_machine() {
  constexpr double kFlopsOfLane = 2.0 * kRepeats;
  switch (simd()) {
    case Simd::kAvx512:
      return {chains_avx512, kFlopsOfLane * 20 * 16};
    case Simd::kAvx2:
      return {chains_avx2, kFlopsOfLane * 10 * 8};
    case Simd::kBaseline:
      break;
  }
  return {chains_baseline, kFlopsOfLane * 10 * 4};
}

}  // namespace

Implementation fma_peak(const std::shared_ptr<ThreadPool>& pool) {
  const Chains chains = chains_of_this_machine();
  const int tasks = 4 * pool->threads();
  const auto step = [pool, chains, tasks] {
    std::atomic<float> kept = 0;
    pool->run(tasks, [&](std::int64_t) { kept.store(chains.run(), std::memory_order_relaxed); });
    return static_cast<double>(kept.load());
  };
  Implementation peak{.name = kPeakName, .step = step};
  peak.flops = chains.flops * tasks;
  peak.compared = false;
  return peak;
}

}  // namespace jacquard::benchmarks
