// How often this process has asked for memory.
#pragma once

#include <cstdint>

namespace jacquard::benchmarks {

// 0 under AddressSanitizer, which has allocation functions of its own.
std::int64_t allocations_so_far();

}  // namespace jacquard::benchmarks
