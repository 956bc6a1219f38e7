// Pieces of an SVG file, for the charts that a run leaves behind. What is made of them holds no
// script, no link and no font; equal charts give equal bytes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace jacquard::experiments {

// The beginning of a file of that size in pixels, with its title and a white ground. "</svg>\n"
// ends it.
std::string svg_begin(double width, double height, std::string_view title);

// A place in the picture: two digits after the point.
std::string svg_number(double value);

// Text in the fill of the file; `attributes` as they stand in the tag.
std::string svg_text(double x, double y, std::string_view attributes, std::string_view text);

std::string svg_line(double x1, double y1, double x2, double y2, std::string_view stroke);

// A tick's number with as many digits as tell neighbouring ticks apart.
std::string tick_text(const std::vector<double>& ticks, double tick);

}  // namespace jacquard::experiments
