#include "autodiff/tile_sums.hpp"

#include <vector>

namespace jacquard {
Parts parts_of(const std::vector<std::int64_t>& sizes) {
  constexpr std::int64_t kMostParts = 16, kColumnUnit = 4 * kSumPiece;
  const auto up = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  Parts parts;
  if (sizes.empty()) return parts;
  std::int64_t total = 1;
  for (const std::int64_t n : sizes) total *= n;
  const std::int64_t wanted = std::clamp<std::int64_t>(total / loops::kGrain, 1, kMostParts);
  parts.columns = sizes.back();
  if (sizes.size() == 1) {
    parts.columns = up(up(sizes[0], wanted), kColumnUnit) * kColumnUnit;
    parts.count = up(sizes[0], parts.columns);
    return parts;
  }
  parts.axis = static_cast<int>(std::max_element(sizes.begin(), sizes.end() - 1) - sizes.begin());
  for (int i = 0; i + 1 < static_cast<int>(sizes.size()); ++i)
    (i < parts.axis   ? parts.outer
     : i > parts.axis ? parts.inner
                      : parts.extent) *= sizes[static_cast<std::size_t>(i)];
  parts.size = up(parts.extent, wanted);
  parts.count = up(parts.extent, parts.size);
  return parts;
}

template <class T>
void plain_sum(const Shape& shape, const std::array<bool, Shape::kMaxRank>& gone, const T* x,
               T* out) {
  using A = typename loops::Accumulator<T>::type;
  // The axes that count, with the steps of the result along them.
  std::vector<std::int64_t> sizes, steps;
  std::int64_t outputs = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    const bool kept = !gone[static_cast<std::size_t>(i)];
    if (shape[i] != 1) {
      sizes.insert(sizes.begin(), shape[i]);
      steps.insert(steps.begin(), kept ? outputs : 0);
    }
    if (kept) outputs *= shape[i];
  }
  std::fill_n(out, outputs, T(0));
  if (shape.size() == 0) return;
  if (sizes.empty()) {
    *out = T(0) + *x;  // -0 becomes 0, as in every other sum
    return;
  }
  const std::int64_t columns = sizes.back(), along = steps.back();
  const Parts parts = parts_of(sizes);
  std::vector<A> total(static_cast<std::size_t>(outputs)), part(total.size());
  const auto add_row = [&](std::int64_t row, std::int64_t first, std::int64_t count) {
    std::int64_t at = 0, rest = row;
    for (std::size_t i = sizes.size() - 1; i-- > 0; rest /= sizes[i])
      at += rest % sizes[i] * steps[i];
    const T* const from = x + row * columns + first;
    A* const to = part.data() + at + first * along;
    if (along == 0)
      sums::add_sum(to, from, count);
    else
      for (std::int64_t c = 0; c < count; ++c) to[c] += static_cast<A>(from[c]);
  };
  for (std::int64_t p = 0; p < parts.count; ++p) {
    std::ranges::fill(part, A(0));
    parts.each_block(
        p, columns,
        [&](std::int64_t row, std::int64_t rows, std::int64_t column, std::int64_t count) {
          for (std::int64_t r = row; r < row + rows; ++r) add_row(r, column, count);
        });
    for (std::size_t o = 0; o < total.size(); ++o) total[o] += part[o];
  }
  for (std::size_t o = 0; o < total.size(); ++o) out[o] = static_cast<T>(total[o]);
}

template void plain_sum(const Shape&, const std::array<bool, Shape::kMaxRank>&, const float*,
                        float*);
template void plain_sum(const Shape&, const std::array<bool, Shape::kMaxRank>&, const double*,
                        double*);
template void plain_sum(const Shape&, const std::array<bool, Shape::kMaxRank>&, const Quad*, Quad*);

}  // namespace jacquard
