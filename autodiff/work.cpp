#include "autodiff/work.hpp"

#include <algorithm>

#include "autodiff/ops/contract_products.hpp"
#include "autodiff/subscripts.hpp"

namespace jacquard {
namespace {

// Of the operands from number `first` on.
double contraction_flops(const Tape& tape, const Node& node, std::size_t first) {
  const Subscripts s = Subscripts::parse(node.attributes.text("subscripts"));
  double combinations = 1;
  std::string seen;
  for (std::size_t k = 0; k < s.inputs.size(); ++k)
    for (std::size_t i = 0; i < s.inputs[k].size(); ++i)
      if (seen.find(s.inputs[k][i]) == seen.npos) {
        seen += s.inputs[k][i];
        combinations *=
            static_cast<double>(tape.node(node.inputs[first + k]).shape[static_cast<int>(i)]);
      }
  const bool sums = seen.size() > s.output.size();
  const double factors = static_cast<double>(s.inputs.size());
  const double half = symmetric_axes(node.attributes, node.shape) ? 0.5 : 1;
  return half * combinations * (sums ? std::max(1.0, 2 * (factors - 1)) : factors - 1);
}

}  // namespace

double flops(const Tape& tape, NodeId id) {
  const Node& node = tape.node(id);
  if (node.op->name == "contract") return contraction_flops(tape, node, 0);
  if (node.op->name == "contract_add")
    return contraction_flops(tape, node, 1) + static_cast<double>(node.shape.size());
  const bool reduction = node.op->name == "sum" || node.op->name == "max" || node.op->name == "min";
  if (!node.op->elementwise && !reduction) return 0;
  double count = static_cast<double>(node.shape.size());
  for (const NodeId in : node.inputs)
    count = std::max(count, static_cast<double>(tape.node(in).shape.size()));
  const bool n_ary = node.op->arity == kAnyArity;  // a sum of many terms
  return n_ary ? count * std::max(1.0, static_cast<double>(node.inputs.size()) - 1) : count;
}

}  // namespace jacquard
