// Square pieces cut from images at random places, each image and each place equally likely.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "experiments/data/byte_array.hpp"

namespace jacquard::experiments {

struct PatchPlace {
  std::int64_t image, row, column;  // of the upper left corner
};

// Throws SpecError, beginning with `where`/size or `where`/count, for pieces that do not fit into
// an image of these sides, or too many of them.
void check_patches(std::int64_t height, std::int64_t width, std::int64_t size, std::int64_t count,
                   std::string_view where);

// `count` places in images of these sizes ([count, height, width, ...]), drawn one after the other
// from RandomStream(seed, stream): image, row, column. Requires: check_patches() passed, an image
// is there unless count is 0.
std::vector<PatchPlace> patch_places(const std::vector<std::int64_t>& images, std::int64_t size,
                                     std::int64_t count, std::uint64_t seed,
                                     std::string_view stream);

// Copies one piece out of an image of `width` columns with `channels` values a pixel.
template <class T>
T* copy_patch(const T* image, std::int64_t width, std::int64_t channels, std::int64_t size,
              const PatchPlace& place, T* to) {
  for (std::int64_t row = 0; row < size; ++row) {
    const T* const from = image + ((place.row + row) * width + place.column) * channels;
    for (std::int64_t i = 0; i < size * channels; ++i) *to++ = from[i];
  }
  return to;
}

// [places, size, size, ...].
ByteArray cut_patches(const ByteArray& images, std::int64_t size,
                      const std::vector<PatchPlace>& places);

}  // namespace jacquard::experiments
