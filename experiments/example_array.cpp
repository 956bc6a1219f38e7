#include "experiments/example_array.hpp"

#include <algorithm>
#include <utility>

#include "autodiff/error.hpp"
#include "experiments/content_hash.hpp"
#include "experiments/large_pages.hpp"

namespace jacquard::experiments {
namespace {

Shape with_count(const Shape& shape, std::int64_t count) {
  std::vector<std::int64_t> sizes = shape.sizes();
  sizes[0] = count;
  return Shape(std::move(sizes));
}

std::int64_t row_of(const Shape& shape) {
  if (shape.rank() == 0) throw InternalError("examples: a number has no axis of examples");
  return with_count(shape, 1).size();
}

}  // namespace

ExampleArray::ExampleArray(Tensor<float> values)
    : shape_(values.shape),
      row_(row_of(shape_)),
      memory_(std::make_shared<Tensor<float>>(std::move(values))) {}

ExampleArray::ExampleArray(Shape shape, std::string bytes, const ByteValues& values)
    : shape_(std::move(shape)),
      row_(row_of(shape_)),
      memory_(std::make_shared<const Bytes>(Bytes{std::move(bytes), values})) {
  const std::int64_t given = std::ssize(std::get<1>(memory_)->bytes);
  if (given != shape_.size())
    throw InternalError(cat("examples: ", given, " bytes for the shape ", shape_));
}

ExampleArray ExampleArray::taken(const std::vector<std::int64_t>& examples) const {
  ExampleArray result = *this;
  result.shape_ = with_count(shape_, std::ssize(examples));
  result.examples_.clear();
  for (const std::int64_t example : examples) {
    if (example < 0 || example >= count())
      throw InternalError(cat("examples: number ", example, " of ", count()));
    result.examples_.push_back(place(example));
  }
  return std::move(result).compact();
}

ExampleArray ExampleArray::compact() && {
  const auto* const floats = std::get_if<0>(&memory_);
  if (floats && shape_.size() < (*floats)->size() / 4) return ExampleArray(values());
  return std::move(*this);
}

ExampleArray ExampleArray::beginning(std::int64_t count) const {
  ExampleArray result = *this;
  if (count >= this->count()) return result;
  result.shape_ = with_count(shape_, count);
  if (!examples_.empty()) result.examples_.resize(static_cast<std::size_t>(count));
  return std::move(result).compact();
}

float* ExampleArray::copy(std::int64_t example, float* to) const {
  const std::int64_t first = place(example) * row_;
  if (const auto* floats = std::get_if<0>(&memory_))
    return std::copy_n((*floats)->data.data() + first, row_, to);
  const Bytes& from = *std::get<1>(memory_);
  const auto* const bytes = reinterpret_cast<const unsigned char*>(from.bytes.data()) + first;
  const float* const values = from.values.data();
  for (std::int64_t i = 0; i < row_; ++i) to[i] = values[bytes[i]];
  return to + row_;
}

Tensor<float> ExampleArray::values() const {
  std::vector<float> all;
  all.reserve(static_cast<std::size_t>(shape_.size()));
  prefer_large_pages(all.data(), all.capacity() * sizeof(float));
  all.resize(static_cast<std::size_t>(shape_.size()));
  float* to = all.data();
  for (std::int64_t example = 0; example < count(); ++example) to = copy(example, to);
  return {shape_, std::move(all)};
}

Tensor<float>& ExampleArray::floats() {
  const auto* own = std::get_if<0>(&memory_);
  if (!own || own->use_count() > 1 || !examples_.empty() || !((*own)->shape == shape_))
    *this = ExampleArray(values());
  return *std::get<0>(memory_);
}

bool ExampleArray::operator==(const ExampleArray& other) const {
  return shape_ == other.shape_ && values() == other.values();
}

void ExampleArray::add_to(ContentHash& hash) const {
  const std::vector<std::int64_t>& sizes = shape_.sizes();
  const std::uint64_t rank = sizes.size();
  hash.add(&rank, sizeof rank);
  hash.add(sizes.data(), sizes.size() * sizeof(std::int64_t));
  const auto* const floats = std::get_if<0>(&memory_);
  if (!floats) hash.add(std::get<1>(memory_)->values.data(), sizeof(ByteValues));
  const std::size_t number = floats ? sizeof(float) : 1;
  const char* const from = floats ? reinterpret_cast<const char*>((*floats)->data.data())
                                  : std::get<1>(memory_)->bytes.data();
  const std::size_t bytes = static_cast<std::size_t>(row_) * number;
  const auto row = [&](std::int64_t example) {
    return from + static_cast<std::size_t>(place(example)) * bytes;
  };
  // Examples in the order of a split lie all over the memory, which is faster when it is asked
  // before they are needed.
  constexpr std::int64_t kAhead = 4;
  constexpr std::size_t kLine = 64;
  for (std::int64_t example = 0; example < count(); ++example) {
    if (const std::int64_t next = example + kAhead; next < count())
      for (std::size_t i = 0; i < bytes; i += kLine) __builtin_prefetch(row(next) + i);
    hash.add(row(example), bytes);
  }
}

}  // namespace jacquard::experiments
