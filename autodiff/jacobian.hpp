// Derivatives per example: Jacobians, Hessians, and products with them.
//
// The leading axis of h and x is the batch. Row b of h may depend on row b of x alone; an op
// between x and h that mixes examples is an error that names it. All are exact, work for every
// differentiable op at any depth, and can be differentiated again.
#pragma once

#include <string>

#include "autodiff/tape.hpp"

namespace jacquard {

// h [batch, m], x [batch, n] -> [batch, m, n]: d h[b,j] / d x[b,i]. By vector-Jacobian products
// with the rows of the identity, batched in chunks of rows so that no intermediate is much larger
// than the result. Throws ShapeError, GradientError.
Expr jacobian(Expr h, Expr x);
// The same with chunks whose intermediates have at most so many elements, or those of one row.
Expr jacobian_in_chunks(Expr h, Expr x, std::int64_t most_elements);

// The roots with every Jacobian on which they depend written in one piece, for passes that do not
// form it.
std::vector<Expr> jacobians_in_one_piece(std::vector<Expr> roots);

// c [batch], x [batch, n] -> [batch, n, n].
Expr hessian(Expr c, Expr x);

// The Jacobian times v, per example: h [batch, m], v of x's shape -> [batch, m].
Expr jvp(Expr h, Expr x, Expr v);

// u times the Jacobian, per example: u of h's shape -> x's shape.
Expr vjp(Expr h, Expr x, Expr u);

// The Hessian of a scalar cost times v: v of p's shape -> p's shape. v is held fixed.
Expr hessian_vector(Expr cost, Expr p, Expr v);

// An unbiased estimate of sqnorm(jacobian(h, x)), [batch]: the mean over `probes` of
// m * |u' J|^2 with u uniform on the unit sphere of R^m (Hoffman et al. 2019). With A = J J' its
// variance is (2m/(m+2) tr(A^2) - 2/(m+2) tr(A)^2) / probes.
Expr sqnorm_estimate(Expr h, Expr x, std::int64_t probes, const std::string& stream);

// The node between x and h at which examples mix, or h itself when its rows are not x's;
// an empty Expr when every row of h depends on its own row of x alone.
Expr first_mixing(Expr h, Expr x);

}  // namespace jacquard
