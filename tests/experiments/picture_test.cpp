#include "experiments/picture.hpp"

#include <doctest/doctest.h>
#include <png.h>

#include <csetjmp>
#include <cstring>
#include <limits>

#include "autodiff/error.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Source {
  const char* bytes;
  std::size_t size, at = 0;
};

void read_bytes(png_structp png, png_bytep to, std::size_t size) {
  auto* source = static_cast<Source*>(png_get_io_ptr(png));
  if (size > source->size - source->at) png_error(png, "truncated");
  std::memcpy(to, source->bytes + source->at, size);
  source->at += size;
}

// Decodes through libpng's rows. Leaves height 0 when libpng finds the bytes wrong.
void decode(Source& source, Picture& picture) {
  png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  if (setjmp(png_jmpbuf(png)) == 0) {
    png_set_read_fn(png, &source, read_bytes);
    png_read_info(png, info);
    picture.width = static_cast<int>(png_get_image_width(png, info));
    picture.channels = png_get_channels(png, info);
    const auto height = static_cast<int>(png_get_image_height(png, info));
    const auto row = static_cast<std::size_t>(picture.width * picture.channels);
    picture.pixels.resize(row * static_cast<std::size_t>(height));
    for (int y = 0; y < height; ++y)
      png_read_row(png, &picture.pixels[row * static_cast<std::size_t>(y)], nullptr);
    png_read_end(png, info);
    if (png_get_bit_depth(png, info) == 8 && !png_get_valid(png, info, PNG_INFO_tIME))
      picture.height = height;
  }
  png_destroy_read_struct(&png, &info, nullptr);
}

Picture decoded(const std::string& bytes) {
  Source source{bytes.data(), bytes.size()};
  Picture picture;
  decode(source, picture);
  CHECK(source.at == bytes.size());
  return picture;
}

void check_same(const Picture& a, const Picture& b) {
  CHECK(a.height == b.height);
  CHECK(a.width == b.width);
  CHECK(a.channels == b.channels);
  CHECK(a.pixels == b.pixels);
}

// Grey level, or red and nothing else as -1.
int level(const Picture& p, int y, int x, int channel = 0) {
  REQUIRE(y < p.height);
  REQUIRE(x < p.width);
  const std::uint8_t* pixel = &p.pixels[static_cast<std::size_t>((y * p.width + x) * p.channels)];
  if (p.channels == 3 && pixel[0] == 255 && pixel[1] == 0 && pixel[2] == 0) return -1;
  return pixel[channel];
}

// One number of each enlarged pixel of the tile at (row, column); checks that the whole enlarged
// pixel has it.
std::vector<int> tile(const Picture& p, int row, int column, int height, int width, int enlargement,
                      int channel = 0) {
  std::vector<int> levels;
  const int top = 1 + row * (height * enlargement + 1);
  const int left = 1 + column * (width * enlargement + 1);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      const int first = level(p, top + y * enlargement, left + x * enlargement, channel);
      for (int dy = 0; dy < enlargement; ++dy)
        for (int dx = 0; dx < enlargement; ++dx)
          CHECK(level(p, top + y * enlargement + dy, left + x * enlargement + dx, channel) ==
                first);
      levels.push_back(first);
    }
  return levels;
}

using Levels = std::vector<int>;

Tensor<float> matrix(std::int64_t rows, std::int64_t columns, std::vector<float> values) {
  return Tensor<float>(Shape{rows, columns}, std::move(values));
}

}  // namespace

TEST_CASE("a PNG holds the picture's pixels") {
  for (int channels : {1, 3})
    for (auto [height, width] : {std::pair{1, 1}, {1, 7}, {5, 1}, {33, 70}}) {
      Picture picture{height, width, channels, {}};
      for (int i = 0; i < height * width * channels; ++i)
        picture.pixels.push_back(static_cast<std::uint8_t>(i * 37 + i / 11));
      const std::string bytes = to_png(picture);
      check_same(decoded(bytes), picture);
      CHECK(to_png(picture) == bytes);
    }
}

TEST_CASE("a picture whose sizes disagree is refused") {
  CHECK_THROWS_WITH_AS(to_png(Picture{2, 3, 1, std::vector<std::uint8_t>(5)}),
                       "png: a picture of 2 x 3 with 1 channels and 5 bytes; sides of 1 to "
                       "1000000, 1 or 3 channels and as many bytes are needed",
                       InternalError);
  CHECK_THROWS_AS(to_png(Picture{}), InternalError);
  CHECK_THROWS_AS(to_png(Picture{1, 1, 2, {0, 0}}), InternalError);
  CHECK_THROWS_AS(to_png(Picture{-1, -1, 1, {0}}), InternalError);
  CHECK_THROWS_AS(to_png(Picture{1, 1000001, 1, std::vector<std::uint8_t>(1000001)}),
                  InternalError);
}

