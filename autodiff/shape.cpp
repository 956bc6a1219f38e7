#include "autodiff/shape.hpp"

#include <algorithm>
#include <ostream>

#include "autodiff/error.hpp"

namespace jacquard {

Shape::Shape(std::initializer_list<std::int64_t> sizes) : sizes_(sizes) { check(); }
Shape::Shape(std::vector<std::int64_t> sizes) : sizes_(std::move(sizes)) { check(); }

void Shape::check() {
  if (rank() > kMaxRank)
    throw ShapeError(
        cat("shape ", *this, ": rank ", rank(), "; at most ", kMaxRank, " axes are allowed"));
  // The product is taken without zeros first, so that [0, 2^62] is refused as well.
  std::int64_t product = 1;
  for (const std::int64_t s : sizes_) {
    if (s < 0) throw ShapeError(cat("shape ", *this, ": size ", s, " is negative"));
    if (s > 0 && (__builtin_mul_overflow(product, s, &product) || product > kMaxElements))
      throw ShapeError(cat("shape ", *this, ": too many elements; at most 2^40 are allowed"));
  }
  size_ = std::ranges::count(sizes_, 0) > 0 ? 0 : product;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

Shape broadcast(const char* where, const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t m = i <= a.rank() ? a[a.rank() - i] : 1;
    const std::int64_t n = i <= b.rank() ? b[b.rank() - i] : 1;
    if (m != n && m != 1 && n != 1)
      throw ShapeError(cat(where, ": ", a, " and ", b, ": sizes ", m, " and ", n,
                           " do not broadcast; they must be equal or 1"));
    sizes[static_cast<std::size_t>(rank - i)] = m == 1 ? n : m;
  }
  return Shape(std::move(sizes));
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  if (from.rank() > to.rank()) return false;
  for (int i = 1; i <= from.rank(); ++i) {
    const std::int64_t m = from[from.rank() - i];
    if (m != 1 && m != to[to.rank() - i]) return false;
  }
  return true;
}

std::vector<std::int64_t> strides(const Shape& shape) {
  std::vector<std::int64_t> result(static_cast<std::size_t>(shape.rank()));
  std::int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    result[static_cast<std::size_t>(i)] = step;
    step *= shape[i];
  }
  return result;
}

std::vector<std::int64_t> broadcast_strides(const Shape& from, const Shape& to) {
  const std::vector<std::int64_t> own = strides(from);
  std::vector<std::int64_t> result(static_cast<std::size_t>(to.rank()), 0);
  for (int i = 1; i <= from.rank(); ++i)
    if (from[from.rank() - i] != 1)
      result[static_cast<std::size_t>(to.rank() - i)] =
          own[static_cast<std::size_t>(from.rank() - i)];
  return result;
}

int normal_axis(const char* where, std::int64_t axis, int rank) {
  const std::int64_t normal = axis < 0 ? axis + rank : axis;
  if (normal < 0 || normal >= rank)
    throw ShapeError(cat(where, ": axis ", axis, " does not exist in a tensor of rank ", rank));
  return static_cast<int>(normal);
}

}  // namespace jacquard
