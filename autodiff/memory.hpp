// Places the intermediates of a plan in one arena, reusing memory that nobody reads any more.
#pragma once

#include <cstdint>
#include <vector>

namespace jacquard {

// A block of memory that is needed from instruction `first` to instruction `last`, both included.
struct Lifetime {
  std::int64_t bytes = 0;
  std::int64_t first = 0, last = 0;
};

struct Placement {
  std::vector<std::int64_t> offsets;  // one per lifetime, multiples of kAlignment
  std::int64_t bytes = 0;             // of the arena
};

constexpr std::int64_t kAlignment = 64;

// Best fit in order of first use. Blocks whose lifetimes overlap never share memory.
Placement place(const std::vector<Lifetime>& lifetimes);

}  // namespace jacquard
