#include "experiments/data/patches.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "experiments/random_stream.hpp"

namespace jacquard::experiments {

void check_patches(std::int64_t height, std::int64_t width, std::int64_t size, std::int64_t count,
                   std::string_view where) {
  constexpr std::int64_t kMaxNumbers = std::int64_t{1} << 31;  // 8 GiB of floats
  const std::int64_t most = std::min(height, width);
  if (size < 1 || size > most)
    throw SpecError(cat(where, "/size: pieces of ", size, " x ", size,
                        " cannot be cut from images of ", height, " x ", width, "; 1 to ", most,
                        " is allowed"));
  const std::int64_t most_pieces = kMaxNumbers / (3 * size * size);
  if (count < 1 || count > most_pieces)
    throw SpecError(cat(where, "/count: ", count, " pieces of ", size, " x ", size,
                        " are out of range; 1 to ", most_pieces, " are allowed"));
}

std::vector<PatchPlace> patch_places(const std::vector<std::int64_t>& images, std::int64_t size,
                                     std::int64_t count, std::uint64_t seed,
                                     std::string_view stream) {
  RandomStream draws(seed, stream);
  const auto below = [&draws](std::int64_t bound) {
    return static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(bound)));
  };
  std::vector<PatchPlace> places;
  places.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    PatchPlace place{};
    place.image = below(images[0]);
    place.row = below(images[1] - size + 1);
    place.column = below(images[2] - size + 1);
    places.push_back(place);
  }
  return places;
}

ByteArray cut_patches(const ByteArray& images, std::int64_t size,
                      const std::vector<PatchPlace>& places) {
  const std::vector<std::int64_t>& sizes = images.sizes;
  const std::int64_t channels = sizes.size() > 3 ? sizes[3] : 1;
  ByteArray patches{{static_cast<std::int64_t>(places.size()), size, size}, {}};
  if (sizes.size() > 3) patches.sizes.push_back(channels);
  patches.bytes.resize(places.size() * static_cast<std::size_t>(size * size * channels));
  char* to = patches.bytes.data();
  for (const PatchPlace& place : places)
    to = copy_patch(images.bytes.data() + place.image * sizes[1] * sizes[2] * channels, sizes[2],
                    channels, size, place, to);
  return patches;
}

}  // namespace jacquard::experiments
