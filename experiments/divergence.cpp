#include "experiments/divergence.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "experiments/step_program.hpp"
#include "experiments/table.hpp"

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

std::string range_text(const Tensor<float>& value) {
  const Bounds b(value);
  if (b.not_finite == value.size()) return "not finite";
  return cat(b.low, " to ", b.high,
             b.not_finite > 0 ? cat(", ", b.not_finite, " not finite") : std::string());
}

}  // namespace

std::string first_not_finite(const Tape& tape, const std::vector<Expr>& roots,
                             const Feed<float>& feed, const RunContext& context) {
  std::unordered_map<NodeId, Bounds> bounds;
  std::string found;
  Interpreter<float>(tape, roots).run(feed, context, [&](NodeId id, Tensor<float>& value) {
    const Bounds b(value);
    if (found.empty() && b.not_finite > 0) {
      const Node& node = tape.node(id);
      if (is_input(node))
        found = cat("input '", input_name(node), "' is not finite: ", b.not_finite, " of ",
                    value.size(), " numbers");
      else
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
  return found;
}

std::string step_report(const Spec& spec, const Recording& recording, const Feed<float>& feed,
                        const RunContext& context) {
  const std::vector<Expr> parameters = trained_parameters(spec, recording);
  std::vector<Expr> roots{recording.cost};
  for (const RecordedTerm& t : recording.terms) roots.push_back(t.value);
  if (!parameters.empty())
    for (const Expr& g : gradient(recording.cost, parameters)) roots.push_back(g);
  const std::vector<Tensor<float>> values =
      Interpreter<float>(*recording.tape, roots).run(feed, context);
  const auto number = [](float v) { return std::isnan(v) ? std::string("nan") : cat(v); };
  std::string text = cat("cost ", number(values[0][0]), "\n");
  std::size_t at = 1;
  for (const RecordedTerm& t : recording.terms)
    text += cat("  ", t.name, " ", number(values[at++][0]), ", weight ", t.weight, "\n");
  Table table({"parameter", "shape", "before the step", "gradient"});
  for (const Expr& p : parameters) {
    const std::string& name = parameter_name(p);
    table.add({name, cat(p.shape()), range_text(feed.at(name)), range_text(values[at++])});
  }
  if (!parameters.empty()) text += table.text();
  // Forward first: a gradient is not finite as well where the cost is not.
  std::string found = first_not_finite(*recording.tape, {recording.cost}, feed, context);
  if (found.empty()) found = first_not_finite(*recording.tape, roots, feed, context);
  return text + (found.empty() ? "everything is finite\n" : found + "\n");
}

}  // namespace jacquard::experiments
