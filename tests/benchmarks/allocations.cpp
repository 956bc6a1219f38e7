#include "tests/benchmarks/allocations.hpp"

#include "tests/support/counted_allocations.hpp"

namespace jacquard::benchmarks {

std::int64_t allocations_so_far() { return allocations; }

}  // namespace jacquard::benchmarks
