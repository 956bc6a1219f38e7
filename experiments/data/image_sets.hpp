// Data sets of images that have a test part of their own: real ones, what is cut or made from
// them, and what is drawn. All are bytes until load_data() takes examples out of them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "experiments/data.hpp"
#include "experiments/data/byte_array.hpp"

namespace jacquard::experiments {

struct ImagePart {
  ByteArray images;  // [count, height, width] or [count, height, width, channels]
  ByteArray labels;  // [count]

  std::int64_t count() const { return labels.sizes[0]; }
};

struct ImageParts {
  ImagePart train, test;
};

struct ImageSet {
  std::string_view name;
  std::string_view what;
  std::string_view stored;               // the stored set that it is made of, if any
  std::vector<std::string_view> fields;  // of "data", beside those of every image set
  std::vector<std::int64_t> (*image)(const DataSpec& spec);  // height, width and perhaps channels
  ImageParts (*read)(const DataSpec& spec, std::uint64_t seed);
};

const std::vector<ImageSet>& image_sets();
const ImageSet* find_image_set(std::string_view name);  // nullptr for other names

// The images as grey ones: 0.299 red + 0.587 green + 0.114 blue, rounded (ITU-R BT.601).
// [count, height, width, 3] -> [count, height, width].
ByteArray grey_images(const ByteArray& coloured);

}  // namespace jacquard::experiments
