// The files of data sets as arrays of bytes, whatever their format: IDX, plain or in gzip, PNG, a
// list of labels in JSON.
//
// What takes time to decode (gzip, PNG, JSON) is decoded once and kept in the folder `cache` of
// the user's data folder. A kept array counts only while size, time and last bytes of its source
// are what they were and its own hash is right; else it is decoded and kept anew. Where nothing can
// be kept, the file is decoded every time. The folder may be deleted at any time.
#pragma once

#include <filesystem>

#include "experiments/data/byte_array.hpp"

namespace jacquard::experiments {

// Throws SpecError for a file that cannot be read or is no whole file of its format.
ByteArray read_byte_file(const std::filesystem::path& path);

// The same without the cache: what the file itself says now.
ByteArray decode_byte_file(const std::filesystem::path& path);

}  // namespace jacquard::experiments
