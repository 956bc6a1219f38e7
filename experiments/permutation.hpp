// Random orders: of a data set before it is split, of the examples of an epoch.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace jacquard::experiments {

// The numbers 0 .. count-1 in an order that depends on the three arguments alone, each order
// equally likely: Fisher and Yates' shuffle from the last place to the second, swapping place i
// with place RandomStream(seed, name).below(i + 1). Never changes between versions or machines.
// An epoch's order is permutation(seed, cat("epoch/", epoch), count). Requires: count >= 0.
std::vector<std::int64_t> permutation(std::uint64_t seed, std::string_view name,
                                      std::int64_t count);

}  // namespace jacquard::experiments