TEST_CASE("each tile of a filter grid is scaled symmetrically about zero by itself") {
  // Columns are units: (0, 1, -1, .5), (-4, 2, 0, 1), (1e-30, ...), all zero, all equal.
  const Tensor<float> weights = matrix(4, 5, {0,    -4, 1e-30f,  0, 3,  //
                                              1,    2,  -1e-30f, 0, 3,  //
                                              -1,   0,  0,       0, 3,  //
                                              0.5f, 1,  1e-30f,  0, 3});
  const Picture p = filter_grid(weights, Shape{2, 2});
  CHECK(p.channels == 1);
  CHECK(p.height == 2 * (2 * 32 + 1) + 1);
  CHECK(p.width == 3 * (2 * 32 + 1) + 1);
  CHECK(tile(p, 0, 0, 2, 2, 32) == Levels{128, 255, 1, 192});
  CHECK(tile(p, 0, 1, 2, 2, 32) == Levels{1, 192, 128, 160});
  CHECK(tile(p, 0, 2, 2, 2, 32) == Levels{255, 1, 128, 255});
  CHECK(tile(p, 1, 0, 2, 2, 32) == Levels{128, 128, 128, 128});
  CHECK(tile(p, 1, 1, 2, 2, 32) == Levels{255, 255, 255, 255});
  CHECK(tile(p, 1, 2, 2, 2, 32) == Levels{0, 0, 0, 0});  // no sixth unit
  for (int x = 0; x < p.width; ++x)
    for (int y : {0, 65, 130}) CHECK(level(p, y, x) == 0);
  for (int y = 0; y < p.height; ++y)
    for (int x : {0, 65, 130, 195}) CHECK(level(p, y, x) == 0);
  check_same(decoded(to_png(p)), p);
}

TEST_CASE("units may be the rows of the weights") {
  Tensor<float> columns(Shape{6, 4}), rows(Shape{4, 6});
  for (std::int64_t i = 0; i < 6; ++i)
    for (std::int64_t j = 0; j < 4; ++j)
      columns[i * 4 + j] = rows[j * 6 + i] = static_cast<float>((i * 7 + j * 3) % 11) - 5;
  check_same(filter_grid(columns, Shape{2, 3}), filter_grid(rows, Shape{2, 3}, 100, Units::kRows));
}

TEST_CASE("image grids go row by row, from black to white, and clamp what lies beyond") {
  const Tensor<float> images({3, 1}, {0.0F, 2.0F, 0.2F});
  const Picture picture = image_grid(images, {1, 1});
  // Two columns, tiles enlarged 32 times, gaps of a pixel.
  REQUIRE(picture.width == 67);
  REQUIRE(picture.height == 67);
  const auto at = [&](int tile_row, int tile_column) {
    const int y = 1 + tile_row * 33 + 16, x = 1 + tile_column * 33 + 16;
    return static_cast<int>(picture.pixels[static_cast<std::size_t>(y * picture.width + x)]);
  };
  CHECK(at(0, 0) == 0);
  CHECK(at(0, 1) == 255);
  CHECK(at(1, 0) == 51);
  CHECK(at(1, 1) == 80);  // nobody's
  CHECK(image_grid(images, {1, 1}, 1).width == 34);
  CHECK_THROWS_AS(image_grid(images, {1, 1}, 0), ShapeError);
  CHECK_THROWS_AS(image_grid(images, {2, 2}), ShapeError);
}

TEST_CASE("inputs that are no image fill a nearly square rectangle") {
  struct Row {
    int inputs, height, width;
  };
  for (const Row& row : {Row{1, 1, 1}, Row{2, 1, 2}, Row{3, 1, 3}, Row{10, 3, 4}, Row{16, 4, 4},
                         Row{784, 28, 28}, Row{997, 31, 33}}) {
    CAPTURE(row.inputs);
    const Picture p = filter_grid(Tensor<float>(Shape{row.inputs, 1}, 1.0f));
    const int k = std::min(32, 1200 / row.width);
    CHECK(p.height == row.height * k + 2);
    CHECK(p.width == row.width * k + 2);
    Levels expected(static_cast<std::size_t>(row.inputs), 255);
    expected.resize(static_cast<std::size_t>(row.height * row.width), 0);
    CHECK(tile(p, 0, 0, row.height, row.width, k) == expected);
  }
}

