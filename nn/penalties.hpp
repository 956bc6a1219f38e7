// Penalties: terms of a cost without a target. Each is one line over the engine's functions, which
// the cost language has as well.
#pragma once

#include "autodiff/tape.hpp"

namespace jacquard::nn {

// The mean over the batch of |d h / d x|_F^2: h [batch, m], x [batch, n] (Rifai et al. 2011,
// eq. 4, with the mean over examples for the sum).
Expr contractive(Expr h, Expr x);

// The sum of the squares of all elements.
Expr weight_decay(Expr w);

// The sum over units of KL(rate || mean activation): h [batch, units] in (0, 1), rate in (0, 1)
// (Lee et al. 2008; Ng 2011).
Expr sparsity(Expr h, double rate);

}  // namespace jacquard::nn
