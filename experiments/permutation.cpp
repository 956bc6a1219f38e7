#include "experiments/permutation.hpp"

#include <numeric>
#include <utility>

#include "experiments/random_stream.hpp"

namespace jacquard::experiments {

std::vector<std::int64_t> permutation(std::uint64_t seed, std::string_view name,
                                      std::int64_t count) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  RandomStream stream(seed, name);
  for (std::size_t i = order.size(); i-- > 1;)
    std::swap(order[i], order[static_cast<std::size_t>(stream.below(i + 1))]);
  return order;
}

}  // namespace jacquard::experiments
