#include "experiments/data/image_sets.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>

#include "autodiff/error.hpp"
#include "experiments/data/drawn_images.hpp"
#include "experiments/data/patches.hpp"
#include "experiments/picture.hpp"
#include "tests/experiments/small_set.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

std::string refusal(const DataSpec& spec) {
  return message_of<SpecError>([&] { load_data(spec, 1); });
}

// Channel c of pixel (y, x) of image i of sheet s of the small set below.
int level(int sheet, int image, int y, int x, int c) {
  return (sheet * 50 + image * 97 + y * 5 + x * 3 + c * 31) % 256;
}

// CIFAR-10 with two images a sheet; the label of an image is its place.
void put_small_cifar(const TemporaryFolder& folder) {
  for (int sheet = 0; sheet < 6; ++sheet) {
    Picture picture{2, 1024, 3, {}};
    for (int image = 0; image < 2; ++image)
      for (int k = 0; k < 1024; ++k)
        for (int c = 0; c < 3; ++c)
          picture.pixels.push_back(
              static_cast<std::uint8_t>(level(sheet, image, k / 32, k % 32, c)));
    const std::string name = sheet < 5 ? cat("data_batch_", sheet + 1) : std::string("test_batch");
    folder.put(cat("cifar10/", name, ".png"), to_png(picture));
  }
  folder.put("cifar10/train_lables.json", "[0,1,2,3,4,5,6,7,8,9]");
  folder.put("cifar10/test_lables.json", "[10,11]");
}

TEST_CASE("CIFAR-10 is read from sheets: every row an image, every pixel red, green, blue") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  put_small_cifar(folder);
  DataSpec spec = set_of("cifar10");
  spec.scale = false;
  const Splits splits = load_data(spec, 1);
  CHECK(splits.train.image == std::vector<std::int64_t>{32, 32, 3});
  CHECK(splits.train.count() == 10);
  CHECK(splits.test.count() == 2);
  bool same = true;
  for (const DataSet* part : {&splits.train, &splits.test}) {
    const Tensor<float> x = part->arrays.at("x").values();
    const Tensor<float> labels = part->arrays.at("labels").values();
    for (std::int64_t i = 0; i < part->count(); ++i) {
      const int label = static_cast<int>(labels[i]);
      for (int k = 0; k < 3072; ++k)
        same = same && x[i * 3072 + k] == static_cast<float>(level(label / 2, label % 2, k / 96,
                                                                   k / 3 % 32, k % 3));
    }
  }
  CHECK(same);
  CHECK(data_inputs(spec) == std::map<std::string, Shape>{{"x", {3072}}, {"labels", {}}});
}

TEST_CASE("the grey CIFAR-10 has the brightness of its colours") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  put_small_cifar(folder);
  const Splits splits = load_data(set_of("cifar10_grey"), 1);
  CHECK(splits.test.image == std::vector<std::int64_t>{32, 32});
  const Tensor<float> x = splits.test.arrays.at("x").values();
  CHECK(x.shape == Shape{2, 1024});
  for (int k = 0; k < 1024; ++k) {
    const auto channel = [&](int c) { return level(5, 0, k / 32, k % 32, c); };
    const double grey = 0.299 * channel(0) + 0.587 * channel(1) + 0.114 * channel(2);
    CHECK(std::abs(x[k] * 255 - grey) < 0.5001);
  }
  CHECK(grey_images({{1, 1, 2, 3}, std::string("\xff\xff\xff\xff\0\0", 6)}).bytes == "\xff\x4c");
}

