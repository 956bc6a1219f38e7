// curves.svg: numbers over epochs as a line chart, one self-contained SVG file.
//
// It holds no script, no link and no font; equal charts give equal bytes.
#pragma once

#include <string>
#include <vector>

namespace jacquard::experiments {

// Points (x[i], y[i]). A y that cannot be drawn (not finite, beyond 1e300 in magnitude, or not
// positive on a logarithmic scale) leaves a gap in the line.
struct Series {
  std::string name;
  std::vector<double> x, y;
};

struct Chart {
  std::string title;
  std::string x_label = "epoch";
  std::string y_label;
  std::vector<Series> series;
  bool log_scale = false;  // of the y axis
};

// Throws InternalError when a series has not as many x as y. A chart in which nothing can be drawn
// says so.
std::string curves_svg(const Chart& chart);

// Round numbers from low to high (low < high), about `wanted` of them, the multiples of 1, 2 or 5
// times a power of ten.
std::vector<double> linear_ticks(double low, double high, int wanted);
// The same for a logarithmic axis (0 < low < high): powers of ten, with 2 and 5 times them where
// few fit; linear ticks where fewer than two fit.
std::vector<double> log_ticks(double low, double high, int wanted);

}  // namespace jacquard::experiments
