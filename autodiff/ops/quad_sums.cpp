#include "autodiff/ops/quad_sums.hpp"

#include <algorithm>
#include <atomic>
#include <bit>

#include "autodiff/loops.hpp"
#include "autodiff/simd.hpp"

namespace jacquard {
namespace {

using Place = QuadParts::Place;
using Bits = std::array<std::uint64_t, 2>;  // of a quad number, the upper half last
static_assert(std::endian::native == std::endian::little);

constexpr int kQuadBias = 16383, kDoubleBias = 1023, kLargest = 400;

double power_of_two(std::uint64_t sign, int exponent) {
  return std::bit_cast<double>(sign | static_cast<std::uint64_t>(exponent + kDoubleBias) << 52);
}

// false where the number is out of range.
bool take_apart(Quad number, double& high, double& middle, double& low) {
  constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
  constexpr std::uint64_t kFraction = (std::uint64_t{1} << 48) - 1;  // of the upper half
  constexpr std::uint64_t kPart = (std::uint64_t{1} << 30) - 1;
  const Bits bits = std::bit_cast<Bits>(number);
  const std::uint64_t sign = bits[1] & kSign, fraction = bits[1] & kFraction;
  const int biased = static_cast<int>(bits[1] >> 48 & 0x7fff);
  high = middle = low = 0;
  if (biased == 0) return (fraction | bits[0]) == 0;
  const int exponent = biased - kQuadBias;
  if (exponent < -kLargest || exponent > kLargest) return false;
  // 52 bits after the leading one, then 30, then 30.
  high = std::bit_cast<double>(sign | static_cast<std::uint64_t>(exponent + kDoubleBias) << 52 |
                               fraction << 4 | bits[0] >> 60);
  middle = static_cast<double>(bits[0] >> 30 & kPart) * power_of_two(sign, exponent - 82);
  low = static_cast<double>(bits[0] & kPart) * power_of_two(sign, exponent - 112);
  return true;
}

// a + b = sum + error, without error (Knuth).
JACQUARD_INLINE inline double two_sum(double a, double b, double& error) {
  const double sum = a + b, of_b = sum - a;
  error = (a - (sum - of_b)) + (b - of_b);
  return sum;
}

// a * b = product + error, without error: by a fused multiplication or Dekker's way, the same.
template <bool kFused>
JACQUARD_INLINE inline double two_product(double a, double b, double& error) {
  const double product = a * b;
  if constexpr (kFused) {
    error = __builtin_fma(a, b, -product);
  } else {
    constexpr double kSplit = 134217729;  // 2^27 + 1
    const double ca = kSplit * a, a1 = ca - (ca - a), a2 = a - a1;
    const double cb = kSplit * b, b1 = cb - (cb - b), b2 = b - b1;
    error = a2 * b2 - (((product - a1 * b1) - a2 * b1) - a1 * b2);
  }
  return product;
}

template <bool kFused, int kStepA, int kStepB>
[[gnu::always_inline]] inline void add_block(const Place& a, const Place& b, std::int64_t count,
                                             double* high, double* middle, double* low) {
  const double *const a0 = a[0], *const a1 = a[1], *const a2 = a[2];
  const double *const b0 = b[0], *const b1 = b[1], *const b2 = b[2];
  JACQUARD_INDEPENDENT
  for (std::int64_t i = 0; i < count; ++i) {
    const double x0 = a0[i * kStepA], x1 = a1[i * kStepA], x2 = a2[i * kStepA];
    const double y0 = b0[i * kStepB], y1 = b1[i * kStepB], y2 = b2[i * kStepB];
    // By size: the leading product; then its error, that of the sum, and two mixed products; the
    // errors of those, and what is small, need no care.
    double e, r, f1, f2, g1, g2, g3, g4;
    const double p = two_product<kFused>(x0, y0, e);
    high[i] = two_sum(high[i], p, r);
    const double q1 = two_product<kFused>(x0, y1, f1), q2 = two_product<kFused>(x1, y0, f2);
    double m = two_sum(middle[i], e, g1);
    m = two_sum(m, r, g2);
    m = two_sum(m, q1, g3);
    middle[i] = two_sum(m, q2, g4);
    low[i] += ((g1 + g2) + (g3 + g4)) + ((f1 + f2) + (x1 * y1 + (x0 * y2 + x2 * y0)));
  }
}

// `blocks` blocks of products, one after the other, are added to the same `count` sums.
struct Work {
  Place a, b;
  std::int64_t count, blocks;
  std::array<double*, 3> sums;
};

template <bool kFused, int kStepA, int kStepB>
[[gnu::always_inline]] inline void body(const Work& w) {
  for (std::int64_t block = 0; block < w.blocks; ++block) {
    const std::int64_t of_a = block * w.count * kStepA, of_b = block * w.count * kStepB;
    add_block<kFused, kStepA, kStepB>({w.a[0] + of_a, w.a[1] + of_a, w.a[2] + of_a},
                                      {w.b[0] + of_b, w.b[1] + of_b, w.b[2] + of_b}, w.count,
                                      w.sums[0], w.sums[1], w.sums[2]);
  }
}

using Add = void (*)(const Work&);

template <int kStepA, int kStepB>
void baseline(const Work& work) {
  body<false, kStepA, kStepB>(work);
}
template <int kStepA, int kStepB>
JACQUARD_TARGET_AVX2 void avx2(const Work& work) {
  body<true, kStepA, kStepB>(work);
}
template <int kStepA, int kStepB>
JACQUARD_TARGET_AVX512 void avx512(const Work& work) {
  body<true, kStepA, kStepB>(work);
}

template <int kStepA, int kStepB>
Add kernel() {
  if (simd() == Simd::kBaseline) return baseline<kStepA, kStepB>;
  return simd() == Simd::kAvx512 ? avx512<kStepA, kStepB> : avx2<kStepA, kStepB>;
}

}  // namespace

std::optional<QuadParts> QuadParts::of(ThreadPool* pool, const Quad* numbers, std::int64_t count) {
  std::unique_ptr<double[]> parts(new double[static_cast<std::size_t>(3 * count)]);
  double* const to = parts.get();
  std::atomic<bool> in_range = true;
  loops::pieces(pool, count, loops::kGrain, [&](std::int64_t first, std::int64_t end) {
    bool all = true;
    for (std::int64_t i = first; i < end; ++i)
      all = take_apart(numbers[i], to[i], to[count + i], to[2 * count + i]) && all;
    if (!all) in_range = false;
  });
  if (!in_range) return std::nullopt;
  return QuadParts(count, std::move(parts));
}

void QuadSums::clear(std::int64_t count) {
  for (auto& part : sums_) std::fill_n(part.begin(), count, 0.0);
}

void QuadSums::add(Place a, std::int64_t step_a, Place b, std::int64_t step_b, std::int64_t count) {
  if (step_b == 0) {
    std::swap(a, b);
    std::swap(step_a, step_b);
  }
  const bool one = step_a == 0;
  if (one && *a[0] == 0) return;  // identity matrices and masks are mostly zeros
  const Add add_products = one ? kernel<0, 1>() : kernel<1, 1>();
  add_products({a, b, count, 1, {sums_[0].data(), sums_[1].data(), sums_[2].data()}});
}

void QuadSums::add_run(Place a, std::int64_t step_a, Place b, std::int64_t step_b,
                       std::int64_t count) {
  constexpr std::int64_t kNear = 64 * kLanes;
  std::array<std::array<double, kNear>, 3> near_a, near_b;
  const Add add_blocks = kernel<1, 1>();
  const std::array<double*, 3> sums{sums_[0].data(), sums_[1].data(), sums_[2].data()};
  const auto neighbours = [](Place& place, std::int64_t step, std::int64_t n, auto& near) {
    if (step == 1) return place;
    for (std::size_t part = 0; part < 3; ++part)
      for (std::int64_t i = 0; i < n; ++i)
        near[part][static_cast<std::size_t>(i)] = place[part][i * step];
    return Place{near[0].data(), near[1].data(), near[2].data()};
  };
  const auto advance = [](Place& place, std::int64_t by) {
    for (const double*& part : place) part += by;
  };
  for (std::int64_t done = 0; done < count; done += kNear) {
    const std::int64_t n = std::min(kNear, count - done), whole = n / kLanes * kLanes;
    Place x = neighbours(a, step_a, n, near_a), y = neighbours(b, step_b, n, near_b);
    add_blocks({x, y, kLanes, n / kLanes, sums});
    advance(x, whole);
    advance(y, whole);
    add_blocks({x, y, n - whole, 1, sums});
    if (n < kNear) break;
    advance(a, step_a * n);
    advance(b, step_b * n);
  }
}

Quad QuadSums::total() const {
  double high = 0, middle = 0, low = 0;
  for (std::size_t i = 0; i < kLanes; ++i) {
    double r, g1, g2;
    high = two_sum(high, sums_[0][i], r);
    middle = two_sum(middle, r, g1);
    middle = two_sum(middle, sums_[1][i], g2);
    low += (g1 + g2) + sums_[2][i];
  }
  return static_cast<Quad>(high) + (static_cast<Quad>(middle) + static_cast<Quad>(low));
}

}  // namespace jacquard