TEST_CASE("patches are pieces of the images of their part, wherever they were cut") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  put_small_cifar(folder);
  DataSpec spec = set_of("cifar10_patches");
  spec.scale = false;
  spec.size = 5;
  spec.count = 200;
  const Splits splits = load_data(spec, 3);
  CHECK(splits.train.image == std::vector<std::int64_t>{5, 5, 3});
  CHECK(splits.train.count() == 200);
  CHECK(splits.test.count() == 40);
  std::set<std::pair<std::int64_t, std::int64_t>> places;
  for (const DataSet* part : {&splits.train, &splits.test}) {
    const Tensor<float> x = part->arrays.at("x").values();
    const Tensor<float> labels = part->arrays.at("labels").values();
    for (std::int64_t i = 0; i < part->count(); ++i) {
      const int label = static_cast<int>(labels[i]);
      const float* const patch = &x.data[static_cast<std::size_t>(i * 75)];
      int found = 0;
      for (int top = 0; top < 28; ++top)
        for (int left = 0; left < 28; ++left) {
          bool same = true;
          for (int k = 0; k < 75 && same; ++k)
            same = patch[k] == static_cast<float>(level(label / 2, label % 2, top + k / 15,
                                                        left + k / 3 % 5, k % 3));
          if (!same) continue;
          ++found;
          places.insert({top, left});
        }
      CHECK(found > 0);
    }
  }
  CHECK(places.size() > 150);
  CHECK(load_data(spec, 3).train.arrays == splits.train.arrays);
  CHECK(load_data(spec, 4).train.arrays != splits.train.arrays);
  spec.grey = true;
  CHECK(load_data(spec, 3).train.image == std::vector<std::int64_t>{5, 5});
  CHECK(data_inputs(spec).at("x") == Shape{25});
  spec.size = 33;
  CHECK(refusal(spec) ==
        "/data/size: pieces of 33 x 33 cannot be cut from images of 32 x 32; 1 to 32 is allowed");
  spec.size = 32;
  spec.count = 0;
  CHECK(refusal(spec).starts_with("/data/count: 0 pieces of 32 x 32 are out of range"));
}

TEST_CASE("every image and every place is cut from equally often") {
  std::vector<int> images(4), rows(3), columns(4);
  for (const PatchPlace& place : patch_places({4, 5, 6}, 3, 12000, 1, "s")) {
    ++images.at(static_cast<std::size_t>(place.image));
    ++rows.at(static_cast<std::size_t>(place.row));
    ++columns.at(static_cast<std::size_t>(place.column));
  }
  for (const auto& counts : {images, rows, columns})
    for (const int count : counts) {
      const double expected = 12000.0 / static_cast<double>(counts.size());
      CHECK(std::abs(count - expected) < 5 * std::sqrt(expected));
    }
}

TEST_CASE("a sheet or a list of labels that does not fit is refused") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  CHECK(refusal(set_of("cifar10_grey")).ends_with("run 'jacquard data get cifar10'"));
  put_small_cifar(folder);
  folder.put("cifar10/test_lables.json", "[1]");
  CHECK(refusal(set_of("cifar10")) == cat("data '", (folder / "cifar10/test_batch.png").native(),
                                          "': 2 images, but 1 labels in '",
                                          (folder / "cifar10/test_lables.json").native(), "'"));
  folder.put("cifar10/data_batch_3.png", to_png({1, 1024, 1, std::vector<std::uint8_t>(1024)}));
  CHECK(refusal(set_of("cifar10"))
            .ends_with("the picture is 1 x 1024; each row must be an image of 1024 pixels in red, "
                       "green and blue"));
}

// An MNIST whose images are all different.
ImageParts small_mnist() {
  ImageParts parts;
  int image = 0;
  for (auto [part, count] : {std::pair(&parts.train, 60), std::pair(&parts.test, 10)}) {
    part->images.sizes = {count, 28, 28};
    part->labels.sizes = {count};
    for (int i = 0; i < count; ++i, ++image) {
      for (int k = 0; k < 784; ++k)
        part->images.bytes += static_cast<char>(k == image ? 200 : k % 7 == 0 ? 255 : 0);
      part->labels.bytes += static_cast<char>(image);
    }
  }
  return parts;
}

TEST_CASE("the basic variation is other parts of the same images, each at most once") {
  const ImageParts parts = vary_mnist(small_mnist(), leave_images);
  CHECK(parts.train.count() == 12);
  CHECK(parts.test.count() == 50);
  const ImageParts whole = small_mnist();
  const std::string images = whole.train.images.bytes + whole.test.images.bytes;
  std::set<char> seen;
  for (const ImagePart* part : {&parts.train, &parts.test})
    for (std::size_t i = 0; i < part->labels.bytes.size(); ++i) {
      const char label = part->labels.bytes[i];
      CHECK(seen.insert(label).second);
      CHECK(part->images.bytes.substr(i * 784, 784) ==
            images.substr(static_cast<std::size_t>(label) * 784, 784));
    }
  CHECK(vary_mnist(small_mnist(), leave_images).train.images == parts.train.images);
}

