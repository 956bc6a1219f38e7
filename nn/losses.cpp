#include "nn/losses.hpp"

#include <limits>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::nn {
namespace {

// Without this a target of shape [batch] would broadcast along the wrong axis of [n, batch], and a
// prediction that lost its features would be compared with every feature of the target.
void check_pair(const char* where, Expr y, Expr t) {
  if (y.shape().rank() == 0)
    throw ShapeError(cat(where,
                         ": a prediction without axes has no examples; use arithmetic for "
                         "scalars"));
  if (!broadcasts_to(t.shape(), y.shape()))
    throw ShapeError(cat(where, ": the prediction has shape ", y.shape(), ", the target ",
                         t.shape(),
                         "; they must be equal, or the target broadcast to the "
                         "prediction"));
}

Expr sum_features(Expr x) {
  Axes axes;
  for (int i = 1; i < x.shape().rank(); ++i) axes.push_back(i);
  return axes.empty() ? x : sum(x, axes);
}

// t * log_y, and 0 where t and y are both 0. It is not masked by t alone: the derivative with
// respect to t is log_y also at t = 0.
Expr weighted_log(Expr t, Expr y, Expr log_y) {
  const Expr zero = constant(*y.tape, 0.0);
  return where(logical_and(equal(t, zero), equal(y, zero)), zero, t * log_y);
}

}  // namespace

Expr squared_error(Expr y, Expr t) {
  check_pair("squared_error", y, t);
  return sqnorm(y - t);
}

Expr cross_entropy(Expr y, Expr t) {
  check_pair("cross_entropy", y, t);
  const Expr right = weighted_log(t, y, log(y));
  const Expr wrong = weighted_log(1.0 - t, 1.0 - y, log1p(-y));
  return sum_features(-(right + wrong));
}

Expr cross_entropy_logits(Expr a, Expr t) {
  check_pair("cross_entropy_logits", a, t);
  return sum_features(softplus(a) - t * a);
}

Expr softmax_cross_entropy(Expr logits, Expr labels) {
  const Shape& shape = logits.shape();
  if (shape.rank() != 2 || shape[1] == 0 || labels.shape().rank() != 1 ||
      labels.shape()[0] != shape[0])
    throw ShapeError(cat("softmax_cross_entropy: logits ", shape, " and labels ", labels.shape(),
                         "; they must be [batch, classes] and [batch]"));
  const Expr chosen = one_hot(labels, shape[1]);
  const Expr loss = -sum(chosen * log_softmax(logits), {1});
  const Expr not_a_number = constant(*logits.tape, std::numeric_limits<double>::quiet_NaN());
  return where(sum(chosen, {1}), loss, not_a_number);
}

}  // namespace jacquard::nn
