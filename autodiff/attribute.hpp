// Attributes: the constants a node carries beside its inputs (axes, a shape, a name, a factor).
//
// Equality, hash and text are derived here once, so that no op can forget one of its attributes.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "autodiff/shape.hpp"

namespace jacquard {

using AttributeValue = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>;

class Attributes {
 public:
  // Names must outlive the object: string literals.
  using Entry = std::pair<std::string_view, AttributeValue>;

  Attributes() = default;
  Attributes(std::initializer_list<Entry> entries) : entries_(entries) {}
  explicit Attributes(std::vector<Entry> entries) : entries_(std::move(entries)) {}

  // Throw InternalError when there is no such attribute of that type.
  std::int64_t integer(std::string_view name) const;
  double number(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  const std::vector<std::int64_t>& integers(std::string_view name) const;

  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }

  // Numbers are compared by their bits: NaN equals itself, 0 and -0 differ.
  bool operator==(const Attributes& other) const;
  std::size_t hash() const;

 private:
  const AttributeValue& find(std::string_view name) const;
  std::vector<Entry> entries_;
};

// axis=1, shape=[2, 3]; numbers in the shortest form that reads back to the same bits.
std::ostream& operator<<(std::ostream& out, const Attributes& attributes);

// Combines hashes of parts in order.
std::size_t hash_combine(std::size_t seed, std::size_t value);

// The shortest decimal text of x that reads back to the same bits.
std::string number_text(double x);

}  // namespace jacquard
