#include "experiments/data/image_sets.hpp"

#include "autodiff/error.hpp"
#include "experiments/data/byte_file.hpp"
#include "experiments/data/drawn_images.hpp"
#include "experiments/data/patches.hpp"
#include "experiments/data/store.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

using Paths = std::vector<std::filesystem::path>;
using Sizes = std::vector<std::int64_t>;

constexpr std::int64_t kCifarSide = 32;

ImagePart read_pair(const std::filesystem::path& images, const std::filesystem::path& labels) {
  ImagePart part{read_byte_file(images), read_byte_file(labels)};
  if (part.images.sizes.size() != 3)
    throw SpecError(cat("data ", in_quotes(images), ": ", part.images.sizes.size(),
                        " sizes are declared; images have 3"));
  if (part.labels.sizes.size() != 1)
    throw SpecError(cat("data ", in_quotes(labels), ": ", part.labels.sizes.size(),
                        " sizes are declared; labels have 1"));
  if (part.images.sizes[0] != part.labels.sizes[0])
    throw SpecError(cat("data ", in_quotes(images), ": ", part.images.sizes[0], " images, but ",
                        part.labels.sizes[0], " labels in ", in_quotes(labels)));
  return part;
}

ImageParts read_mnist_files(std::string_view name) {
  const Paths files = locate(*find_stored_set(name));
  return {read_pair(files[0], files[1]), read_pair(files[2], files[3])};
}

// Sheets of CIFAR-10: an image a row, as 32 x 32 pixels one after the other.
ImagePart read_sheets(const Paths& sheets, const std::filesystem::path& labels) {
  ImagePart part{{{0, kCifarSide, kCifarSide, 3}, {}}, read_byte_file(labels)};
  for (const std::filesystem::path& path : sheets) {
    const ByteArray sheet = read_byte_file(path);
    if (sheet.sizes.size() != 3 || sheet.sizes[1] != kCifarSide * kCifarSide)
      throw SpecError(cat("data ", in_quotes(path), ": the picture is ", shown_sizes(sheet.sizes),
                          "; each row must be an image of 1024 pixels in red, green and blue"));
    if (part.images.bytes.empty()) part.images.bytes.reserve(sheets.size() * sheet.bytes.size());
    part.images.sizes[0] += sheet.sizes[0];
    part.images.bytes += sheet.bytes;
  }
  if (part.images.sizes[0] != part.count())
    throw SpecError(cat("data ", in_quotes(sheets[0]), ": ", part.images.sizes[0], " images, but ",
                        part.count(), " labels in ", in_quotes(labels)));
  return part;
}

ImageParts read_cifar10(const DataSpec&, std::uint64_t) {
  const Paths files = locate(*find_stored_set("cifar10"));
  return {read_sheets({files.begin(), files.begin() + 5}, files[6]),
          read_sheets({files[5]}, files[7])};
}

ImageParts read_cifar10_grey(const DataSpec& spec, std::uint64_t seed) {
  ImageParts parts = read_cifar10(spec, seed);
  for (ImagePart* part : {&parts.train, &parts.test}) part->images = grey_images(part->images);
  return parts;
}

ImageParts read_cifar10_patches(const DataSpec& spec, std::uint64_t seed) {
  check_patches(kCifarSide, kCifarSide, spec.size, spec.count, "/data");
  const ImageParts whole = spec.grey ? read_cifar10_grey(spec, seed) : read_cifar10(spec, seed);
  const auto cut = [&](const ImagePart& part, std::string_view name, std::int64_t count) {
    const std::vector<PatchPlace> places =
        patch_places(part.images.sizes, spec.size, count, seed, cat("data/patches/", name));
    ImagePart patches{cut_patches(part.images, spec.size, places), {{count}, {}}};
    for (const PatchPlace& place : places)
      patches.labels.bytes += part.labels.bytes[static_cast<std::size_t>(place.image)];
    return patches;
  };
  // As many to test on as CIFAR-10 has for its own size, one at least.
  const std::int64_t test =
      (spec.count * whole.test.count() + whole.train.count() - 1) / whole.train.count();
  return {cut(whole.train, "train", spec.count), cut(whole.test, "test", test)};
}

ImageParts read_mnist(const DataSpec& spec, std::uint64_t) { return read_mnist_files(spec.set); }

template <void (*Change)(ByteArray& images)>
ImageParts read_variation(const DataSpec&, std::uint64_t) {
  ImageParts parts = read_mnist_files("mnist");
  return vary_mnist(std::move(parts), Change);
}

ImageParts read_rectangles(const DataSpec&, std::uint64_t) { return draw_rectangles(); }

Sizes mnist_image(const DataSpec&) { return {28, 28}; }
Sizes cifar_image(const DataSpec&) { return {kCifarSide, kCifarSide, 3}; }
Sizes cifar_grey_image(const DataSpec&) { return {kCifarSide, kCifarSide}; }
Sizes patch_image(const DataSpec& spec) {
  check_patches(kCifarSide, kCifarSide, spec.size, spec.count, "/data");
  return spec.grey ? Sizes{spec.size, spec.size} : Sizes{spec.size, spec.size, 3};
}

}  // namespace

const std::vector<ImageSet>& image_sets() {
  static const std::vector<ImageSet> sets = {
      {"fashion_mnist",
       "60000 + 10000 images of clothes, 28 x 28, 10 classes",
       "fashion_mnist",
       {},
       mnist_image,
       read_mnist},
      {"mnist",
       "60000 + 10000 images of handwritten digits, 28 x 28, 10 classes",
       "mnist",
       {},
       mnist_image,
       read_mnist},
      {"mnist_basic",
       "12000 + 50000 images of MNIST",
       "mnist",
       {},
       mnist_image,
       read_variation<leave_images>},
      {"mnist_rot",
       "mnist_basic with each image turned by any angle",
       "mnist",
       {},
       mnist_image,
       read_variation<rotate_images>},
      {"mnist_bg_rand",
       "mnist_basic with noise behind the digits",
       "mnist",
       {},
       mnist_image,
       read_variation<add_noise_behind>},
      {"rectangles",
       "1200 + 50000 outlines of rectangles, 28 x 28, tall or wide",
       "",
       {},
       mnist_image,
       read_rectangles},
      {"cifar10",
       "50000 + 10000 photographs, 32 x 32 x 3, 10 classes",
       "cifar10",
       {},
       cifar_image,
       read_cifar10},
      {"cifar10_grey",
       "the same in grey, 32 x 32",
       "cifar10",
       {},
       cifar_grey_image,
       read_cifar10_grey},
      {"cifar10_patches",
       "pieces cut from CIFAR-10 at random places",
       "cifar10",
       {"count", "size", "grey"},
       patch_image,
       read_cifar10_patches}};
  return sets;
}

const ImageSet* find_image_set(std::string_view name) {
  for (const ImageSet& set : image_sets())
    if (set.name == name) return &set;
  return nullptr;
}

ByteArray grey_images(const ByteArray& coloured) {
  const auto count = coloured.bytes.size() / 3;
  ByteArray grey{{coloured.sizes.begin(), coloured.sizes.end() - 1}, std::string(count, '\0')};
  for (std::size_t i = 0; i < count; ++i) {
    const auto channel = [&](std::size_t c) {
      return static_cast<unsigned>(static_cast<unsigned char>(coloured.bytes[3 * i + c]));
    };
    grey.bytes[i] =
        static_cast<char>((299 * channel(0) + 587 * channel(1) + 114 * channel(2) + 500) / 1000);
  }
  return grey;
}

}  // namespace jacquard::experiments
