// Plans as text for people.
#pragma once

#include <string>
#include <vector>

#include "autodiff/plan.hpp"

namespace jacquard {

struct PlanLine {
  NodeId id;
  std::int64_t offset;  // in the arena, in bytes
};

std::string plan_text(const Tape& tape, const std::vector<PlanLine>& lines,
                      const PlanStatistics& statistics, std::int64_t bytes_per_number);

// The message for a plan that does not fit: what it needs, the limit, its largest nodes.
std::string memory_refusal(const Tape& tape, std::vector<PlanLine> lines, std::int64_t bytes,
                           std::int64_t limit, std::int64_t bytes_per_number);

}  // namespace jacquard
