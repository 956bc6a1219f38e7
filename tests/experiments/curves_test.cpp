#include "experiments/curves.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

#include "autodiff/error.hpp"
#include "tests/experiments/svg_text.hpp"

using namespace jacquard::experiments;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

Chart chart_of(std::vector<double> y, bool log_scale = false) {
  Chart chart;
  chart.title = "cost";
  chart.log_scale = log_scale;
  Series series{"train", {}, std::move(y)};
  for (std::size_t i = 0; i < series.y.size(); ++i) series.x.push_back(static_cast<double>(i + 1));
  chart.series.push_back(std::move(series));
  return chart;
}

std::string drawn(const Chart& chart) {
  const std::string svg = curves_svg(chart);
  check_well_formed(svg);
  CHECK(curves_svg(chart) == svg);
  return svg;
}

std::vector<double> points(const std::string& svg) {
  std::vector<double> numbers;
  const std::string mark = "<polyline points=\"";
  std::size_t at = svg.find(mark);
  REQUIRE(at != std::string::npos);
  at += mark.size();
  while (svg[at - 1] != '"' || numbers.empty()) {
    std::size_t used = 0;
    numbers.push_back(std::stod(svg.substr(at, 20), &used));
    at += used + 1;
  }
  return numbers;
}

}  // namespace

TEST_CASE("a chart has title, labels, legend and a line per series") {
  Chart chart = chart_of({3, 2, 1});
  chart.y_label = "nats";
  chart.series.push_back({"valid", {1, 2, 3}, {4, 3, 2}});
  const std::string svg = drawn(chart);
  for (const char* text :
       {">cost</title>", ">cost</text>", ">epoch</text>", ">nats</text>", ">train</text>",
        ">valid</text>", ">1</text>", ">2</text>", ">3</text>", ">4</text>"})
    CHECK(count(svg, text) >= 1);
  CHECK(count(svg, ">1.5</text>") == 0);  // there is no epoch 1.5
  CHECK(count(svg, "<polyline") == 2);
  CHECK(count(svg, "#0072b2") == 2);
  CHECK(count(svg, "#d55e00") == 2);
}

