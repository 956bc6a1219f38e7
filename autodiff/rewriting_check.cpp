#include "autodiff/rewriting_check.hpp"

#include <algorithm>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"

namespace jacquard {
namespace {

// One number per term, between 1 and 2: no term drops out of their combination.
std::vector<double> random_weights(std::size_t count, std::uint64_t seed) {
  std::vector<double> weights(count);
  fill_uniform(std::span<double>(weights), seed, "check/combination", 0);
  for (double& w : weights) w += 1;
  return weights;
}

bool close(const Tensor<Quad>& a, const Tensor<Quad>& b) {
  Quad off(0), size(0);
  for (std::int64_t i = 0; i < a.size(); ++i) {
    off += (a[i] - b[i]) * (a[i] - b[i]);
    size += a[i] * a[i];
  }
  // Gradients that vanish on one side may be left over by rounding on the other.
  return number::sqrt(off) <= static_cast<Quad>(1e-20) * (number::sqrt(size) + Quad(1));
}

}  // namespace

std::vector<Expr> simplified_at(const std::vector<Expr>& values, const Feed<Quad>& feed,
                                const RunContext& context) {
  const Simplified fast = simplify(values);
  const Expr guard = keeps_digits(fast.conditions);
  if (!guard || number::is_finite(evaluate(guard, feed, context)[0])) return fast.roots;
  return simplify(values, Care::kCareful).roots;
}

bool agrees_with_written(const TermSlopes& rewritten, const std::vector<Expr>& written,
                         const RunContext& context) {
  const std::vector<double> weights = random_weights(written.size(), context.seed);
  std::vector<Expr> parts, roots = written;
  for (std::size_t t = 0; t < written.size(); ++t) parts.push_back(weights[t] * written[t]);
  for (const Expr& g : gradient(add_all(parts), rewritten.parameters(), Unused::kZero))
    roots.push_back(g);
  const auto results = Interpreter<Quad>(rewritten.tape(), roots).run(rewritten.feed(), context);
  for (std::size_t t = 0; t < written.size(); ++t)
    if (!close(results[t], Tensor<Quad>(Shape{}, rewritten.value(t)))) return false;
  for (std::size_t p = 0; p < rewritten.parameters().size(); ++p) {
    // The very gradients that are held against differences afterwards.
    Tensor<Quad> combined(rewritten.parameter(p).shape());
    for (std::size_t t = 0; t < written.size(); ++t)
      for (std::int64_t i = 0; i < combined.size(); ++i)
        combined[i] += static_cast<Quad>(weights[t]) * rewritten.gradient_value(t, p)[i];
    if (!close(results[written.size() + p], combined)) return false;
  }
  return true;
}

}  // namespace jacquard
