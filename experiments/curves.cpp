#include "experiments/curves.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "autodiff/error.hpp"
#include "experiments/svg.hpp"

namespace jacquard::experiments {
namespace {

constexpr double kPlotWidth = 640, kPlotHeight = 360;
constexpr double kLeft = 80, kTop = 48, kBottom = 56, kLegendGap = 16, kLegendRow = 20;
constexpr double kLetterWidth = 7;  // of the legend's text, on average
constexpr std::size_t kLongestName = 48;
constexpr double kLargest = 1e300;  // differences of two such numbers do not overflow
constexpr double kSmallest = 1e-290;
constexpr int kTicks = 6;

// Okabe and Ito's colours, which colour-blind readers can tell apart; further series repeat them
// with another dash.
constexpr std::array<std::string_view, 7> kColours = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                      "#e69f00", "#56b4e9", "#000000"};
constexpr std::array<std::string_view, 4> kDashes = {"", "8 4", "2 3", "8 3 2 3"};

// Cut to kLongestName bytes, never inside a character.
std::string shortened(const std::string& name) {
  if (name.size() <= kLongestName) return name;
  std::size_t end = kLongestName - 3;
  while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0) == 0x80) --end;
  return name.substr(0, end) + "...";
}

struct Range {
  double low = 1, high = 0;
  bool empty() const { return low > high; }
  void add(double value) {
    if (std::abs(value) < kSmallest) value = 0;  // keeps ticks away from denormal numbers
    if (empty()) low = high = value;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // A range of (nearly) one value gets some room, so that it can be drawn and have ticks.
  void widen(double room) {
    const double magnitude = std::max(std::abs(low), std::abs(high));
    if (high - low > 1e-9 * magnitude && high - low > kSmallest) return;
    low -= room;
    high += room;
  }
};

struct Axis {
  double low = 0, high = 1;  // the numbers at its ends, or their logarithms
  bool log = false;
  double start = 0, length = 0;  // in the picture; length < 0 for an axis that points upwards
  std::vector<double> ticks;

  double operator()(double value) const {
    return start + length * ((log ? std::log10(value) : value) - low) / (high - low);
  }
};

bool drawable(const Chart& chart, double x, double y) {
  return std::abs(x) <= kLargest && std::abs(y) <= kLargest && (!chart.log_scale || y >= kSmallest);
}

Axis x_axis(Range range, bool whole) {
  range.widen(1);
  Axis axis{range.low, range.high, false,
            kLeft,     kPlotWidth, linear_ticks(range.low, range.high, 10)};
  // No epoch 1.5 between epochs 1 and 2.
  if (whole) std::erase_if(axis.ticks, [](double tick) { return tick != std::round(tick); });
  return axis;
}

Axis y_axis(Range range, bool log) {
  if (log) {
    if (range.high / range.low < 1 + 1e-9) range = {range.low / 2, range.high * 2};
  } else {
    range.widen(range.low == 0 ? 1 : std::abs(range.low) / 20);
  }
  Axis axis{range.low, range.high, log, kTop + kPlotHeight, -kPlotHeight, {}};
  if (log) axis = {std::log10(range.low), std::log10(range.high), log, axis.start, axis.length, {}};
  // Lines keep off the ends of the axis.
  const double room = (axis.high - axis.low) / 25;
  axis.low -= room;
  axis.high += room;
  axis.ticks =
      log ? log_ticks(range.low, range.high, kTicks) : linear_ticks(axis.low, axis.high, kTicks);
  return axis;
}

struct Axes {
  bool empty = true;
  Axis x, y;
};

Axes fitted_axes(const Chart& chart) {
  Range x, y;
  bool whole = true;
  for (const Series& series : chart.series)
    for (std::size_t i = 0; i < series.y.size(); ++i)
      if (drawable(chart, series.x[i], series.y[i])) {
        whole = whole && series.x[i] == std::round(series.x[i]);
        x.add(series.x[i]);
        y.add(series.y[i]);
      }
  if (x.empty()) return {};
  return {false, x_axis(x, whole), y_axis(y, chart.log_scale)};
}

std::string axes_svg(const Chart& chart, const Axes& axes) {
  const double bottom = kTop + kPlotHeight;
  std::string svg;
  for (double tick : axes.y.ticks) {
    const double y = axes.y(tick);
    svg += svg_line(kLeft, y, kLeft + kPlotWidth, y, "#dddddd");
    svg += svg_text(kLeft - 8, y + 4, "text-anchor=\"end\"", tick_text(axes.y.ticks, tick));
  }
  for (double tick : axes.x.ticks) {
    const double x = axes.x(tick);
    svg += svg_line(x, bottom, x, bottom + 5, "#333333");
    svg += svg_text(x, bottom + 20, "text-anchor=\"middle\"", tick_text(axes.x.ticks, tick));
  }
  svg += svg_line(kLeft, bottom, kLeft + kPlotWidth, bottom, "#333333");
  svg += svg_line(kLeft, kTop, kLeft, bottom, "#333333");
  svg += svg_text(kLeft + kPlotWidth / 2, bottom + 42, "text-anchor=\"middle\"", chart.x_label);
  const double middle = kTop + kPlotHeight / 2;
  if (!chart.y_label.empty())
    svg += svg_text(
        16, middle,
        cat("text-anchor=\"middle\" transform=\"rotate(-90 16 ", svg_number(middle), ")\""),
        chart.y_label);
  return svg;
}

std::string style(std::size_t index) {
  const std::string_view dash = kDashes[index / kColours.size() % kDashes.size()];
  std::string text = cat("fill=\"none\" stroke=\"", kColours[index % kColours.size()],
                         "\" stroke-width=\"1.8\" stroke-linejoin=\"round\"");
  if (!dash.empty()) text += cat(" stroke-dasharray=\"", dash, "\"");
  return text;
}

// A line for each stretch without a gap; a stretch of one point is a dot.
std::string series_svg(const Chart& chart, const Axes& axes, std::size_t index) {
  const Series& series = chart.series[index];
  std::string svg, points;
  int count = 0;
  double last_x = 0, last_y = 0;
  const auto finish = [&] {
    if (count == 1)
      svg += cat("<circle cx=\"", svg_number(last_x), "\" cy=\"", svg_number(last_y),
                 "\" r=\"3\" fill=\"", kColours[index % kColours.size()], "\"/>\n");
    if (count > 1) svg += cat("<polyline points=\"", points, "\" ", style(index), "/>\n");
    points.clear();
    count = 0;
  };
  for (std::size_t i = 0; i < series.y.size(); ++i) {
    if (!drawable(chart, series.x[i], series.y[i])) {
      finish();
      continue;
    }
    last_x = axes.x(series.x[i]);
    last_y = axes.y(series.y[i]);
    points += cat(count == 0 ? "" : " ", svg_number(last_x), ",", svg_number(last_y));
    ++count;
  }
  finish();
  return svg;
}

std::string legend_svg(const Chart& chart) {
  const double left = kLeft + kPlotWidth + kLegendGap;
  std::string svg;
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    const double y = kTop + 8 + kLegendRow * static_cast<double>(i);
    svg += cat("<line x1=\"", svg_number(left), "\" y1=\"", svg_number(y), "\" x2=\"",
               svg_number(left + 24), "\" y2=\"", svg_number(y), "\" ", style(i), "/>\n");
    svg += svg_text(left + 32, y + 4, "text-anchor=\"start\"", shortened(chart.series[i].name));
  }
  return svg;
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int wanted) {
  const double rough = (high - low) / wanted;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double step = power * 10;
  for (double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * 0.999) {
      step = factor * power;
      break;
    }
  // Dividing by a whole number where the step is a fraction gives 0.3, not 0.30000000000000004.
  const double inverse = std::round(1 / step);
  const bool divide = step < 1 && inverse < 1e15;
  std::vector<double> ticks;
  // The slack keeps a tick that stands on the end of the axis.
  const double first = std::ceil(low / step - 1e-6), last = std::floor(high / step + 1e-6);
  for (int i = 0; i <= static_cast<int>(last - first); ++i) {
    const double multiple = first + i;
    ticks.push_back(divide ? multiple / inverse : multiple * step);
  }
  return ticks;
}

