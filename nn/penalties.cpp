#include "nn/penalties.hpp"

#include <cmath>

#include "autodiff/attribute.hpp"
#include "autodiff/error.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::nn {

Expr contractive(Expr h, Expr x) { return mean(sqnorm(jacobian(h, x))); }

Expr weight_decay(Expr w) { return sum(square(w)); }

Expr sparsity(Expr h, double rate) {
  if (!(rate > 0 && rate < 1))
    throw Error(cat("sparsity: rate = ", number_text(rate), "; it must lie between 0 and 1"));
  if (h.shape().rank() < 2)
    throw ShapeError(cat("sparsity: ", h.shape(), " is no batch of codes [batch, units]"));
  const Expr q = mean(h, {0});
  return sum(rate * (std::log(rate) - log(q)) + (1 - rate) * (std::log1p(-rate) - log1p(-q)));
}

}  // namespace jacquard::nn
