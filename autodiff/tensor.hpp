// Tensor: numbers with a shape, the array that goes in and out of the engine.
//
// Plain and row-major, so that every header may include it; autodiff/xtensor.hpp gives the same
// memory as xtensor views.
#pragma once

#include <span>
#include <vector>

#include "autodiff/shape.hpp"

namespace jacquard {

template <class T>
struct Tensor {
  Shape shape;
  std::vector<T> data;  // shape.size() numbers, row-major

  Tensor() : data(1) {}  // the scalar 0
  explicit Tensor(Shape s, T value = T(0))
      : shape(std::move(s)), data(static_cast<std::size_t>(shape.size()), value) {}
  Tensor(Shape s, std::vector<T> values) : shape(std::move(s)), data(std::move(values)) {}

  std::int64_t size() const { return shape.size(); }
  T& operator[](std::int64_t i) { return data[static_cast<std::size_t>(i)]; }
  const T& operator[](std::int64_t i) const { return data[static_cast<std::size_t>(i)]; }
  operator std::span<T>() { return data; }
  operator std::span<const T>() const { return data; }

  bool operator==(const Tensor&) const = default;
};

// The same numbers in another precision.
template <class To, class From>
Tensor<To> cast(const Tensor<From>& from) {
  Tensor<To> to(from.shape);
  for (std::size_t i = 0; i < from.data.size(); ++i) to.data[i] = static_cast<To>(from.data[i]);
  return to;
}

}  // namespace jacquard
