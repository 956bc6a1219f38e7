#include "experiments/plane.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autodiff/error.hpp"
#include "experiments/curves.hpp"
#include "experiments/svg.hpp"

namespace jacquard::experiments {
namespace {

constexpr int kCells = 32;  // along the longer side
constexpr int kMargin = 2;  // cells beyond the points
constexpr int kTicks = 6;
constexpr std::int64_t kMostDots = 2000;

struct Span {
  double low, high;
  double length() const { return high - low; }
};

Span span_of(const Tensor<float>& points, std::int64_t column) {
  Span span{points[column], points[column]};
  for (std::int64_t i = 0; i < points.shape[0]; ++i) {
    const double value = points[2 * i + column];
    span = {std::min(span.low, value), std::max(span.high, value)};
  }
  return span;
}

}  // namespace

Plane::Side Plane::side_of(double low, double high, double cell) {
  // The slack keeps rounding from adding a cell to the longer side.
  const int cells =
      2 * kMargin + std::max(1, static_cast<int>(std::ceil((high - low) / cell - 1e-6)));
  const double middle = low + (high - low) / 2;
  return {middle - cell * cells / 2, cell, cells};
}

Plane::Plane(std::string_view where, const Tensor<float>& points) {
  if (points.shape.rank() != 2 || points.shape[1] != 2)
    throw ShapeError(
        cat(where, ": data of shape ", points.shape, " cannot be drawn; two columns are needed"));
  if (points.shape[0] == 0)
    throw ShapeError(cat(where, ": there is no data; at least one example is needed"));
  const Span x = span_of(points, 0), y = span_of(points, 1);
  double length = std::max(x.length(), y.length());
  // Points that are (nearly) one point get some room.
  const double magnitude = std::max({-x.low, x.high, -y.low, y.high});
  length = std::max(length, magnitude > 0 ? 1e-4 * magnitude : 1.0);
  const double cell = length / (kCells - 2 * kMargin);
  x_ = side_of(x.low, x.high, cell);
  y_ = side_of(y.low, y.high, cell);
}

Tensor<float> Plane::middles() const {
  // The margin of the largest floats lies beyond them.
  const auto in_range = [](double value) {
    constexpr double kLargest = std::numeric_limits<float>::max();
    return static_cast<float>(std::clamp(value, -kLargest, kLargest));
  };
  Tensor<float> places(Shape{std::int64_t{x_.cells} * y_.cells, 2});
  std::int64_t at = 0;
  for (int row = 0; row < y_.cells; ++row)
    for (int column = 0; column < x_.cells; ++column) {
      places[at++] = in_range(x_.middle(column));
      places[at++] = in_range(y_.middle(row));
    }
  return places;
}

std::string Plane::begin(std::string_view title, std::string_view x_label,
                         std::string_view y_label) const {
  const double right = kLeft + x_.pixels(), bottom = kTop + y_.pixels();
  const double middle = (kLeft + right) / 2, halfway = (kTop + bottom) / 2;
  std::string svg = svg_begin(width(), height(), title);
  svg += svg_text(middle, 28, "text-anchor=\"middle\" font-size=\"16\"", title);
  const std::vector<double> x_ticks = linear_ticks(x_.low, x_.high(), kTicks);
  for (const double tick : x_ticks) {
    const double x = left(tick);
    svg += svg_line(x, bottom, x, bottom + 5, "#333333");
    svg += svg_text(x, bottom + 20, "text-anchor=\"middle\"", tick_text(x_ticks, tick));
  }
  const std::vector<double> y_ticks = linear_ticks(y_.low, y_.high(), kTicks);
  for (const double tick : y_ticks) {
    const double y = top(tick);
    svg += svg_line(kLeft - 5, y, kLeft, y, "#333333");
    svg += svg_text(kLeft - 8, y + 4, "text-anchor=\"end\"", tick_text(y_ticks, tick));
  }
  svg += svg_line(kLeft, bottom, right, bottom, "#333333");
  svg += svg_line(kLeft, kTop, kLeft, bottom, "#333333");
  svg += svg_text(middle, bottom + 40, "text-anchor=\"middle\"", x_label);
  svg +=
      svg_text(16, halfway,
               cat("text-anchor=\"middle\" transform=\"rotate(-90 16 ", svg_number(halfway), ")\""),
               y_label);
  return svg;
}

std::string Plane::end(std::string_view below) const {
  return svg_text(kLeft + x_.pixels() / 2, height() - 6, "text-anchor=\"middle\"", below) +
         "</svg>\n";
}

// Lines of no length with round ends.
std::string Plane::dots(const Tensor<float>& points, std::string_view colour,
                        const std::function<bool(std::int64_t)>& is_shown) const {
  std::string svg = "<path d=\"";
  for (std::int64_t i = 0; i < std::min(kMostDots, points.shape[0]); ++i)
    if (is_shown(i))
      svg +=
          cat("M", svg_number(left(points[2 * i])), " ", svg_number(top(points[2 * i + 1])), "h0");
  return svg + cat("\" stroke=\"", colour, "\" stroke-width=\"2.5\" stroke-linecap=\"round\"/>\n");
}

}  // namespace jacquard::experiments
