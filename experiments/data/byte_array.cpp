#include "experiments/data/byte_array.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {

std::uint64_t declared_bytes(const std::vector<std::int64_t>& sizes, std::string_view where) {
  if (std::ranges::count(sizes, 0) > 0) return 0;
  std::uint64_t bytes = 1;
  for (const std::int64_t size : sizes)
    if (__builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes) ||
        bytes > kMaxFileBytes)
      throw SpecError(cat(where, ": the header declares ", shown_sizes(sizes), " bytes; at most ",
                          kMaxFileBytes, " are allowed"));
  return bytes;
}

std::string shown_sizes(const std::vector<std::int64_t>& sizes) {
  std::string text;
  for (const std::int64_t size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

}  // namespace jacquard::experiments
