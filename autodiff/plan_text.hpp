// Plans as text for people.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "autodiff/plan.hpp"

namespace jacquard {

// One instruction: the nodes that it computes, and where in the arena, in bytes, it writes some;
// kUpdated for what is written over what it updates.
struct PlanLine {
  static constexpr std::int64_t kUpdated = -1;
  std::vector<NodeId> nodes;
  std::vector<std::pair<NodeId, std::int64_t>> written;
};

std::string plan_text(const Tape& tape, const std::vector<PlanLine>& lines,
                      const PlanStatistics& statistics, std::int64_t bytes_per_number);

// The message for a plan that does not fit: what it needs, the limit, its largest nodes.
std::string memory_refusal(const Tape& tape, const std::vector<PlanLine>& lines, std::int64_t bytes,
                           std::int64_t limit, const std::string& limit_name,
                           std::int64_t bytes_per_number);

}  // namespace jacquard
