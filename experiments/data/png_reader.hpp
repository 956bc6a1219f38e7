// Reader of PNG files that are sheets of data, such as those of CIFAR-10: 8 bits, grey or red,
// green, blue, not interlaced. Through libpng, row by row. (Writing: picture.hpp.)
#pragma once

#include <string_view>

#include "experiments/data/byte_array.hpp"

namespace jacquard::experiments {

// [height, width] of a grey picture, [height, width, 3] of a coloured one. Throws SpecError, with
// the name of the file, for other kinds of PNG, for all that libpng finds wrong, checksums and
// data that are too much or too little included, and for bytes after the end. Memory follows what
// the file can unpack to, not what its header asks for; what else is written in it is skipped.
ByteArray parse_png(std::string_view file, std::string_view name);

}  // namespace jacquard::experiments
