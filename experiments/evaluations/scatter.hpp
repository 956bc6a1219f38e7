// Points of the plane coloured by their labels, one self-contained SVG file.
#pragma once

#include <string>

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct Scatter {
  std::string title, x_label, y_label;
  Tensor<float> points;              // [points, 2], at least one, finite; 2000 are drawn
  std::vector<std::int64_t> labels;  // by point, from 0, or none; ten colours, then they repeat
  std::string below;                 // a line of text
};

// Equal charts give equal bytes. Throws ShapeError for points of another shape.
std::string scatter_svg(const Scatter& scatter);

}  // namespace jacquard::experiments