TEST_CASE("colours of a filter share one scale") {
  const Picture p = filter_grid(matrix(6, 1, {2, 0, -2, 1, -1, 0}), Shape{1, 2, 3});
  CHECK(p.channels == 3);
  CHECK(tile(p, 0, 0, 1, 2, 32, 0) == Levels{255, 192});
  CHECK(tile(p, 0, 0, 1, 2, 32, 1) == Levels{128, 65});
  CHECK(tile(p, 0, 0, 1, 2, 32, 2) == Levels{1, 128});
  check_same(decoded(to_png(p)), p);
  // One channel that is named is grey.
  CHECK(filter_grid(matrix(2, 1, {1, 2}), Shape{1, 2, 1}).channels == 1);
}

TEST_CASE("a weight that is not finite is red and does not disturb the scale") {
  const Picture p =
      filter_grid(matrix(4, 2, {kNan, kNan, 1, kNan, -kInfinity, kNan, -1, kNan}), Shape{2, 2});
  CHECK(p.channels == 3);
  CHECK(tile(p, 0, 0, 2, 2, 32) == Levels{-1, 255, -1, 1});
  CHECK(tile(p, 0, 0, 2, 2, 32, 2) == Levels{-1, 255, -1, 1});
  CHECK(tile(p, 0, 1, 2, 2, 32) == Levels{-1, -1, -1, -1});
  const Picture colour = filter_grid(matrix(3, 1, {1, kInfinity, 1}), Shape{1, 1, 3});
  CHECK(tile(colour, 0, 0, 1, 1, 32) == Levels{-1});
  check_same(decoded(to_png(p)), p);
}

TEST_CASE("the largest and smallest numbers of a float are drawn") {
  const float huge = std::numeric_limits<float>::max();
  const float tiny = std::numeric_limits<float>::denorm_min();
  CHECK(tile(filter_grid(matrix(2, 1, {huge, -huge}), Shape{1, 2}), 0, 0, 1, 2, 32) ==
        Levels{255, 1});
  CHECK(tile(filter_grid(matrix(2, 1, {-tiny, tiny}), Shape{1, 2}), 0, 0, 1, 2, 32) ==
        Levels{1, 255});
  CHECK(tile(filter_grid(matrix(2, 1, {-0.0f, 0.0f}), Shape{1, 2}), 0, 0, 1, 2, 32) ==
        Levels{128, 128});
}

TEST_CASE("at most the units asked for are drawn, the first ones") {
  Tensor<float> weights(Shape{1, 1000});
  for (std::int64_t i = 0; i < 1000; ++i) weights[i] = i < 100 ? 1.0f : -1.0f;
  const Picture p = filter_grid(weights, Shape{1, 1});
  CHECK(p.height == 10 * 33 + 1);
  CHECK(p.width == 10 * 33 + 1);
  for (int row = 0; row < 10; ++row)
    for (int column = 0; column < 10; ++column)
      CHECK(tile(p, row, column, 1, 1, 32) == Levels{255});
  CHECK(filter_grid(weights, Shape{1, 1}, 1).width == 34);
  CHECK(filter_grid(weights, Shape{1, 1}, 2).width == 67);
  CHECK(filter_grid(weights, Shape{1, 1}, 2).height == 34);
}

TEST_CASE("large tiles are drawn in fewer numbers, so that the picture stays bounded") {
  const Picture p = filter_grid(Tensor<float>(Shape{2000 * 2000, 9}, 1.0f), Shape{2000, 2000});
  CHECK(static_cast<std::int64_t>(p.height) * p.width <= std::int64_t{1} << 24);
  CHECK(p.width == 2 * 2001 + 1);
}