std::vector<double> log_ticks(double low, double high, int wanted) {
  const int first = static_cast<int>(std::floor(std::log10(low)));
  const int last = static_cast<int>(std::ceil(std::log10(high)));
  const double decades = std::log10(high) - std::log10(low);
  const int stride = std::max(1, static_cast<int>(std::ceil(decades / (wanted + 2))));
  std::vector<double> ticks;
  for (int exponent = first; exponent <= last; ++exponent) {
    if (stride > 1 && exponent % stride != 0) continue;
    for (double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && decades > 3) break;
      const double tick = factor * std::pow(10.0, exponent);
      if (tick >= low * (1 - 1e-9) && tick <= high * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  return ticks.size() >= 2 ? ticks : linear_ticks(low, high, wanted);
}

std::string curves_svg(const Chart& chart) {
  std::size_t longest = 0;
  for (const Series& series : chart.series) {
    if (series.x.size() != series.y.size())
      throw InternalError(cat("curves: series '", series.name, "' has ", series.x.size(), " x and ",
                              series.y.size(), " y"));
    longest = std::max(longest, shortened(series.name).size());
  }
  const double width =
      kLeft + kPlotWidth + kLegendGap + 48 + kLetterWidth * static_cast<double>(longest);
  const double legend = kTop + kLegendRow * static_cast<double>(chart.series.size());
  const double height = std::max(kTop + kPlotHeight + kBottom, legend + 16);
  std::string svg = svg_begin(width, height, chart.title);
  svg +=
      svg_text(kLeft + kPlotWidth / 2, 28, "text-anchor=\"middle\" font-size=\"16\"", chart.title);
  const Axes axes = fitted_axes(chart);
  if (axes.empty)
    return svg +
           svg_text(kLeft + kPlotWidth / 2, kTop + kPlotHeight / 2, "text-anchor=\"middle\"",
                    "nothing to draw") +
           "</svg>\n";
  svg += axes_svg(chart, axes);
  for (std::size_t i = 0; i < chart.series.size(); ++i) svg += series_svg(chart, axes, i);
  return svg + legend_svg(chart) + "</svg>\n";
}

}  // namespace jacquard::experiments