TEST_CASE("a turned disc stays where it is, and a turned point stays as far from the middle") {
  // A smooth hill at (20, 13.5), seen from the middle at angles that are uniform.
  constexpr int kImages = 2000;
  ByteArray images{{kImages, 28, 28}, {}};
  for (int i = 0; i < kImages; ++i)
    for (int k = 0; k < 784; ++k) {
      const double v = k / 28 - 20.0, u = k % 28 - 13.5;
      images.bytes += static_cast<char>(std::lround(250 * std::exp(-(u * u + v * v) / 8)));
    }
  const ByteArray before = images;
  rotate_images(images);
  double cosine = 0, sine = 0, square = 0;
  for (std::size_t i = 0; i < kImages; ++i) {
    double weight = 0, row = 0, column = 0;
    for (int k = 0; k < 784; ++k) {
      const double value =
          static_cast<unsigned char>(images.bytes[i * 784 + static_cast<std::size_t>(k)]);
      weight += value;
      row += value * (k / 28 - 13.5);
      column += value * (k % 28 - 13.5);
    }
    row /= weight;
    column /= weight;
    CHECK(std::hypot(row, column) == doctest::Approx(6.5).epsilon(0.02));
    cosine += row / 6.5 / kImages;
    sine += column / 6.5 / kImages;
    square += row * row / 42.25 / kImages;
  }
  CHECK(std::abs(cosine) < 5 / std::sqrt(2.0 * kImages));
  CHECK(std::abs(sine) < 5 / std::sqrt(2.0 * kImages));
  CHECK(square == doctest::Approx(0.5).epsilon(0.1));
  CHECK(images.bytes.size() == before.bytes.size());
}

TEST_CASE("noise behind a digit is uniform and never darkens it") {
  ByteArray images{{300, 28, 28}, std::string(300 * 784, '\0')};
  for (std::size_t i = 0; i < 300 * 784; i += 2) images.bytes[i] = static_cast<char>(200);
  add_noise_behind(images);
  double mean = 0, square = 0;
  for (std::size_t i = 0; i < images.bytes.size(); ++i) {
    const double value = static_cast<unsigned char>(images.bytes[i]);
    if (i % 2 == 0) {
      CHECK_MESSAGE(value >= 200, "darkened");
    } else {
      mean += value / (150 * 784);
      square += value * value / (150 * 784);
    }
  }
  CHECK(mean == doctest::Approx(127.5).epsilon(0.01));
  CHECK(square - mean * mean == doctest::Approx((256.0 * 256 - 1) / 12).epsilon(0.02));
}

TEST_CASE("a rectangle is one outline whose label says which side is longer") {
  const ImageParts parts = draw_rectangles();
  CHECK(parts.train.count() == 1200);
  CHECK(parts.test.count() == 50000);
  std::set<std::pair<int, int>> sides;
  int wide = 0;
  for (std::size_t i = 0; i < 1200; ++i) {
    int top = 28, bottom = -1, left = 28, right = -1, lit = 0;
    for (int k = 0; k < 784; ++k) {
      const auto value = static_cast<unsigned char>(
          parts.train.images.bytes[i * 784 + static_cast<std::size_t>(k)]);
      if (value == 0) continue;
      CHECK_MESSAGE(value == 255, "grey");
      ++lit;
      top = std::min(top, k / 28), bottom = std::max(bottom, k / 28);
      left = std::min(left, k % 28), right = std::max(right, k % 28);
    }
    const int height = bottom - top + 1, width = right - left + 1;
    const bool thin = height == 1 || width == 1;
    CHECK(lit == (thin ? height * width : 2 * (height + width) - 4));
    CHECK(std::abs(height - width) >= 3);
    CHECK(parts.train.labels.bytes[i] == (width > height ? 1 : 0));
    wide += width > height ? 1 : 0;
    sides.insert({height, width});
  }
  CHECK(std::abs(wide - 600) < 5 * std::sqrt(300.0));
  CHECK(sides.size() > 400);
}

}  // namespace
}  // namespace jacquard::experiments
