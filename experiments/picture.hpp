// Pictures of a run: the filters of a layer and reconstructions beside their originals, as PNG.
//
// A picture is a grid of tiles with a gap of one pixel round each, black between filters and dark
// grey between images. Tiles are enlarged by the largest whole factor (up to 32) that keeps the
// picture near 1200 pixels. A number that is not finite is drawn red (the picture then has three
// channels), so that it cannot be taken for a grey.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct Picture {
  int height = 0, width = 0;
  int channels = 1;                  // 1 grey, 3 red, green, blue
  std::vector<std::uint8_t> pixels;  // height * width * channels, row by row, channels innermost
};

// The bytes of a PNG file; equal pictures give equal bytes (no time, fixed compression).
// Throws InternalError for a picture without pixels or whose sizes disagree.
std::string to_png(const Picture& picture);

// Which axis of a weight matrix counts the units: [inputs, units] as in x @ W, or [units, inputs]
// as in the decoder h @ V.
enum class Units { kColumns, kRows };

// A tile for each of the first max_units units (fewer where the picture would pass 2^24 pixels):
// its weights scaled so that the largest magnitude is white (255) or black (1) and 0 is grey (128).
//
// `image` is the size of one input as [height, width] or [height, width, channels] with 1 or 3
// channels, innermost; rank 0 for inputs that are no images: they fill a nearly square rectangle
// row by row, and what is left of it has the colour of the gaps.
// Throws ShapeError when the sizes do not fit or are 0.
Picture filter_grid(const Tensor<float>& weights, const Shape& image = {}, int max_units = 100,
                    Units units = Units::kColumns);

// A tile for each of the first `count` examples [examples, inputs], 0 black and 1 white; what lies
// beyond is clamped. `image` and errors as above.
Picture image_grid(const Tensor<float>& images, const Shape& image = {}, int count = 100);

// A column for each of the first `count` examples, with the original above its corrupted form (left
// out when `corrupted` is null) above its reconstruction. All are [examples, inputs] of one shape,
// with 0 black and 1 white; what lies beyond is clamped. `image` and errors as above.
Picture reconstruction_grid(const Tensor<float>& originals, const Tensor<float>* corrupted,
                            const Tensor<float>& reconstructions, const Shape& image = {},
                            int count = 20);

}  // namespace jacquard::experiments
