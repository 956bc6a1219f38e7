#include "experiments/evaluations/scatter.hpp"

#include <algorithm>
#include <array>
#include <string_view>

#include "experiments/plane.hpp"
#include "experiments/svg.hpp"

namespace jacquard::experiments {
namespace {

// Ten colours of different lightness, of which each neighbour differs in hue.
constexpr std::array<std::string_view, 10> kColours = {"#0072b2", "#e69f00", "#009e73", "#d55e00",
                                                       "#56b4e9", "#7f3c8d", "#b8a300", "#cc79a7",
                                                       "#4d4d4d", "#8c564b"};

}  // namespace

std::string scatter_svg(const Scatter& scatter) {
  const Plane plane("scatter", scatter.points);
  std::string svg = plane.begin(scatter.title, scatter.x_label, scatter.y_label);
  if (scatter.labels.empty())
    return svg + plane.dots(scatter.points, kColours[0], [](std::int64_t) { return true; }) +
           plane.end(scatter.below);
  const std::int64_t most = *std::ranges::max_element(scatter.labels);
  for (std::int64_t label = 0; label <= most; ++label) {
    const std::string_view colour = kColours[static_cast<std::size_t>(label) % kColours.size()];
    svg += plane.dots(scatter.points, colour, [&](std::int64_t i) {
      return scatter.labels[static_cast<std::size_t>(i)] == label;
    });
    constexpr std::int64_t kMostNamed = 20;
    if (label < kMostNamed)
      svg += svg_text(8, 64 + 16 * static_cast<double>(label),
                      "font-weight=\"bold\" style=\"fill:" + std::string(colour) + "\"",
                      std::to_string(label));
  }
  return svg + plane.end(scatter.below);
}

}  // namespace jacquard::experiments
