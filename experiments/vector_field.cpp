#include "experiments/vector_field.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "autodiff/error.hpp"
#include "experiments/curves.hpp"
#include "experiments/svg.hpp"

namespace jacquard::experiments {
namespace {

constexpr int kCells = 32;    // along the longer side
constexpr int kMargin = 2;    // cells beyond the data
constexpr double kCell = 20;  // pixels
constexpr double kLeft = 80, kTop = 48, kRight = 24, kBottom = 64;
constexpr double kHead = 0.3;     // of an arrow's length
constexpr double kSpread = 0.45;  // radians between an arrow and a side of its head
constexpr int kTicks = 6;
constexpr std::int64_t kMostDots = 2000;

// One axis of the picture: `cells` cells from `low`.
struct Side {
  double low, cell;
  int cells;

  double middle(int i) const { return low + cell * (i + 0.5); }
  double high() const { return low + cell * cells; }
  double pixels() const { return kCell * cells; }
};

struct Window {
  Side x, y;

  double left(double value) const { return kLeft + (value - x.low) / x.cell * kCell; }
  double top(double value) const { return kTop + y.pixels() - (value - y.low) / y.cell * kCell; }
};

void check_plane(const char* what, const Tensor<float>& points) {
  if (points.shape.rank() != 2 || points.shape[1] != 2)
    throw ShapeError(cat("vector field: ", what, " of shape ", points.shape,
                         " cannot be drawn; two columns are needed"));
}

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

Side side_of(const Span& span, double cell) {
  // The slack keeps rounding from adding a cell to the longer side.
  const int cells =
      2 * kMargin + std::max(1, static_cast<int>(std::ceil(span.length() / cell - 1e-6)));
  const double middle = span.low + span.length() / 2;
  return {middle - cell * cells / 2, cell, cells};
}

Window window_of(const Tensor<float>& data) {
  check_plane("data", data);
  if (data.shape[0] == 0)
    throw ShapeError("vector field: there is no data; at least one example is needed");
  const Span x = span_of(data, 0), y = span_of(data, 1);
  double length = std::max(x.length(), y.length());
  // Points that are (nearly) one point get some room.
  const double magnitude = std::max({-x.low, x.high, -y.low, y.high});
  length = std::max(length, magnitude > 0 ? 1e-4 * magnitude : 1.0);
  const double cell = length / (kCells - 2 * kMargin);
  return {side_of(x, cell), side_of(y, cell)};
}

std::string axes_svg(const Window& window) {
  const double right = kLeft + window.x.pixels(), bottom = kTop + window.y.pixels();
  std::string svg;
  const std::vector<double> x_ticks = linear_ticks(window.x.low, window.x.high(), kTicks);
  for (const double tick : x_ticks) {
    const double x = window.left(tick);
    svg += svg_line(x, bottom, x, bottom + 5, "#333333");
    svg += svg_text(x, bottom + 20, "text-anchor=\"middle\"", tick_text(x_ticks, tick));
  }
  const std::vector<double> y_ticks = linear_ticks(window.y.low, window.y.high(), kTicks);
  for (const double tick : y_ticks) {
    const double y = window.top(tick);
    svg += svg_line(kLeft - 5, y, kLeft, y, "#333333");
    svg += svg_text(kLeft - 8, y + 4, "text-anchor=\"end\"", tick_text(y_ticks, tick));
  }
  svg += svg_line(kLeft, bottom, right, bottom, "#333333");
  svg += svg_line(kLeft, kTop, kLeft, bottom, "#333333");
  svg += svg_text((kLeft + right) / 2, bottom + 40, "text-anchor=\"middle\"", "x[:, 0]");
  const double middle = (kTop + bottom) / 2;
  svg +=
      svg_text(16, middle,
               cat("text-anchor=\"middle\" transform=\"rotate(-90 16 ", svg_number(middle), ")\""),
               "x[:, 1]");
  return svg;
}

// Lines of no length with round ends.
std::string dots_svg(const Window& window, const Tensor<float>& data) {
  std::string svg = "<path d=\"";
  for (std::int64_t i = 0; i < std::min(kMostDots, data.shape[0]); ++i)
    svg += cat("M", svg_number(window.left(data[2 * i])), " ",
               svg_number(window.top(data[2 * i + 1])), "h0");
  return svg + "\" stroke=\"#e69f00\" stroke-width=\"2.5\" stroke-linecap=\"round\"/>\n";
}

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

std::string arrows_svg(const Window& window, const VectorField& field, double longest) {
  std::string svg = "<g fill=\"none\" stroke=\"#0072b2\">\n";
  for (std::int64_t i = 0; i < field.arrows.shape[0]; ++i) {
    const double dx = field.arrows[2 * i], dy = field.arrows[2 * i + 1];
    const double x = field.places[2 * i], y = field.places[2 * i + 1];
    if (!std::isfinite(dx + dy) || (dx == 0 && dy == 0) || !std::isfinite(x + y)) continue;
    svg += arrow_svg({window.left(x), window.top(y)}, dx / longest * kCell, -dy / longest * kCell);
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
  // The margin of the largest floats lies beyond them.
  const auto in_range = [](double value) {
    constexpr double kLargest = std::numeric_limits<float>::max();
    return static_cast<float>(std::clamp(value, -kLargest, kLargest));
  };
  const Window window = window_of(data);
  Tensor<float> places(Shape{std::int64_t{window.x.cells} * window.y.cells, 2});
  std::int64_t at = 0;
  for (int row = 0; row < window.y.cells; ++row)
    for (int column = 0; column < window.x.cells; ++column) {
      places[at++] = in_range(window.x.middle(column));
      places[at++] = in_range(window.y.middle(row));
    }
  return places;
}

std::string vector_field_svg(const VectorField& field) {
  const Window window = window_of(field.data);
  check_plane("places", field.places);
  if (!(field.arrows.shape == field.places.shape))
    throw ShapeError(cat("vector field: places ", field.places.shape, " and arrows ",
                         field.arrows.shape, " differ in shape; equal shapes are needed"));
  const double longest = longest_of(field.arrows);
  const double width = kLeft + window.x.pixels() + kRight;
  const double height = kTop + window.y.pixels() + kBottom;
  std::string svg = svg_begin(width, height, field.title);
  const double middle = kLeft + window.x.pixels() / 2;
  svg += svg_text(middle, 28, "text-anchor=\"middle\" font-size=\"16\"", field.title);
  svg += axes_svg(window);
  svg += dots_svg(window, field.data);
  svg += arrows_svg(window, field, longest);
  svg += svg_text(middle, height - 6, "text-anchor=\"middle\"",
                  longest == 0 ? "there is no arrow to draw"
                               : cat("the longest arrow is ", static_cast<float>(longest)));
  return svg + "</svg>\n";
}

}  // namespace jacquard::experiments
