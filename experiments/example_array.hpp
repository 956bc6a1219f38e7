// ExampleArray: numbers of many examples. They lie in memory as floats, or as the bytes that images
// and labels come in, which become floats where they are asked for: a quarter of the memory, and
// nothing to wait for before the first step.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

class ContentHash;

// The number that each unsigned byte stands for.
using ByteValues = std::array<float, 256>;

class ExampleArray {
 public:
  ExampleArray() : ExampleArray(Tensor<float>({0})) {}
  // [count, ...]. Throws InternalError for a tensor without axes. Not explicit: a tensor of
  // examples may stand wherever an array of them is wanted.
  ExampleArray(Tensor<float> values);
  // As many bytes as `shape`, [count, ...], has elements.
  ExampleArray(Shape shape, std::string bytes, const ByteValues& values);

  const Shape& shape() const { return shape_; }  // [count, ...]
  std::int64_t count() const { return shape_[0]; }
  std::int64_t row() const { return row_; }  // numbers of one example

  // The examples with these numbers, in this order. They share the memory of this array, but for
  // few out of many floats, which are copied so that the others may go.
  ExampleArray taken(const std::vector<std::int64_t>& examples) const;
  ExampleArray beginning(std::int64_t count) const;  // the first ones, all if there are fewer

  // Writes the row() numbers of an example from `to` on and gives the end.
  float* copy(std::int64_t example, float* to) const;
  Tensor<float> values() const;

  // Floats of its own, to be changed; their shape is to stay.
  Tensor<float>& floats();

  // Equal where shapes and numbers are.
  bool operator==(const ExampleArray& other) const;

  // The shape and what lies in memory.
  void add_to(ContentHash& hash) const;

 private:
  struct Bytes {
    std::string bytes;
    ByteValues values;
  };
  using Memory = std::variant<std::shared_ptr<Tensor<float>>, std::shared_ptr<const Bytes>>;

  // A copy where the memory has far more floats.
  ExampleArray compact() &&;

  std::int64_t place(std::int64_t example) const {
    return examples_.empty() ? example : examples_[static_cast<std::size_t>(example)];
  }

  Shape shape_;
  std::int64_t row_ = 1;
  Memory memory_;
  std::vector<std::int64_t> examples_;  // rows of the memory; empty: the first ones, or none
};

}  // namespace jacquard::experiments
