// Losses per example: a prediction and a target, [batch, ...] each, give [batch]. The target may
// also be anything that broadcasts to the prediction; both may carry gradients.
#pragma once

#include "autodiff/tape.hpp"

namespace jacquard::nn {

// Sum of (y - t)^2 over every axis but the first.
Expr squared_error(Expr y, Expr t);

// Bernoulli cross-entropy of probabilities y for targets t, both in [0, 1], summed over every axis
// but the first: -(t log y + (1 - t) log(1 - y)), where 0 log 0 is 0. Infinite where y is 0 or 1
// and wrong; value and gradient are finite where it is right.
Expr cross_entropy(Expr y, Expr t);

// The same with y = sigmoid(a), from the logits a, finite for all of them: softplus(a) - t * a.
Expr cross_entropy_logits(Expr a, Expr t);

// Cross-entropy of softmax(logits) for labels: logits [batch, classes], labels [batch] whole
// numbers below the number of classes. The loss of any other label is not a number, so that runs
// stop there.
Expr softmax_cross_entropy(Expr logits, Expr labels);

}  // namespace jacquard::nn