TEST_CASE("points stand where the axes say") {
  // The y axis has a 25th of room at each end: from -0.4 to 10.4 over 360 pixels.
  const std::vector<double> p = points(drawn(chart_of({0, 10, 5})));
  const std::vector<double> expected = {
      80, 48 + 360 * 10.4 / 10.8, 400, 48 + 360 * 0.4 / 10.8, 720, 48 + 180};
  REQUIRE(p.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(std::abs(p[i] - expected[i]) <= 0.006);
  const std::vector<double> log = points(drawn(chart_of({1, 10, 100}, true)));
  REQUIRE(log.size() == 6);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(std::abs(log[2 * i + 1] - (228 + (1 - static_cast<double>(i)) * 180 / 1.08)) <= 0.006);
}

TEST_CASE("a number that cannot be drawn leaves a gap, a point alone is a dot") {
  CHECK(count(drawn(chart_of({1, 2, kNan, 3, 4})), "<polyline") == 2);
  const std::string dots = drawn(chart_of({kNan, 1, kInfinity, 2, -kInfinity, 3, 4, kNan}));
  CHECK(count(dots, "<circle") == 2);
  CHECK(count(dots, "<polyline") == 1);
  CHECK(count(drawn(chart_of({1, 2, 0, -3, 4, 5}, true)), "<polyline") == 2);
  CHECK(count(drawn(chart_of({1, 2, 1e308, 3, 4})), "<polyline") == 2);
}

TEST_CASE("a chart without anything to draw says so") {
  for (const Chart& chart :
       {Chart{}, chart_of({}), chart_of({kNan, kInfinity}), chart_of({-1, 0}, true)}) {
    const std::string svg = drawn(chart);
    CHECK(count(svg, ">nothing to draw</text>") == 1);
    CHECK(count(svg, "<polyline") == 0);
  }
}

TEST_CASE("constant, single, huge and tiny numbers have axes") {
  for (bool log_scale : {false, true})
    for (const std::vector<double>& y : std::vector<std::vector<double>>{{5, 5, 5},
                                                                         {0, 0},
                                                                         {7},
                                                                         {-3},
                                                                         {1e300, -1e300},
                                                                         {1e-300, 1e-320},
                                                                         {5e-324},
                                                                         {1, 1 + 1e-15},
                                                                         {1e-290, 1e300},
                                                                         {1e300, 1e300},
                                                                         {123456789, 123456790},
                                                                         {1e-12, 3e-12},
                                                                         {0.1, 1e9}}) {
      const std::string svg = drawn(chart_of(y, log_scale));
      if (count(svg, "nothing to draw") == 0) {
        CHECK(count(svg, "<polyline") + count(svg, "<circle") == 1);
        CHECK(count(svg, "text-anchor=\"end\"") >= 2);
        CHECK(count(svg, "text-anchor=\"end\"") <= 16);
      }
    }
}

TEST_CASE("names are escaped, cut and cannot break the file") {
  Chart chart = chart_of({1, 2});
  chart.title = "a < b && \"c\" > d\n\x01\xff\xc3";
  chart.series[0].name = std::string(100, 'n');
  std::string svg = drawn(chart);
  CHECK(count(svg,
              "a &lt; b &amp;&amp; &quot;c&quot; &gt; d  ?"
              "?</title>") == 1);
  CHECK(count(svg, jacquard::cat(">", std::string(45, 'n'), "...<")) == 1);
  std::string umlauts;
  for (int i = 0; i < 40; ++i) umlauts += "\xc3\xa4";
  chart.series[0].name = "x" + umlauts;
  svg = drawn(chart);
  CHECK(count(svg, jacquard::cat(">x", umlauts.substr(0, 44), "...<")) == 1);
}

TEST_CASE("many series keep apart and all stand in the legend") {
  Chart chart;
  for (int i = 0; i < 40; ++i)
    chart.series.push_back({jacquard::cat("s", i), {1, 2}, {1.0 * i, 2.0 * i}});
  const std::string svg = drawn(chart);
  CHECK(count(svg, "<polyline") == 40);
  CHECK(count(svg, ">s39</text>") == 1);
  CHECK(count(svg, "stroke-dasharray=\"8 4\"") == 24);
  CHECK(count(svg, "viewBox=\"0 0 805.00 864.00\"") == 1);
}

TEST_CASE("a series needs as many x as y") {
  Chart chart;
  chart.series.push_back({"s", {1, 2}, {1}});
  CHECK_THROWS_WITH_AS(curves_svg(chart), "curves: series 's' has 2 x and 1 y",
                       jacquard::InternalError);
}

TEST_CASE("ticks are round and lie within the range") {
  using Ticks = std::vector<double>;
  CHECK(linear_ticks(0, 1, 5) == Ticks{0, 0.2, 0.4, 0.6, 0.8, 1});
  CHECK(linear_ticks(0.13, 0.32, 4) == Ticks{0.15, 0.2, 0.25, 0.3});
  CHECK(linear_ticks(-7, 20, 6) == Ticks{-5, 0, 5, 10, 15, 20});
  CHECK(linear_ticks(1, 20, 10) == Ticks{2, 4, 6, 8, 10, 12, 14, 16, 18, 20});
  CHECK(log_ticks(1, 1000, 6) == Ticks{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000});
  CHECK(log_ticks(0.003, 40000, 6) == Ticks{0.01, 0.1, 1, 10, 100, 1000, 10000});
  CHECK(log_ticks(3, 4, 5) == linear_ticks(3, 4, 5));
  std::mt19937 random(7);
  std::uniform_real_distribution<double> exponent(-280, 280), mantissa(-1, 1);
  for (int i = 0; i < 5000; ++i) {
    const double scale = std::pow(10.0, exponent(random));
    double low = mantissa(random) * scale, high = mantissa(random) * scale;
    if (low > high) std::swap(low, high);
    const Ticks ticks = linear_ticks(low, high, 6);
    CHECK(ticks.size() >= 2);
    CHECK(ticks.size() <= 8);
    for (double tick : ticks) {
      CHECK(tick >= low - 1e-5 * (high - low));
      CHECK(tick <= high + 1e-5 * (high - low));
    }
    const Ticks log = log_ticks(std::abs(mantissa(random)) * 1e-5, scale + 1, 6);
    CHECK(log.size() >= 2);
    CHECK(log.size() <= 12);
  }
}
