// ByteArray: an array of unsigned bytes, as the files of data sets hold images and labels.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jacquard::experiments {

struct ByteArray {
  std::vector<std::int64_t> sizes;
  std::string bytes;  // product of sizes, row-major

  bool operator==(const ByteArray&) const = default;
};

// The number of bytes that these sizes (>= 0) declare. Throws SpecError, beginning with `where`,
// when there are more than any file may have. Nothing is allocated.
std::uint64_t declared_bytes(const std::vector<std::int64_t>& sizes, std::string_view where);

// "2 x 3", for messages.
std::string shown_sizes(const std::vector<std::int64_t>& sizes);

}  // namespace jacquard::experiments
