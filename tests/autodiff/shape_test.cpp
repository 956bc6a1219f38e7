#include "autodiff/shape.hpp"

#include <doctest/doctest.h>

#include <limits>
#include <sstream>

#include "autodiff/error.hpp"

using namespace jacquard;

namespace {

std::string text(const Shape& shape) {
  std::ostringstream out;
  out << shape;
  return out.str();
}

using Sizes = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a shape knows its rank, sizes and number of elements") {
  CHECK_EQ(Shape{}.rank(), 0);
  CHECK_EQ(Shape{}.size(), 1);
  CHECK_EQ(Shape{2, 3, 4}.size(), 24);
  CHECK_EQ(Shape{2, 0, 4}.size(), 0);
  CHECK_EQ(Shape{2, 3}[1], 3);
  CHECK(Shape{2, 3} == Shape(Sizes{2, 3}));
  CHECK(Shape{} != Shape{1});
  CHECK(Shape{2, 3} != Shape{3, 2});
  CHECK_EQ(text({}), "[]");
  CHECK_EQ(text({20, 784}), "[20, 784]");
}

TEST_CASE("shapes that no memory could hold are refused, zeros or not") {
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  CHECK_THROWS_WITH_AS(Shape({2, -1}), "shape [2, -1]: size -1 is negative", ShapeError);
  CHECK_THROWS_WITH_AS(Shape({99999999999, 999}),
                       "shape [99999999999, 999]: too many elements; at most 2^40 are allowed",
                       ShapeError);
  CHECK_THROWS_AS(Shape({kHuge, kHuge, 4}), ShapeError);
  CHECK_THROWS_AS(Shape({0, kHuge, kHuge}), ShapeError);
  CHECK_NOTHROW(Shape({std::int64_t{1} << 20, std::int64_t{1} << 20}));
  CHECK_NOTHROW(Shape(Sizes(12, 1)));
  CHECK_THROWS_WITH_AS(
      Shape(Sizes(13, 1)),
      "shape [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]: rank 13; at most 12 axes are allowed",
      ShapeError);
}

TEST_CASE("shapes broadcast as NumPy's do") {
  struct {
    Shape a, b, common;
  } cases[] = {
      {{}, {}, {}},
      {{}, {2, 3}, {2, 3}},
      {{3}, {2, 3}, {2, 3}},
      {{2, 1}, {3}, {2, 3}},
      {{2, 1}, {1, 3}, {2, 3}},
      {{0}, {1}, {0}},
      {{2, 0}, {1}, {2, 0}},
      {{2, 1}, {2, 0}, {2, 0}},
      {{1, 1}, {}, {1, 1}},
      {{4, 1, 5}, {3, 1}, {4, 3, 5}},
  };
  for (const auto& [a, b, common] : cases) {
    CHECK(broadcast("test", a, b) == common);
    CHECK(broadcast("test", b, a) == common);
    CHECK(broadcasts_to(a, common));
    CHECK(broadcasts_to(b, common));
  }
  CHECK_THROWS_WITH_AS(
      broadcast("add", {2, 3}, {2}),
      "add: [2, 3] and [2]: sizes 3 and 2 do not broadcast; they must be equal or 1", ShapeError);
  CHECK_THROWS_AS(broadcast("add", {0}, {2}), ShapeError);
  CHECK_FALSE(broadcasts_to({2, 3}, {3}));
  CHECK_FALSE(broadcasts_to({2}, {1}));
  CHECK_FALSE(broadcasts_to({2}, {0}));
  CHECK(broadcasts_to({1}, {0}));
}

TEST_CASE("strides are row-major, and 0 along broadcast axes") {
  CHECK_EQ(strides({2, 3, 4}), Sizes{12, 4, 1});
  CHECK_EQ(strides({}), Sizes{});
  CHECK_EQ(broadcast_strides({3, 1}, {2, 3, 4}), Sizes{0, 1, 0});
  CHECK_EQ(broadcast_strides({2, 3, 4}, {2, 3, 4}), Sizes{12, 4, 1});
  CHECK_EQ(broadcast_strides({}, {2}), Sizes{0});
}

TEST_CASE("negative axes count from the end") {
  CHECK_EQ(normal_axis("sum", -1, 3), 2);
  CHECK_EQ(normal_axis("sum", 0, 3), 0);
  CHECK_EQ(normal_axis("sum", -3, 3), 0);
  CHECK_THROWS_WITH_AS(normal_axis("sum", 3, 3), "sum: axis 3 does not exist in a tensor of rank 3",
                       ShapeError);
  CHECK_THROWS_WITH_AS(normal_axis("sum", -4, 3),
                       "sum: axis -4 does not exist in a tensor of rank 3", ShapeError);
  CHECK_THROWS_AS(normal_axis("sum", 0, 0), ShapeError);
  CHECK_THROWS_AS(normal_axis("sum", std::numeric_limits<std::int64_t>::min(), 3), ShapeError);
  CHECK_THROWS_AS(normal_axis("sum", std::numeric_limits<std::int64_t>::max(), 3), ShapeError);
}
