#include "experiments/vector_field.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <set>
#include <sstream>

#include "autodiff/error.hpp"
#include "tests/experiments/svg_text.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kRounding = 0.0051;  // of a place with two digits
constexpr double kCell = 20;          // pixels

Tensor<float> points(std::vector<float> values) {
  const auto count = static_cast<std::int64_t>(values.size() / 2);
  return Tensor<float>(Shape{count, 2}, std::move(values));
}

// From (-1, -1) to (1, 1): the grid has 32 x 32 cells of 2 / 28, and (0, 0) is in its middle.
const Tensor<float> kSquare = points({-1, -1, 1, 1});

// An arrow as it is drawn, in pixels with y upwards.
struct Arrow {
  double x, y, dx, dy;
  double length() const { return std::hypot(dx, dy); }
};

std::vector<Arrow> arrows_of(const std::string& svg) {
  std::vector<Arrow> arrows;
  const std::size_t begin = svg.find("<g ");
  REQUIRE(begin != std::string::npos);
  const std::string mark = "<path d=\"M";
  for (std::size_t at = svg.find(mark, begin); at != std::string::npos;
       at = svg.find(mark, at + 1)) {
    std::istringstream text(svg.substr(at + mark.size(), 100));
    double x = 0, y = 0, to_x = 0, to_y = 0;
    char line = 0;
    text >> x >> y >> line >> to_x >> to_y;
    REQUIRE(text.good());
    CHECK(line == 'L');
    arrows.push_back({x, -y, to_x - x, y - to_y});
  }
  return arrows;
}

std::string drawn(const VectorField& field) {
  const std::string svg = vector_field_svg(field);
  check_well_formed(svg);
  CHECK(vector_field_svg(field) == svg);
  return svg;
}

template <class Function>
VectorField field_of(const Tensor<float>& data, Function function) {
  VectorField field{"field", data, field_grid(data), {}};
  field.arrows = field.places;
  for (std::int64_t i = 0; i < field.places.shape[0]; ++i) {
    const auto [x, y] = function(field.places[2 * i], field.places[2 * i + 1]);
    field.arrows[2 * i] = x;
    field.arrows[2 * i + 1] = y;
  }
  return field;
}

TEST_CASE("The grid of a field covers the data and two cells beyond, in square cells") {
  const Tensor<float> grid = field_grid(points({0, 5, 7, 6, 14, 12, 3, 5}));
  // Cells of 14 / 28 = 1/2: 32 of them from -1 to 15, and 14 + 4 from 4 to 13.
  REQUIRE(grid.shape == Shape{32 * 18, 2});
  for (std::int64_t row = 0; row < 18; ++row)
    for (std::int64_t column = 0; column < 32; ++column) {
      const std::int64_t at = 2 * (row * 32 + column);
      CHECK(grid[at] == doctest::Approx(-0.75 + 0.5 * static_cast<double>(column)));
      CHECK(grid[at + 1] == doctest::Approx(4.25 + 0.5 * static_cast<double>(row)));
    }
}

TEST_CASE("The arrows of the field -x point to the origin, with lengths like its distance") {
  const VectorField field = field_of(kSquare, [](float x, float y) { return std::pair(-x, -y); });
  const std::vector<Arrow> arrows = arrows_of(drawn(field));
  REQUIRE(arrows.size() == 32 * 32);
  // The middle of the picture: 16 cells from its left end at 80 and its upper end at 48.
  const double middle_x = 80 + 16 * kCell, middle_y = -(48 + 16 * kCell);
  const double longest = 15.5 * std::sqrt(2.0);  // the corners' distance from the middle, in cells
  for (const Arrow& a : arrows) {
    CHECK(std::abs(a.dx - (middle_x - a.x) / longest) <= 2 * kRounding);
    CHECK(std::abs(a.dy - (middle_y - a.y) / longest) <= 2 * kRounding);
    CHECK(a.length() <= kCell + 2 * kRounding);
  }
}

TEST_CASE("Arrows begin at their places, and up is up") {
  VectorField field{"f", kSquare, points({0, 0, 1, 0, 0, -1}), points({0, 2, 1, 0, 0, -1})};
  const std::vector<Arrow> arrows = arrows_of(drawn(field));
  REQUIRE(arrows.size() == 3);
  const double expected[3][4] = {
      {400, -368, 0, kCell}, {680, -368, kCell / 2, 0}, {400, -648, 0, -kCell / 2}};
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(std::abs(arrows[i].x - expected[i][0]) <= kRounding);
    CHECK(std::abs(arrows[i].y - expected[i][1]) <= kRounding);
    CHECK(std::abs(arrows[i].dx - expected[i][2]) <= 2 * kRounding);
    CHECK(std::abs(arrows[i].dy - expected[i][3]) <= 2 * kRounding);
  }
}

