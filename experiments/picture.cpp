#include "experiments/picture.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

constexpr int kGap = 1;
// Weights of 0 are a brighter grey; images often have black borders.
constexpr std::uint8_t kFilterGap = 0, kImageGap = 80;
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 24;
constexpr std::int64_t kWantedSide = 1200;
constexpr std::int64_t kMaxEnlargement = 32;

struct TileSize {
  std::int64_t height, width, channels;
  std::int64_t numbers() const { return height * width * channels; }
};

// A nearly square rectangle that holds n pixels.
TileSize rectangle(std::int64_t n) {
  auto height = static_cast<std::int64_t>(std::sqrt(static_cast<double>(n)));
  height = std::max<std::int64_t>(height, 1);
  return {height, (n + height - 1) / height, 1};
}

TileSize tile_size(const char* where, const Shape& image, std::int64_t inputs) {
  const int rank = image.rank();
  const TileSize tile = rank == 0   ? rectangle(inputs)
                        : rank >= 2 ? TileSize{image[0], image[1], rank == 3 ? image[2] : 1}
                                    : TileSize{0, 0, 0};
  if (rank != 0 && (rank > 3 || (tile.channels != 1 && tile.channels != 3)))
    throw ShapeError(cat(where, ": image size ", image,
                         " cannot be drawn; [height, width] or [height, width, channels] with 1 "
                         "or 3 channels is needed"));
  if (rank != 0 && tile.numbers() != inputs)
    throw ShapeError(
        cat(where, ": image size ", image, " does not fit the ", inputs, " inputs of a unit"));
  // 2^23 leaves room for the gaps.
  if (tile.height * tile.width > kMaxPixels / 2)
    throw ShapeError(cat(where, ": an image of ", tile.height, " x ", tile.width,
                         " pixels is too large to draw; at most ", kMaxPixels / 2,
                         " pixels are allowed"));
  return tile;
}

// Tiles in rows and columns; `gap` is the grey between them and where nothing is drawn.
class Grid {
 public:
  Grid(std::int64_t rows, std::int64_t columns, const TileSize& tile, std::uint8_t gap)
      : tile_(tile),
        enlargement_(std::clamp<std::int64_t>(
            kWantedSide / std::max(rows * tile.height, columns * tile.width), 1, kMaxEnlargement)),
        coloured_(tile.channels == 3),
        height_(rows * pitch(tile.height) + kGap),
        width_(columns * pitch(tile.width) + kGap),
        pixels_(static_cast<std::size_t>(height_ * width_ * 3), gap) {}

  // Levels of one tile, 0 black to 255 white, row by row with channels innermost. There may be
  // fewer than the tile holds.
  void draw(std::int64_t row, std::int64_t column, const std::vector<double>& levels) {
    const auto channels = static_cast<std::size_t>(tile_.channels);
    for (std::size_t i = 0; i < levels.size() / channels; ++i) {
      const double* level = &levels[i * channels];
      const auto pixel = static_cast<std::int64_t>(i);
      fill(kGap + row * pitch(tile_.height) + pixel / tile_.width * enlargement_,
           kGap + column * pitch(tile_.width) + pixel % tile_.width * enlargement_, level);
    }
  }

  Picture picture() && {
    Picture result{static_cast<int>(height_), static_cast<int>(width_), coloured_ ? 3 : 1, {}};
    if (coloured_) {
      result.pixels = std::move(pixels_);
    } else {
      result.pixels.resize(pixels_.size() / 3);
      for (std::size_t i = 0; i < result.pixels.size(); ++i) result.pixels[i] = pixels_[3 * i];
    }
    return result;
  }

 private:
  std::int64_t pitch(std::int64_t side) const { return side * enlargement_ + kGap; }

  void fill(std::int64_t top, std::int64_t left, const double* level) {
    std::uint8_t colour[3] = {};
    bool finite = true;
    for (std::int64_t c = 0; c < 3; ++c) {
      const double value = level[tile_.channels == 3 ? c : 0];
      finite = finite && std::isfinite(value);
      if (finite) colour[c] = static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
    }
    if (!finite) {
      coloured_ = true;
      colour[0] = 255;
      colour[1] = colour[2] = 0;
    }
    for (std::int64_t y = top; y < top + enlargement_; ++y)
      for (std::int64_t x = left; x < left + enlargement_; ++x)
        std::copy_n(colour, 3, &pixels_[static_cast<std::size_t>((y * width_ + x) * 3)]);
  }

  TileSize tile_;
  std::int64_t enlargement_;
  bool coloured_;
  std::int64_t height_, width_;
  std::vector<std::uint8_t> pixels_;  // always three channels while drawing
};

// How many tiles fit into a picture of kMaxPixels, at least 1.
std::int64_t most_tiles(const TileSize& tile) {
  const std::int64_t area = (tile.height + 2 * kGap) * (tile.width + 2 * kGap);
  return std::max<std::int64_t>(kMaxPixels / area, 1);
}

