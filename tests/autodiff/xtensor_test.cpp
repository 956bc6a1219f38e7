#include "autodiff/xtensor.hpp"

#include <doctest/doctest.h>

#include <xtensor/xmath.hpp>
#include <xtensor/xview.hpp>

using namespace jacquard;

TEST_CASE("xtensor: a view shares the tensor's memory") {
  Tensor<float> t(Shape{2, 3}, {1, 2, 3, 4, 5, 6});
  auto view = as_xtensor(t);
  CHECK(view.dimension() == 2);
  CHECK(view(1, 2) == 6);
  view(0, 1) = 20;
  CHECK(t[1] == 20);
  const Tensor<float>& constant = t;
  CHECK(as_xtensor(constant)(0, 1) == 20);
}

TEST_CASE("xtensor: expressions come back as tensors, scalars and empty ones included") {
  const Tensor<double> t(Shape{2, 3}, {1, 2, 3, 4, 5, 6});
  const Tensor<double> doubled = from_xtensor<double>(2.0 * as_xtensor(t));
  CHECK(doubled == Tensor<double>(Shape{2, 3}, {2, 4, 6, 8, 10, 12}));
  const Tensor<double> column = from_xtensor<double>(xt::view(as_xtensor(t), xt::all(), 1));
  CHECK(column == Tensor<double>(Shape{2}, {2, 5}));
  const Tensor<double> scalar(Shape{}, 7.0);
  CHECK(from_xtensor<double>(as_xtensor(scalar) + 1.0) == Tensor<double>(Shape{}, 8.0));
  const Tensor<double> empty{Shape{0, 4}};
  CHECK(from_xtensor<double>(as_xtensor(empty)).shape == Shape{0, 4});
}

// Keeps watch over the forms that the project uses: lazy reductions with a named type. The
// immediate ones and xt::variance crash with g++ 12 in C++20 mode and are not used.
TEST_CASE("xtensor: lazy reductions give the right sums") {
  const Tensor<double> t(Shape{2, 3}, {1, 2, 3, 4, 5, 6});
  const xt::xarray<double> array = as_xtensor(t);
  const xt::xarray<double> rows = xt::sum(array, {1});
  const xt::xarray<double> means = xt::mean(array, {0});
  CHECK(rows(0) == 6);
  CHECK(rows(1) == 15);
  CHECK(means(2) == 4.5);
}