TEST_CASE("An arrow's head has two sides behind its tip") {
  VectorField field{"f", kSquare, points({0, 0}), points({1, 0})};
  const std::string svg = drawn(field);
  const double back = 420 - 0.3 * kCell * std::cos(0.45), side = 0.3 * kCell * std::sin(0.45);
  std::ostringstream expected;
  expected.precision(2);
  expected << std::fixed << "M400.00 368.00L420.00 368.00M" << back << ' ' << 368 - side
           << "L420.00 368.00L" << back << ' ' << 368 + side << "\"/>";
  CHECK(count(svg, expected.str()) == 1);
}

TEST_CASE("The data are dots where the axes say, at most 2000 of them") {
  const VectorField few{"f", kSquare, points({0, 0}), points({1, 0})};
  CHECK(count(drawn(few), "M120.00 648.00h0M680.00 88.00h0\"") == 1);
  Tensor<float> many(Shape{3000, 2});
  for (std::int64_t i = 0; i < many.size(); ++i) many[i] = static_cast<float>(i % 997);
  CHECK(count(drawn({"f", many, points({0, 0}), points({1, 0})}), "h0") == 2000);
}

TEST_CASE("An arrow that is 0 or not finite is left out and does not shorten the others") {
  const VectorField field{"f", kSquare, points({0, 0, 0, 0, 0, 0, 0, 0, kNan, 0}),
                          points({0, 0, kNan, 1, 1, -kInfinity, 3, 4, 1, 1})};
  const std::string svg = drawn(field);
  const std::vector<Arrow> arrows = arrows_of(svg);
  REQUIRE(arrows.size() == 1);
  CHECK(arrows[0].length() == doctest::Approx(kCell).epsilon(1e-3));
  CHECK(count(svg, ">the longest arrow is 5</text>") == 1);
  const std::string none = drawn({"f", kSquare, points({0, 0}), points({0, 0})});
  CHECK(count(none, ">there is no arrow to draw</text>") == 1);
  CHECK(arrows_of(none).empty());
  CHECK(arrows_of(drawn({"f", kSquare, points({}), points({})})).empty());
}

TEST_CASE("Data on a point, on a line, huge and tiny have a grid that is drawn") {
  const float huge = std::numeric_limits<float>::max();
  const float tiny = std::numeric_limits<float>::denorm_min();
  for (const Tensor<float>& data :
       {points({0, 0}), points({3, -4}), points({1, 1, 1, 1, 1, 1}), points({0, 5, 1, 5}),
        points({5, 0, 5, 1}), points({0, 0, 0.001F, 1000}), points({-huge, 0, huge, huge}),
        points({0, 0, tiny, 0}), points({1e30F, 1e30F})}) {
    CAPTURE(data.data);
    const VectorField field = field_of(data, [](float, float) { return std::pair(1.0F, 1.0F); });
    CHECK(field.places.shape[0] >= 5 * 5);
    CHECK(field.places.shape[0] <= 32 * 32);
    for (const float place : field.places.data) CHECK(!std::isnan(place));
    const std::string svg = drawn(field);
    CHECK(count(svg, "<text") >= 6);
  }
}

TEST_CASE("A field has a title, which is escaped, and names its columns") {
  VectorField field{"a < b", kSquare, points({0, 0}), points({1, 0})};
  const std::string svg = drawn(field);
  for (const char* text : {">a &lt; b</title>", ">a &lt; b</text>", ">x[:, 0]</text>",
                           ">x[:, 1]</text>", ">-1</text>", ">0.5</text>"})
    CHECK(count(svg, text) >= 1);
}

TEST_CASE("What is no field of the plane is refused with its shapes") {
  const auto refusal = [](const Tensor<float>& data, const Tensor<float>& places,
                          const Tensor<float>& arrows) {
    return message_of<ShapeError>([&] { vector_field_svg({"f", data, places, arrows}); });
  };
  const Tensor<float> one = points({1, 2}), three(Shape{1, 3}), flat(Shape{2});
  CHECK(refusal(three, one, one) ==
        "vector field: data of shape [1, 3] cannot be drawn; two columns are needed");
  CHECK(refusal(flat, one, one).find("data of shape [2]") != std::string::npos);
  CHECK(refusal(points({}), one, one) ==
        "vector field: there is no data; at least one example is needed");
  CHECK(refusal(one, three, three).find("places of shape [1, 3]") != std::string::npos);
  CHECK(refusal(one, one, points({1, 2, 3, 4})) ==
        "vector field: places [1, 2] and arrows [2, 2] differ in shape; equal shapes are needed");
  CHECK_THROWS_AS(field_grid(three), ShapeError);
  CHECK_THROWS_AS(field_grid(points({})), ShapeError);
}

}  // namespace
}  // namespace jacquard::experiments
