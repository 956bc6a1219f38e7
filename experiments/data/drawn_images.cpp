#include "experiments/data/drawn_images.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "autodiff/philox.hpp"
#include "experiments/permutation.hpp"
#include "experiments/random_stream.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::uint64_t kSeed = 0;

using Bytes = const unsigned char*;
Bytes as_bytes(const std::string& text) { return reinterpret_cast<Bytes>(text.data()); }

std::size_t pixels_of(const ByteArray& images) {
  return static_cast<std::size_t>(images.sizes[1] * images.sizes[2]);
}

// The value between pixels; 0 outside of the image.
double between(Bytes image, std::int64_t height, std::int64_t width, double row, double column) {
  const double top = std::floor(row), left = std::floor(column);
  const auto pixel = [&](double r, double c) -> double {
    if (r < 0 || c < 0 || r >= static_cast<double>(height) || c >= static_cast<double>(width))
      return 0;
    return image[static_cast<std::int64_t>(r) * width + static_cast<std::int64_t>(c)];
  };
  const double down = row - top, right = column - left;
  return (1 - down) * ((1 - right) * pixel(top, left) + right * pixel(top, left + 1)) +
         down * ((1 - right) * pixel(top + 1, left) + right * pixel(top + 1, left + 1));
}

void draw_rectangle(RandomStream& draws, char* image, std::int64_t side, char& label) {
  const auto below = [&draws](std::int64_t bound) {
    return static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(bound)));
  };
  constexpr std::int64_t kLeastDifference = 3;
  constexpr char kWhite = static_cast<char>(255);
  std::int64_t height = 0, width = 0;
  while (std::abs(height - width) < kLeastDifference)
    height = 1 + below(side), width = 1 + below(side);
  const std::int64_t top = below(side - height + 1), left = below(side - width + 1);
  for (std::int64_t c = left; c < left + width; ++c)
    image[top * side + c] = image[(top + height - 1) * side + c] = kWhite;
  for (std::int64_t r = top; r < top + height; ++r)
    image[r * side + left] = image[r * side + left + width - 1] = kWhite;
  label = width > height ? 1 : 0;
}

}  // namespace

ImageParts vary_mnist(ImageParts mnist, void (*change)(ByteArray& images)) {
  constexpr std::int64_t kAll = 70000, kTrain = 12000, kTest = 50000;
  const std::size_t pixels = pixels_of(mnist.train.images);
  const std::int64_t first = mnist.train.count();
  const std::int64_t count = first + mnist.test.count();
  const std::vector<std::int64_t> order = permutation(kSeed, "data/mnist_basic", count);
  const std::int64_t train = count * kTrain / kAll, test = count * kTest / kAll;
  // One array, so that an image is changed by its place in the whole.
  ImagePart all{{{train + test, mnist.train.images.sizes[1], mnist.train.images.sizes[2]}, {}},
                {{train + test}, {}}};
  for (std::int64_t i = 0; i < train + test; ++i) {
    const std::int64_t place = order[static_cast<std::size_t>(i)];
    const ImagePart& from = place < first ? mnist.train : mnist.test;
    const auto row = static_cast<std::size_t>(place < first ? place : place - first);
    all.images.bytes.append(from.images.bytes, row * pixels, pixels);
    all.labels.bytes += from.labels.bytes[row];
  }
  change(all.images);
  const auto cut = [&](std::int64_t begin, std::int64_t size) {
    const auto at = static_cast<std::size_t>(begin), length = static_cast<std::size_t>(size);
    return ImagePart{{{size, all.images.sizes[1], all.images.sizes[2]},
                      all.images.bytes.substr(at * pixels, length * pixels)},
                     {{size}, all.labels.bytes.substr(at, length)}};
  };
  return {cut(0, train), cut(train, test)};
}

void leave_images(ByteArray&) {}

void rotate_images(ByteArray& images) {
  const std::int64_t height = images.sizes[1], width = images.sizes[2];
  const std::size_t pixels = pixels_of(images);
  std::vector<double> turns(static_cast<std::size_t>(images.sizes[0]));
  fill_uniform<double>(turns, kSeed, "data/mnist_rot", 0);
  const double middle_row = static_cast<double>(height - 1) / 2;
  const double middle_column = static_cast<double>(width - 1) / 2;
  std::string turned(pixels, '\0');
  for (std::size_t i = 0; i < turns.size(); ++i) {
    const double angle = 2 * std::numbers::pi * turns[i];
    const double c = std::cos(angle), s = std::sin(angle);
    for (std::int64_t y = 0; y < height; ++y)
      for (std::int64_t x = 0; x < width; ++x) {
        // Where this pixel of the turned image comes from.
        const double v = static_cast<double>(y) - middle_row;
        const double u = static_cast<double>(x) - middle_column;
        const double value = between(as_bytes(images.bytes) + i * pixels, height, width,
                                     middle_row + c * v - s * u, middle_column + s * v + c * u);
        turned[static_cast<std::size_t>(y * width + x)] = static_cast<char>(std::lround(value));
      }
    images.bytes.replace(i * pixels, pixels, turned);
  }
}

void add_noise_behind(ByteArray& images) {
  const std::size_t pixels = pixels_of(images);
  std::vector<float> noise(pixels);
  for (std::size_t i = 0; i * pixels < images.bytes.size(); ++i) {
    fill_uniform<float>(noise, kSeed, "data/mnist_bg_rand", 0, i * pixels);
    for (std::size_t k = 0; k < pixels; ++k) {
      const auto behind = static_cast<unsigned char>(256 * noise[k]);
      char& pixel = images.bytes[i * pixels + k];
      pixel = static_cast<char>(std::max(static_cast<unsigned char>(pixel), behind));
    }
  }
}

ImageParts draw_rectangles() {
  constexpr std::int64_t kSide = 28, kTrain = 1200, kTest = 50000;
  RandomStream draws(kSeed, "data/rectangles");
  const auto draw = [&draws](std::int64_t count) {
    ImagePart part{{{count, kSide, kSide}, {}}, {{count}, {}}};
    part.images.bytes.assign(static_cast<std::size_t>(count * kSide * kSide), '\0');
    part.labels.bytes.assign(static_cast<std::size_t>(count), '\0');
    for (std::int64_t i = 0; i < count; ++i)
      draw_rectangle(draws, &part.images.bytes[static_cast<std::size_t>(i * kSide * kSide)], kSide,
                     part.labels.bytes[static_cast<std::size_t>(i)]);
    return part;
  };
  ImagePart train = draw(kTrain);
  return {std::move(train), draw(kTest)};
}

}  // namespace jacquard::experiments
