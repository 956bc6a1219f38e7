#include "experiments/vector_field.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/error.hpp"
#include "experiments/plane.hpp"
#include "experiments/svg.hpp"

namespace jacquard::experiments {
namespace {

constexpr double kHead = 0.3;     // of an arrow's length
constexpr double kSpread = 0.45;  // radians between an arrow and a side of its head

struct Point {
  double x, y;
  std::string text() const { return cat(svg_number(x), " ", svg_number(y)); }
};

// An arrow from `tail` by (dx, dy), in pixels.
std::string arrow_svg(Point tail, double dx, double dy) {
  const Point tip{tail.x + dx, tail.y + dy};
  const auto side = [&](double angle) {
    const double c = kHead * std::cos(angle), s = kHead * std::sin(angle);
    return Point{tip.x - c * dx + s * dy, tip.y - s * dx - c * dy};
  };
  return cat("<path d=\"M", tail.text(), "L", tip.text(), "M", side(kSpread).text(), "L",
             tip.text(), "L", side(-kSpread).text(), "\"/>\n");
}

std::string arrows_svg(const Plane& plane, const VectorField& field, double longest) {
  std::string svg = "<g fill=\"none\" stroke=\"#0072b2\">\n";
  for (std::int64_t i = 0; i < field.arrows.shape[0]; ++i) {
    const double dx = field.arrows[2 * i], dy = field.arrows[2 * i + 1];
    const double x = field.places[2 * i], y = field.places[2 * i + 1];
    if (!std::isfinite(dx + dy) || (dx == 0 && dy == 0) || !std::isfinite(x + y)) continue;
    svg += arrow_svg({plane.left(x), plane.top(y)}, dx / longest * Plane::kCell,
                     -dy / longest * Plane::kCell);
  }
  return svg + "</g>\n";
}

// 0 where there is no arrow to draw.
double longest_of(const Tensor<float>& arrows) {
  double longest = 0;
  for (std::int64_t i = 0; i < arrows.shape[0]; ++i) {
    const double length = std::hypot(double{arrows[2 * i]}, double{arrows[2 * i + 1]});
    if (std::isfinite(length)) longest = std::max(longest, length);
  }
  return longest;
}

}  // namespace

Tensor<float> field_grid(const Tensor<float>& data) {
  return Plane("vector field", data).middles();
}

std::string vector_field_svg(const VectorField& field) {
  const Plane plane("vector field", field.data);
  if (field.places.shape.rank() != 2 || field.places.shape[1] != 2)
    throw ShapeError(cat("vector field: places of shape ", field.places.shape,
                         " cannot be drawn; two columns are needed"));
  if (!(field.arrows.shape == field.places.shape))
    throw ShapeError(cat("vector field: places ", field.places.shape, " and arrows ",
                         field.arrows.shape, " differ in shape; equal shapes are needed"));
  const double longest = longest_of(field.arrows);
  return plane.begin(field.title, "x[:, 0]", "x[:, 1]") +
         plane.dots(field.data, "#e69f00", [](std::int64_t) { return true; }) +
         arrows_svg(plane, field, longest) +
         plane.end(longest == 0 ? "there is no arrow to draw"
                                : cat("the longest arrow is ", static_cast<float>(longest)));
}

}  // namespace jacquard::experiments
