// A piece of the plane as a picture: points with two numbers each, axes of one scale.
//
// Made of svg.hpp; both axes have the same scale, so that directions and distances are true.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

// Square cells, 32 along the longer side of the range of the points and two of them beyond it on
// every side.
class Plane {
 public:
  static constexpr double kCell = 20;  // pixels

  // Throws ShapeError, beginning with `where`, unless the points are [points, 2] with at least one;
  // their numbers must be finite.
  Plane(std::string_view where, const Tensor<float>& points);

  double left(double x) const { return kLeft + (x - x_.low) / x_.cell * kCell; }
  double top(double y) const { return kTop + y_.pixels() - (y - y_.low) / y_.cell * kCell; }

  // The middles of the cells, [cells, 2], row by row.
  Tensor<float> middles() const;

  // The file up to the axes and their labels, and its end with a line of text below.
  std::string begin(std::string_view title, std::string_view x_label,
                    std::string_view y_label) const;
  std::string end(std::string_view below) const;

  // Dots at the first 2000 points for which `is_shown` holds.
  std::string dots(const Tensor<float>& points, std::string_view colour,
                   const std::function<bool(std::int64_t)>& is_shown) const;

 private:
  static constexpr double kLeft = 80, kTop = 48, kRight = 24, kBottom = 64;

  // One axis of the picture: `cells` cells from `low`.
  struct Side {
    double low, cell;
    int cells;

    double middle(int i) const { return low + cell * (i + 0.5); }
    double high() const { return low + cell * cells; }
    double pixels() const { return kCell * cells; }
  };
  static Side side_of(double low, double high, double cell);
  double width() const { return kLeft + x_.pixels() + kRight; }
  double height() const { return kTop + y_.pixels() + kBottom; }

  Side x_, y_;
};

}  // namespace jacquard::experiments
