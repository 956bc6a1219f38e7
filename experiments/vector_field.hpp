// field.svg: arrows over the plane with the data behind them, one self-contained SVG file.
//
// Both axes have one scale, so that directions are true. Arrows begin where they belong; their
// lengths are proportional to the field, the longest as long as a cell of the grid.
#pragma once

#include <string>

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct VectorField {
  std::string title;
  Tensor<float> data;    // [examples, 2], at least one; the first 2000 are drawn as dots
  Tensor<float> places;  // [arrows, 2]
  Tensor<float> arrows;  // [arrows, 2]; one that is 0 or not finite is left out
};

// Where a field is drawn: the middles of square cells, [cells, 2], 32 along the longer side of the
// range of the data and two of them beyond it on every side. Throws ShapeError unless the data is
// [examples, 2] with at least one example; its numbers must be finite.
Tensor<float> field_grid(const Tensor<float>& data);

// Throws ShapeError as field_grid() does, and for places and arrows of other shapes.
std::string vector_field_svg(const VectorField& field);

}  // namespace jacquard::experiments
