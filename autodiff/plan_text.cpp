#include "autodiff/plan_text.hpp"

#include <algorithm>
#include <functional>

#include "autodiff/error.hpp"
#include "autodiff/print.hpp"
#include "autodiff/tile_program.hpp"
#include "autodiff/work.hpp"

namespace jacquard {

std::string plan_text(const Tape& tape, const std::vector<PlanLine>& lines,
                      const PlanStatistics& statistics, std::int64_t bytes_per_number) {
  std::string text;
  for (const PlanLine& line : lines) {
    const bool follows = line.nodes.size() > 1 && !fits_tiles(tape.node(line.nodes[0]));
    if (line.nodes.size() > 1)
      text += cat("tiles of ", tile_space(tape, tape.node(line.nodes[0])),
                  follows ? ", following a product:\n" : ":\n");
    for (const NodeId id : line.nodes) {
      text += cat(line.nodes.size() > 1 ? "  " : "", node_text(tape, id), "  ",
                  with_prefix(flops(tape, id), "FLOP"));
      for (const auto& [written, offset] : line.written)
        if (written == id)
          text += cat(
              ", ",
              with_prefix(static_cast<double>(tape.node(id).shape.size() * bytes_per_number), "B"),
              offset == PlanLine::kUpdated ? " in place" : cat(" at ", offset));
      text += '\n';
    }
  }
  return text + cat(statistics.instructions, " instructions, ",
                    with_prefix(statistics.flops, "FLOP"), ", arena ",
                    with_prefix(static_cast<double>(statistics.arena_bytes), "B"), '\n');
}

std::string memory_refusal(const Tape& tape, const std::vector<PlanLine>& lines, std::int64_t bytes,
                           std::int64_t limit, const std::string& limit_name,
                           std::int64_t bytes_per_number) {
  std::vector<NodeId> values;
  for (const PlanLine& line : lines)
    for (const auto& [id, offset] : line.written) values.push_back(id);
  const auto size = [&](NodeId id) { return tape.node(id).shape.size(); };
  std::ranges::stable_sort(values, std::greater{}, size);
  std::string text = cat("plan: ", with_prefix(static_cast<double>(bytes), "B"),
                         " are needed, the limit is ", with_prefix(static_cast<double>(limit), "B"),
                         "; use smaller batches or raise ", limit_name, ". Largest values:");
  for (std::size_t i = 0; i < std::min<std::size_t>(3, values.size()); ++i)
    text += cat("\n  ", node_text(tape, values[i]), "  ",
                with_prefix(static_cast<double>(size(values[i]) * bytes_per_number), "B"));
  // One matrix per example is what a Jacobian takes that no contraction spares.
  if (values.empty() || tape.node(values[0]).shape.rank() < 3) return text;
  const Shape& shape = tape.node(values[0]).shape;
  const std::int64_t rows = std::max<std::int64_t>(1, shape[shape.rank() - 2]);
  return text +
         cat("\nThe largest is one matrix per example. If a Jacobian needs it: "
             "sqnorm_estimate(jacobian(h, x), probes=1) needs a row of it per example, ",
             with_prefix(static_cast<double>(shape.size() / rows * bytes_per_number), "B"),
             "; and the Jacobian of logits, before an output's sigmoid, is cheaper than that of "
             "the output");
}

}  // namespace jacquard
