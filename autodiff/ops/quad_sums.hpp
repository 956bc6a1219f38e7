// Sums of products of quad numbers at the speed of vector instructions: each number is taken apart
// into three doubles, and products and sums carry what rounding takes from them.
//
// Software that adds and multiplies quad numbers one at a time takes 45 nanoseconds for a product
// and a sum, this takes two. The sums are at least as accurate: what is lost is some 2^-130 of the
// sum of the products' magnitudes, before one rounding to quad. Error-free products and sums:
// Ogita, Rump and Oishi 2005, "Accurate sum and dot product".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "autodiff/number.hpp"
#include "autodiff/pool.hpp"

namespace jacquard {

// Quad numbers as sums of three doubles: 53, 30 and 30 of the 113 bits.
class QuadParts {
 public:
  // nullopt where a number is neither 0 nor of a magnitude in [2^-400, 2^401): products of its
  // parts could leave the range of double.
  static std::optional<QuadParts> of(ThreadPool* pool, const Quad* numbers, std::int64_t count);

  // Where the parts of a number lie.
  using Place = std::array<const double*, 3>;
  Place at(std::int64_t index) const {
    const double* const first = parts_.get() + index;
    return {first, first + count_, first + 2 * count_};
  }

 private:
  QuadParts(std::int64_t count, std::unique_ptr<double[]> parts)
      : count_(count), parts_(std::move(parts)) {}
  std::int64_t count_;
  std::unique_ptr<double[]> parts_;
};

// Sums that products are added to.
class QuadSums {
 public:
  static constexpr std::int64_t kMost = 256;

  void clear(std::int64_t count);

  // Adds a[i * step_a] * b[i * step_b] to sum i of the first `count`; both steps are 0 or 1, not
  // both of them 0.
  void add(QuadParts::Place a, std::int64_t step_a, QuadParts::Place b, std::int64_t step_b,
           std::int64_t count);

  // Adds count products, of numbers a[i * step_a] and b[i * step_b] with any steps, to one sum
  // which total() gives; the first kLanes sums are in use.
  static constexpr std::int64_t kLanes = 16;
  void add_run(QuadParts::Place a, std::int64_t step_a, QuadParts::Place b, std::int64_t step_b,
               std::int64_t count);
  Quad total() const;

  Quad value(std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    return static_cast<Quad>(sums_[0][at]) +
           (static_cast<Quad>(sums_[1][at]) + static_cast<Quad>(sums_[2][at]));
  }

 private:
  std::array<std::array<double, kMost>, 3> sums_;
};

}  // namespace jacquard