// Columns of a nearly square grid.
std::int64_t square_side(std::int64_t tiles) {
  return static_cast<std::int64_t>(std::ceil(std::sqrt(static_cast<double>(tiles))));
}

// Levels symmetric about 0, scaled by the largest finite magnitude.
std::vector<double> symmetric_levels(const std::vector<double>& weights) {
  double largest = 0;
  for (double w : weights)
    if (std::isfinite(w)) largest = std::max(largest, std::abs(w));
  std::vector<double> levels(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i)
    levels[i] = 128 + 127 * (weights[i] == 0 ? 0 : weights[i] / largest);
  return levels;
}

// Levels of one example of [examples, inputs], 0 black and 1 white.
std::vector<double> image_levels(const Tensor<float>& images, std::int64_t example) {
  const auto first = images.data.begin() + example * images.shape[1];
  std::vector<double> levels(first, first + images.shape[1]);
  for (double& level : levels) level *= 255;
  return levels;
}

void check_matrix(const char* where, const char* what, const Tensor<float>& matrix,
                  const char* axes) {
  if (matrix.shape.rank() != 2 || matrix.size() == 0)
    throw ShapeError(cat(where, ": ", what, " of shape ", matrix.shape, " cannot be drawn; ", axes,
                         " with at least one of each is needed"));
}

}  // namespace

Picture filter_grid(const Tensor<float>& weights, const Shape& image, int max_units, Units units) {
  constexpr const char* kWhere = "filter grid";
  const bool columns_are_units = units == Units::kColumns;
  check_matrix(kWhere, "weights", weights,
               columns_are_units ? "[inputs, units]" : "[units, inputs]");
  if (max_units < 1)
    throw ShapeError(cat(kWhere, ": at most ", max_units, " units; at least 1 is needed"));
  const std::int64_t inputs = weights.shape[columns_are_units ? 0 : 1];
  const TileSize tile = tile_size(kWhere, image, inputs);
  const std::int64_t count = std::min(
      {weights.shape[columns_are_units ? 1 : 0], std::int64_t{max_units}, most_tiles(tile)});
  const std::int64_t columns = square_side(count);
  Grid grid((count + columns - 1) / columns, columns, tile, kFilterGap);
  std::vector<double> incoming(static_cast<std::size_t>(inputs));
  for (std::int64_t unit = 0; unit < count; ++unit) {
    for (std::int64_t i = 0; i < inputs; ++i)
      incoming[static_cast<std::size_t>(i)] =
          columns_are_units ? weights[i * weights.shape[1] + unit] : weights[unit * inputs + i];
    grid.draw(unit / columns, unit % columns, symmetric_levels(incoming));
  }
  return std::move(grid).picture();
}

Picture image_grid(const Tensor<float>& images, const Shape& image, int count) {
  constexpr const char* kWhere = "image grid";
  check_matrix(kWhere, "images", images, "[examples, inputs]");
  if (count < 1) throw ShapeError(cat(kWhere, ": ", count, " examples; at least 1 is needed"));
  const std::int64_t inputs = images.shape[1];
  const TileSize tile = tile_size(kWhere, image, inputs);
  const std::int64_t tiles = std::min({images.shape[0], std::int64_t{count}, most_tiles(tile)});
  const std::int64_t columns = square_side(tiles);
  Grid grid((tiles + columns - 1) / columns, columns, tile, kImageGap);
  for (std::int64_t example = 0; example < tiles; ++example)
    grid.draw(example / columns, example % columns, image_levels(images, example));
  return std::move(grid).picture();
}

Picture reconstruction_grid(const Tensor<float>& originals, const Tensor<float>* corrupted,
                            const Tensor<float>& reconstructions, const Shape& image, int count) {
  constexpr const char* kWhere = "reconstruction grid";
  check_matrix(kWhere, "originals", originals, "[examples, inputs]");
  if (count < 1) throw ShapeError(cat(kWhere, ": ", count, " examples; at least 1 is needed"));
  std::vector<const Tensor<float>*> rows = {&originals};
  if (corrupted != nullptr) rows.push_back(corrupted);
  rows.push_back(&reconstructions);
  for (const Tensor<float>* row : rows)
    if (!(row->shape == originals.shape))
      throw ShapeError(cat(kWhere, ": originals ", originals.shape, " and ",
                           row == corrupted ? "corrupted inputs " : "reconstructions ", row->shape,
                           " differ in shape; equal shapes are needed"));
  const std::int64_t inputs = originals.shape[1];
  const TileSize tile = tile_size(kWhere, image, inputs);
  const auto row_count = static_cast<std::int64_t>(rows.size());
  const std::int64_t columns = std::min({originals.shape[0], std::int64_t{count},
                                         std::max<std::int64_t>(most_tiles(tile) / row_count, 1)});
  Grid grid(row_count, columns, tile, kImageGap);
  for (std::int64_t row = 0; row < row_count; ++row)
    for (std::int64_t example = 0; example < columns; ++example)
      grid.draw(row, example, image_levels(*rows[static_cast<std::size_t>(row)], example));
  return std::move(grid).picture();
}

}  // namespace jacquard::experiments
