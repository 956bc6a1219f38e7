// Shape: the sizes of a tensor's axes, and NumPy's rules of broadcasting.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <vector>

namespace jacquard {

// Row-major sizes. Rank 0 is a scalar; an axis may have size 0.
class Shape {
 public:
  Shape() = default;
  // Throws ShapeError for a negative size, more than kMaxElements elements or more than
  // kMaxRank axes.
  Shape(std::initializer_list<std::int64_t> sizes);
  explicit Shape(std::vector<std::int64_t> sizes);

  // 2^40: far above what fits in memory, far below where products of sizes overflow.
  static constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;
  // Kernels keep their loop counters in arrays of this length.
  static constexpr int kMaxRank = 12;

  int rank() const { return static_cast<int>(sizes_.size()); }
  std::int64_t size() const { return size_; }  // number of elements
  std::int64_t operator[](int axis) const { return sizes_[static_cast<std::size_t>(axis)]; }
  const std::vector<std::int64_t>& sizes() const { return sizes_; }
  auto begin() const { return sizes_.begin(); }
  auto end() const { return sizes_.end(); }

  bool operator==(const Shape& other) const { return sizes_ == other.sizes_; }

 private:
  void check();
  std::vector<std::int64_t> sizes_;
  std::int64_t size_ = 1;
};

std::ostream& operator<<(std::ostream& out, const Shape& shape);  // [20, 784]

// The common shape of a and b under NumPy's rules. Throws ShapeError beginning with `where`.
Shape broadcast(const char* where, const Shape& a, const Shape& b);
bool broadcasts_to(const Shape& from, const Shape& to);

// Distance in elements between neighbours along each axis, row-major.
std::vector<std::int64_t> strides(const Shape& shape);
// The same for reading `from` as if it had shape `to`: 0 along broadcast axes.
std::vector<std::int64_t> broadcast_strides(const Shape& from, const Shape& to);

// Turns a negative axis into its place from the front. Throws ShapeError beginning with `where`.
int normal_axis(const char* where, std::int64_t axis, int rank);

}  // namespace jacquard
