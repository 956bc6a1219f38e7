// Memory for millions of numbers: asks the system for large pages, since making small ones present
// one by one takes longer than filling them.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace jacquard::experiments {

// To be called before the memory is first written. A wish: where the system knows no large pages,
// nothing happens.
inline void prefer_large_pages(void* begin, std::size_t bytes) {
  constexpr std::uintptr_t kLargePage = std::uintptr_t{1} << 21;
  const auto address = reinterpret_cast<std::uintptr_t>(begin);
  const std::uintptr_t first = (address + kLargePage - 1) / kLargePage * kLargePage;
  const std::uintptr_t last = (address + bytes) / kLargePage * kLargePage;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
}

}  // namespace jacquard::experiments
