// Reader of IDX files, the format of MNIST and of the sets made after it: 0 0 type rank, the sizes
// as big-endian 32-bit numbers, the elements. Only unsigned bytes (type 0x08), as images and labels
// are; plain or in gzip, which is told by the content.
#pragma once

#include <filesystem>
#include <string_view>

#include "experiments/data/byte_array.hpp"

namespace jacquard::experiments {

// Throws SpecError, with the name of the file and the numbers involved, for anything but a whole
// IDX file of exactly the size that its header declares. Memory follows what the file holds, not
// what its header asks for.
ByteArray read_idx(const std::filesystem::path& path);

// The same for bytes in memory; `name` stands for the file in messages.
ByteArray parse_idx(std::string_view file, std::string_view name);

}  // namespace jacquard::experiments