TEST_CASE("weights and image sizes that do not fit are refused") {
  const auto refused = [](const Tensor<float>& weights, const Shape& image, int count,
                          const char* message) {
    CHECK_THROWS_WITH_AS(filter_grid(weights, image, count), message, ShapeError);
  };
  const Tensor<float> weights(Shape{6, 2});
  refused(weights, Shape{2, 2}, 9,
          "filter grid: image size [2, 2] does not fit the 6 inputs of a unit");
  refused(weights, Shape{3, 1, 2}, 9,
          "filter grid: image size [3, 1, 2] cannot be drawn; [height, width] or [height, width, "
          "channels] with 1 or 3 channels is needed");
  refused(weights, Shape{6}, 9,
          "filter grid: image size [6] cannot be drawn; [height, width] or [height, width, "
          "channels] with 1 or 3 channels is needed");
  refused(weights, Shape{1, 2, 3, 1}, 9,
          "filter grid: image size [1, 2, 3, 1] cannot be drawn; [height, width] or [height, "
          "width, channels] with 1 or 3 channels is needed");
  refused(weights, Shape{0, 6}, 9,
          "filter grid: image size [0, 6] does not fit the 6 inputs of a unit");
  refused(weights, Shape{2, 3}, 0, "filter grid: at most 0 units; at least 1 is needed");
  refused(Tensor<float>(Shape{6}), Shape{2, 3}, 9,
          "filter grid: weights of shape [6] cannot be drawn; [inputs, units] with at least one "
          "of each is needed");
  refused(Tensor<float>(Shape{0, 3}), Shape{}, 9,
          "filter grid: weights of shape [0, 3] cannot be drawn; [inputs, units] with at least "
          "one of each is needed");
  refused(Tensor<float>(Shape{(1 << 23) + 1, 1}), Shape{(1 << 23) + 1, 1}, 9,
          "filter grid: an image of 8388609 x 1 pixels is too large to draw; at most 8388608 "
          "pixels are allowed");
}

TEST_CASE("originals, corrupted inputs and reconstructions stand in rows, clamped") {
  const Tensor<float> x = matrix(3, 2, {0, 1, 0.5f, 0.25f, 1, 1});
  const Tensor<float> noisy = matrix(3, 2, {-7, 9, 0, 0, 1e30f, -1e30f});
  const Tensor<float> y = matrix(3, 2, {0.1f, 0.8f, kNan, 0, kInfinity, 0.2f});
  const Picture p = reconstruction_grid(x, &noisy, y, Shape{2, 1}, 20);
  CHECK(p.channels == 3);
  CHECK(p.height == 3 * (2 * 32 + 1) + 1);
  CHECK(p.width == 3 * 33 + 1);
  CHECK(tile(p, 0, 0, 2, 1, 32) == Levels{0, 255});
  CHECK(tile(p, 0, 1, 2, 1, 32) == Levels{128, 64});
  CHECK(tile(p, 1, 0, 2, 1, 32) == Levels{0, 255});
  CHECK(tile(p, 1, 2, 2, 1, 32) == Levels{255, 0});
  CHECK(tile(p, 2, 0, 2, 1, 32) == Levels{26, 204});
  CHECK(tile(p, 2, 1, 2, 1, 32) == Levels{-1, 0});
  CHECK(tile(p, 2, 2, 2, 1, 32) == Levels{-1, 51});
  check_same(decoded(to_png(p)), p);

  const Picture plain = reconstruction_grid(x, nullptr, x, Shape{2, 1}, 2);
  CHECK(plain.channels == 1);
  for (int corner : {0, plain.width - 1}) CHECK(level(plain, 0, corner) == 80);
  CHECK(plain.height == 2 * 65 + 1);
  CHECK(plain.width == 2 * 33 + 1);
  CHECK(tile(plain, 1, 1, 2, 1, 32) == Levels{128, 64});
}

TEST_CASE("reconstructions of colour and of no image are drawn") {
  const Tensor<float> x = matrix(1, 3, {1, 0.5f, 0});
  CHECK(tile(reconstruction_grid(x, nullptr, x, Shape{1, 1, 3}), 0, 0, 1, 1, 32, 1) == Levels{128});
  const Tensor<float> one = matrix(1, 1, {1});
  CHECK(tile(reconstruction_grid(one, &one, one), 2, 0, 1, 1, 32) == Levels{255});
}

TEST_CASE("reconstructions that do not fit are refused") {
  const Tensor<float> x(Shape{3, 4}), other(Shape{2, 4});
  CHECK_THROWS_WITH_AS(reconstruction_grid(x, nullptr, other, Shape{2, 2}),
                       "reconstruction grid: originals [3, 4] and reconstructions [2, 4] differ "
                       "in shape; equal shapes are needed",
                       ShapeError);
  CHECK_THROWS_WITH_AS(reconstruction_grid(x, &other, x, Shape{2, 2}),
                       "reconstruction grid: originals [3, 4] and corrupted inputs [2, 4] differ "
                       "in shape; equal shapes are needed",
                       ShapeError);
  CHECK_THROWS_WITH_AS(reconstruction_grid(x, nullptr, x, Shape{2, 2}, 0),
                       "reconstruction grid: 0 examples; at least 1 is needed", ShapeError);
  const Tensor<float> none(Shape{0, 4});
  CHECK_THROWS_WITH_AS(reconstruction_grid(none, nullptr, none),
                       "reconstruction grid: originals of shape [0, 4] cannot be drawn; "
                       "[examples, inputs] with at least one of each is needed",
                       ShapeError);
}
