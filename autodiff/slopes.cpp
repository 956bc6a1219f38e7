#include "autodiff/slopes.hpp"

#include <algorithm>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/philox.hpp"

namespace jacquard {
namespace {

Quad length(const Tensor<Quad>& a) { return number::sqrt(dot(a, a)); }

}  // namespace

Quad dot(const Tensor<Quad>& a, const Tensor<Quad>& b) {
  Quad total(0);
  for (std::int64_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

Tensor<Quad> random_direction(const Shape& shape, std::uint64_t seed, const std::string& name) {
  Tensor<Quad> v(shape);
  fill_normal(std::span<Quad>(v.data), seed, name, 0);
  const Quad norm = length(v);
  if (norm > Quad(0))
    for (Quad& x : v.data) x /= norm;
  return v;
}

Quad Slopes::off() const {
  const Quad gap = numeric.gap();
  return number::abs(exact - numeric.middle) + (gap > kKinkShare * scale ? gap : Quad(0));
}

TermSlopes::TermSlopes(std::vector<Expr> terms, std::vector<Expr> parameters,
                       const Feed<double>& feed, const RunContext& context)
    : terms_(std::move(terms)),
      parameters_(std::move(parameters)),
      context_{context.seed, context.step, nullptr} {
  for (const auto& [name, value] : feed) feed_.emplace(name, cast<Quad>(value));
  require_parameters();
  for (const Expr& t : terms_) gradients_.push_back(gradient(t, parameters_, Unused::kZero));
  evaluate_base(context);
}

const std::string& TermSlopes::parameter_name(std::size_t p) const {
  return input_name(tape().node(parameters_[p]));
}

void TermSlopes::require_parameters() const {
  for (const Expr& p : parameters_) {
    const std::string& name = input_name(p.tape->node(p));
    const auto it = feed_.find(name);
    if (it == feed_.end())
      throw Error(cat("check: parameter '", name, "' of shape ", p.shape(), " has no value"));
    if (!(it->second.shape == p.shape()))
      throw Error(cat("check: parameter '", name, "' has shape ", p.shape(),
                      ", the value given has ", it->second.shape));
  }
}

// For each node: the parameters that do not move it but what reads it, on the way to the terms.
// Nothing moves a held op, nor what is read by held ones alone.
std::vector<std::vector<std::size_t>> TermSlopes::readers_of_fixed() const {
  const std::vector<NodeId> nodes = ancestors(tape(), terms_);
  std::vector<std::vector<std::size_t>> result(tape().size());
  for (std::size_t p = 0; p < parameters_.size(); ++p) {
    std::vector<bool> moves(tape().size(), false), fixed(tape().size(), false);
    for (const NodeId id : nodes) {
      const Node& node = tape().node(id);
      const auto moved = [&](NodeId in) { return moves[static_cast<std::size_t>(in)]; };
      moves[static_cast<std::size_t>(id)] =
          id == parameters_[p].id || (!node.op->held && std::ranges::any_of(node.inputs, moved));
    }
    const auto mark = [&](NodeId id) {
      const auto at = static_cast<std::size_t>(id);
      if (!moves[at] && !fixed[at]) result[at].push_back(p);
      if (!moves[at]) fixed[at] = true;
    };
    for (const NodeId id : nodes)
      if (moves[static_cast<std::size_t>(id)])
        for (const NodeId in : tape().node(id).inputs) mark(in);
    for (const Expr& term : terms_) mark(term.id);
  }
  return result;
}

void TermSlopes::evaluate_base(const RunContext& context) {
  std::vector<Expr> roots = terms_;
  for (const auto& row : gradients_) roots.insert(roots.end(), row.begin(), row.end());
  const auto readers = readers_of_fixed();
  fixed_.resize(parameters_.size());
  const std::vector<Tensor<Quad>> results =
      Interpreter<Quad>(tape(), roots).run(feed_, context, [&](NodeId id, Tensor<Quad>& value) {
        if (tape().node(id).op->held) held_.emplace(id, value);
        for (const std::size_t p : readers[static_cast<std::size_t>(id)])
          fixed_[p].emplace(id, value);
      });
  std::size_t at = 0;
  for (std::size_t t = 0; t < terms_.size(); ++t) base_.push_back(results[at++][0]);
  base_gradients_.resize(terms_.size());
  for (auto& row : base_gradients_)
    for (std::size_t p = 0; p < parameters_.size(); ++p) row.push_back(results[at++]);
}

std::vector<Quad> TermSlopes::moved(std::size_t p, const Tensor<Quad>& direction,
                                    Quad amount) const {
  Feed<Quad> feed = feed_;
  Tensor<Quad>& value = feed.at(parameter_name(p));
  for (std::int64_t i = 0; i < value.size(); ++i) value[i] += amount * direction[i];
  std::vector<Quad> values;
  const Interpreter<Quad> interpreter(tape(), terms_, &fixed_[p]);
  for (const Tensor<Quad>& r : interpreter.run(feed, context_)) values.push_back(r[0]);
  return values;
}

Interpreter<Quad>::Observer TermSlopes::hold() const {
  return [this](NodeId id, Tensor<Quad>& value) {
    if (const auto it = held_.find(id); it != held_.end()) value = it->second;
  };
}

Slopes TermSlopes::slopes(std::size_t t, std::size_t p, const Tensor<Quad>& direction, Quad plus,
                          Quad minus) const {
  const Tensor<Quad>& g = base_gradients_[t][p];
  Slopes s;
  s.exact = dot(g, direction);
  s.numeric = {(plus - minus) / (kDifferenceStep + kDifferenceStep),
               (base_[t] - minus) / kDifferenceStep, (plus - base_[t]) / kDifferenceStep};
  // What the slope is measured against: itself, what it would be in a typical direction, and the
  // share of the value that differences can see at all.
  const Quad typical =
      length(g) / number::sqrt(static_cast<Quad>(std::max<std::int64_t>(1, g.size())));
  s.scale = std::max({number::abs(s.exact), number::abs(s.numeric.middle), typical,
                      static_cast<Quad>(1e-9) * number::abs(base_[t]), static_cast<Quad>(1e-300)});
  return s;
}

Slopes TermSlopes::measure(std::size_t t, std::size_t p, const Tensor<Quad>& direction) const {
  return slopes(t, p, direction, moved(p, direction, kDifferenceStep)[t],
                moved(p, direction, -kDifferenceStep)[t]);
}

}  // namespace jacquard
