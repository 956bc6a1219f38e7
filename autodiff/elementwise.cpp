#include "autodiff/elementwise.hpp"

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard {

Shape elementwise_shape(const Op& op, std::span<const Shape* const> in, const Attributes&) {
  if (in.empty()) throw ShapeError(cat(op.name, ": at least one operand is needed"));
  Shape shape = *in[0];
  const std::string name(op.name);
  for (std::size_t i = 1; i < in.size(); ++i) shape = broadcast(name.c_str(), shape, *in[i]);
  return shape;
}

int elementwise_examples(const ExampleCall& call) {
  int axis = kNoAxis;
  for (std::size_t i = 0; i < call.in.size(); ++i) {
    if (call.axes[i] == kNoAxis) continue;
    const int aligned = call.axes[i] + call.shape.rank() - call.in[i]->rank();
    // An example axis that is stretched, or meets another one, spreads an example over many rows.
    if ((*call.in[i])[call.axes[i]] != call.shape[aligned]) return kMixes;
    if (axis != kNoAxis && axis != aligned) return kMixes;
    axis = aligned;
  }
  return axis;
}

Expr elementwise_batch(const Call& call, std::span<const Expr> in,
                       const std::vector<bool>& batched) {
  // The new axis stands first, so batched operands are brought to the full rank by axes of size 1.
  const int rank = call.out.shape().rank();
  std::vector<Expr> inputs;
  for (std::size_t i = 0; i < in.size(); ++i) {
    Expr e = in[i];
    if (batched[i] && e.shape().rank() < rank + 1) {
      std::vector<std::int64_t> sizes{e.shape()[0]};
      sizes.resize(static_cast<std::size_t>(rank + 2 - e.shape().rank()), 1);
      sizes.insert(sizes.end(), e.shape().begin() + 1, e.shape().end());
      e = reshape(e, Shape(std::move(sizes)));
    }
    inputs.push_back(e);
  }
  return call.out.tape->append(call.out.op(), std::move(inputs), call.attributes);
}

std::vector<Expr> no_gradient(const Call& call, Expr) { return std::vector<Expr>(call.in.size()); }

}  // namespace jacquard
