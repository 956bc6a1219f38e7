#include "autodiff/jacobian.hpp"

#include <algorithm>
#include <limits>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/substitute.hpp"

namespace jacquard {
namespace {

// Elements that the largest intermediate of a chunk of rows may have.
constexpr std::int64_t kChunkElements = std::int64_t{1} << 25;

// Stands for a vector that is put in later. The name makes equal uses equal nodes.
Expr placeholder(const char* what, Expr a, Expr b, const Shape& shape) {
  return a.tape->input(cat('<', what, ' ', a.id, ' ', b.id, '>'), shape, InputKind::kPlaceholder);
}

void check_pair(const char* where, Expr h, Expr x) {
  if (h.shape().rank() < 1 || x.shape().rank() < 1 || h.shape()[0] != x.shape()[0])
    throw ShapeError(cat(where, ": ", h.shape(), " with respect to ", x.shape(),
                         ": both must begin with the same batch axis"));
  const Expr mixing = first_mixing(h, x);
  if (mixing)
    throw GradientError(cat(where, ": op '", mixing.op().name, "' (", h.tape->describe(mixing.id),
                            ", shape ", mixing.shape(),
                            ") mixes the examples of the batch between ", h.tape->describe(x.id),
                            " and ", h.tape->describe(h.id),
                            "; a derivative per example needs rows that depend on their own "
                            "example alone"));
}

void check_matrix(const char* where, const char* what, Expr e) {
  if (e.shape().rank() != 2)
    throw ShapeError(cat(where, ": ", what, " has shape ", e.shape(),
                         "; it must be [batch, size], use reshape()"));
}

// The widest row of an example between x and h: what one row of the identity costs in memory.
std::int64_t widest_row(Expr h, Expr x) {
  const Tape& tape = *h.tape;
  const std::vector<bool> depends = dependents(tape, std::vector<Expr>{x}, h.id);
  std::int64_t widest = 1;
  for (const NodeId id : ancestors(tape, std::vector<Expr>{h}))
    if (depends[static_cast<std::size_t>(id)])
      widest = std::max(widest, tape.node(id).shape.size());
  return widest;
}

}  // namespace

Expr first_mixing(Expr h, Expr x) {
  Tape& tape = *h.tape;
  const std::vector<bool> depends = dependents(tape, std::vector<Expr>{x}, h.id);
  std::vector<int> axis(static_cast<std::size_t>(h.id) + 1, kNoAxis);
  for (const NodeId id : ancestors(tape, std::vector<Expr>{h})) {
    const auto at = static_cast<std::size_t>(id);
    if (!depends[at]) continue;
    if (id == x.id) {
      axis[at] = 0;
      continue;
    }
    const Node& node = tape.node(id);
    std::vector<const Shape*> shapes;
    std::vector<int> axes;
    bool any = false;
    for (const NodeId in : node.inputs) {
      shapes.push_back(&tape.node(in).shape);
      axes.push_back(axis[static_cast<std::size_t>(in)]);
      any = any || axes.back() != kNoAxis;
    }
    if (!any) continue;
    axis[at] = node.op->examples({shapes, axes, node.shape, node.attributes});
    if (axis[at] == kMixes) return tape.expr(id);
  }
  const int last = axis[static_cast<std::size_t>(h.id)];
  return last == 0 || last == kNoAxis ? Expr{} : h;
}

Expr jacobian(Expr h, Expr x) { return jacobian_in_chunks(h, x, kChunkElements); }

Expr jacobian_in_chunks(Expr h, Expr x, std::int64_t most_elements) {
  check_matrix("jacobian", "the function", h);
  check_matrix("jacobian", "the variable", x);
  check_pair("jacobian", h, x);
  Tape& tape = *h.tape;
  const std::int64_t batch = h.shape()[0], m = h.shape()[1];
  if (m == 0) return full(tape, {batch, 0, x.shape()[1]}, 0.0);
  const Expr u = placeholder("cotangent", h, x, h.shape());
  const Expr row = pull_back(h, x, u);
  const std::int64_t chunk = std::clamp<std::int64_t>(most_elements / widest_row(h, x), 1, m);
  std::vector<Expr> parts;
  for (std::int64_t first = 0; first < m; first += chunk) {
    const std::int64_t last = std::min(m, first + chunk);
    const Expr rows = reshape(slice(eye(tape, m), 0, first, last), Shape{last - first, 1, m});
    const Expr seeds = broadcast_to(rows, {last - first, batch, m});
    parts.push_back(transpose(batch_over(row, u, seeds), {1, 0, 2}));
  }
  const Expr whole = concat(parts, 1);
  if (parts.size() > 1) tape.remember_jacobian(whole, h, x);
  return whole;
}

std::vector<Expr> jacobians_in_one_piece(std::vector<Expr> roots) {
  if (roots.empty()) return roots;
  Tape& tape = *roots[0].tape;
  for (;;) {
    // The last one first: it may be the derivative of another.
    const std::vector<NodeId> nodes = ancestors(tape, roots);
    const auto chunked = std::find_if(nodes.rbegin(), nodes.rend(),
                                      [&](NodeId id) { return tape.jacobian(id) != nullptr; });
    if (chunked == nodes.rend()) return roots;
    const auto& [h, x] = *tape.jacobian(*chunked);
    const Expr whole = jacobian_in_chunks(h, x, std::numeric_limits<std::int64_t>::max());
    for (Expr& root : roots) root = substitute(root, tape.expr(*chunked), whole);
  }
}

Expr hessian(Expr c, Expr x) {
  if (c.shape().rank() != 1)
    throw ShapeError(cat("hessian: the function has shape ", c.shape(),
                         "; it must be one number per example, [batch]"));
  check_matrix("hessian", "the variable", x);
  check_pair("hessian", c, x);
  return jacobian(gradient(sum(c), {x}, Unused::kZero)[0], x);
}

Expr vjp(Expr h, Expr x, Expr u) {
  check_pair("vjp", h, x);
  if (!(u.shape() == h.shape()))
    throw ShapeError(
        cat("vjp: u has shape ", u.shape(), ", the function ", h.shape(), "; they must be equal"));
  const Expr held = placeholder("cotangent", h, x, h.shape());
  return substitute(pull_back(h, x, held), held, u);
}

Expr jvp(Expr h, Expr x, Expr v) {
  check_pair("jvp", h, x);
  if (!(v.shape() == x.shape()))
    throw ShapeError(
        cat("jvp: v has shape ", v.shape(), ", the variable ", x.shape(), "; they must be equal"));
  // u -> u' J is linear, and its own pull-back along v is J v: forward mode from reverse rules.
  const Expr u = placeholder("cotangent", h, x, h.shape());
  const Expr tangent = placeholder("tangent", h, x, x.shape());
  return substitute(pull_back(pull_back(h, x, u), u, tangent), tangent, v);
}

Expr hessian_vector(Expr cost, Expr p, Expr v) {
  if (!(v.shape() == p.shape()))
    throw ShapeError(cat("hessian_vector: v has shape ", v.shape(), ", the variable ", p.shape(),
                         "; they must be equal"));
  const Expr held = placeholder("tangent", cost, p, p.shape());
  const Expr slope = gradient(cost, {p})[0];
  return substitute(pull_back(slope, p, held), held, v);
}

Expr sqnorm_estimate(Expr h, Expr x, std::int64_t probes, const std::string& stream) {
  check_matrix("sqnorm_estimate", "the function", h);
  if (probes < 1) throw Error(cat("sqnorm_estimate: probes = ", probes, "; at least 1 is needed"));
  const double m = static_cast<double>(h.shape()[1]);
  std::vector<Expr> estimates;
  for (std::int64_t k = 0; k < probes; ++k) {
    const Expr z = normal(*h.tape, h.shape(), cat(stream, '/', k));
    const Expr direction = z / sqrt(sum(square(z), {1}, true));
    estimates.push_back(sqnorm(vjp(h, x, direction)));
  }
  return (m / static_cast<double>(probes)) * add_all(estimates);
}

}  // namespace jacquard
