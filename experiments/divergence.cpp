#include "experiments/divergence.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

struct Bounds {
  float low = 0, high = 0;
  std::int64_t not_finite = 0;
  explicit Bounds(const Tensor<float>& value) {
    bool first = true;
    for (const float x : value.data) {
      if (!std::isfinite(x)) {
        ++not_finite;
        continue;
      }
      low = first ? x : std::min(low, x);
      high = first ? x : std::max(high, x);
      first = false;
    }
  }
};

}  // namespace

std::string first_not_finite(const Tape& tape, Expr cost, const Feed<float>& feed,
                             const RunContext& context) {
  std::unordered_map<NodeId, Bounds> bounds;
  std::string found;
  Interpreter<float>(tape, {cost}).run(feed, context, [&](NodeId id, Tensor<float>& value) {
    const Bounds b(value);
    if (found.empty() && b.not_finite > 0) {
      const Node& node = tape.node(id);
      found =
          cat("the first value that is not finite: op '", node.op->name, "' (", tape.describe(id),
              ", shape ", node.shape, "), ", b.not_finite, " of ", value.size(), " numbers");
      for (const NodeId in : node.inputs) {
        const Bounds& from = bounds.at(in);
        found += cat("\n  computed from ", tape.describe(in), " ", tape.node(in).shape, " between ",
                     from.low, " and ", from.high);
      }
    }
    bounds.emplace(id, b);
  });
  return found.empty() ? "run again node by node, the step is finite: the plan overflowed" : found;
}

}  // namespace jacquard::experiments
