// How well two partitions of the same examples agree: clusters and labels.
#pragma once

#include <cstdint>
#include <span>

namespace jacquard::experiments {

struct Agreement {
  // The share of examples whose cluster is that of their label, under the one-to-one matching of
  // clusters and labels for which it is largest (Kuhn 1955).
  double accuracy = 0;
  // 2 I(a, b) / (H(a) + H(b)); 1 where both have one part only.
  double mutual_information = 0;
};

// Both count from 0; at least one example.
Agreement agreement(std::span<const std::int64_t> a, std::span<const std::int64_t> b);

}  // namespace jacquard::experiments
