// Tensors as xtensor views and back: the array type at the edges of the engine (data preparation,
// programs that use xtensor). Slow to compile, so no header that everybody includes includes this.
//
// With g++ 12 in C++20 mode xt::variance, xt::stddev and immediate reductions of an xarray crash;
// do not use them on what these functions return. Reduce lazily: xt::xarray<T> s = xt::sum(a, {0}).
#pragma once

#include <algorithm>
#include <xtensor/xadapt.hpp>
#include <xtensor/xarray.hpp>

#include "autodiff/tensor.hpp"

namespace jacquard {

// The tensor's own memory as a view of its shape; it must outlive the view.
template <class T>
auto as_xtensor(Tensor<T>& tensor) {
  const std::vector<std::size_t> shape(tensor.shape.begin(), tensor.shape.end());
  return xt::adapt(tensor.data.data(), tensor.data.size(), xt::no_ownership(), shape);
}
template <class T>
auto as_xtensor(const Tensor<T>& tensor) {
  const std::vector<std::size_t> shape(tensor.shape.begin(), tensor.shape.end());
  return xt::adapt(tensor.data.data(), tensor.data.size(), xt::no_ownership(), shape);
}

// A copy of an xtensor expression, evaluated once.
template <class T, class Expression>
Tensor<T> from_xtensor(const xt::xexpression<Expression>& expression) {
  const xt::xarray<T> values = expression.derived_cast();
  std::vector<std::int64_t> sizes;
  for (const std::size_t n : values.shape()) sizes.push_back(static_cast<std::int64_t>(n));
  Tensor<T> tensor{Shape(std::move(sizes))};
  std::copy(values.storage().begin(), values.storage().end(), tensor.data.begin());
  return tensor;
}

}  // namespace jacquard
