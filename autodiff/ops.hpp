// The public functions of the engine: each appends to the tape of its arguments and returns the
// new node. The cost language offers the same functions under the same names.
//
// Arithmetic broadcasts as NumPy does. Comparisons and logic give 0 or 1 and have derivative 0.
// Axes may be negative. All throw ShapeError when shapes do not fit.
#pragma once

#include <string>
#include <string_view>

#include "autodiff/tape.hpp"

namespace jacquard {

// --- leaves (ops/leaves.cpp)
Expr constant(Tape& tape, double value);                  // []
Expr full(Tape& tape, const Shape& shape, double value);  // every element `value`
Expr iota(Tape& tape, std::int64_t n);                    // [n]: 0, 1, ..., n-1
Expr eye(Tape& tape, std::int64_t n);                     // [n, n] identity
Expr zeros_like(Expr x);
Expr ones_like(Expr x);

// --- elementwise (ops/elementwise.cpp, ops/activations.cpp, ops/comparisons.cpp)
Expr operator+(Expr a, Expr b);
Expr operator-(Expr a, Expr b);
Expr operator*(Expr a, Expr b);
Expr operator/(Expr a, Expr b);
Expr operator-(Expr x);
Expr operator+(Expr a, double b);
Expr operator+(double a, Expr b);
Expr operator-(Expr a, double b);
Expr operator-(double a, Expr b);
Expr operator*(Expr a, double b);
Expr operator*(double a, Expr b);
Expr operator/(Expr a, double b);
Expr operator/(double a, Expr b);
Expr add_all(const std::vector<Expr>& terms);  // one n-ary sum; at least one term

Expr abs(Expr x);   // derivative sign(x), 0 at 0
Expr sign(Expr x);  // -1, 0 or 1; derivative 0
Expr exp(Expr x);
Expr expm1(Expr x);
Expr log(Expr x);
Expr log1p(Expr x);
Expr sqrt(Expr x);
Expr square(Expr x);
Expr sin(Expr x);
Expr cos(Expr x);
Expr tanh(Expr x);
Expr sigmoid(Expr x);   // 1 / (1 + exp(-x))
Expr softplus(Expr x);  // log(1 + exp(x))
Expr relu(Expr x);      // derivative 0 at 0
Expr leaky_relu(Expr x, double slope = 0.01);
Expr elu(Expr x, double alpha = 1.0);
Expr selu(Expr x);  // Klambauer et al. 2017
Expr gelu(Expr x);  // x * Phi(x), exact (Hendrycks and Gimpel 2016)
Expr erf(Expr x);
Expr maximum(Expr a, Expr b);  // at a tie each argument receives half of the adjoint
Expr minimum(Expr a, Expr b);
Expr power(Expr x, double exponent);  // valid for negative x where the exponent is an integer
Expr power(Expr x, Expr exponent);    // x > 0, or 0 with a positive exponent
Expr where(Expr condition, Expr a, Expr b);   // the branch not taken has adjoint exactly 0
Expr clamp(Expr x, double low, double high);  // derivative 1 on the closed interval
Expr stop_gradient(Expr x);

Expr less(Expr a, Expr b);
Expr less_equal(Expr a, Expr b);
Expr greater(Expr a, Expr b);
Expr greater_equal(Expr a, Expr b);
Expr equal(Expr a, Expr b);
Expr not_equal(Expr a, Expr b);
Expr logical_and(Expr a, Expr b);
Expr logical_or(Expr a, Expr b);
Expr logical_not(Expr a);

// --- reductions (ops/reductions.cpp). Empty `axes` means all axes.
using Axes = std::vector<std::int64_t>;
Expr sum(Expr x, const Axes& axes = {}, bool keepdims = false);
Expr mean(Expr x, const Axes& axes = {}, bool keepdims = false);  // empty tensors are refused
Expr max(Expr x, const Axes& axes = {}, bool keepdims = false);   // ties share the adjoint
Expr min(Expr x, const Axes& axes = {}, bool keepdims = false);
Expr logsumexp(Expr x, const Axes& axes = {-1}, bool keepdims = false);
Expr softmax(Expr x, std::int64_t axis = -1);
Expr log_softmax(Expr x, std::int64_t axis = -1);
Expr sqnorm(Expr x);  // squares summed over every axis but the first: [batch]
Expr norm(Expr x);    // sqrt(sqnorm(x)), gradient 0 at 0: [batch]
// 0/1 mask of the k largest of each example (last axis); among equal ones the first wins. A k that
// is no constant is rounded, and counts as 0 below it and as all above.
Expr top_k(Expr x, std::int64_t k);
Expr top_k(Expr x, Expr k);

// --- shape (ops/movement.cpp)
Expr reshape(Expr x, const Shape& shape);
Expr reshape(Expr x, std::vector<std::int64_t> sizes);  // one size may be -1
Expr transpose(Expr x, const Axes& axes);
Expr transpose(Expr x);  // swaps the last two axes
Expr broadcast_to(Expr x, const Shape& shape);
Expr insert_axis(Expr x, std::int64_t axis);  // a new axis of size 1
Expr remove_axis(Expr x, std::int64_t axis);  // of size 1
Expr slice(Expr x, std::int64_t axis, std::int64_t begin, std::int64_t end);
Expr pad(Expr x, std::int64_t axis, std::int64_t before, std::int64_t after);  // with zeros
Expr concat(const std::vector<Expr>& parts, std::int64_t axis);
Expr take(Expr x, Expr indices, std::int64_t axis = 0);  // indices [k], whole numbers in range
// [.., k, ..] -> [.., size, ..]: adds slice i of x to slice indices[i]; the adjoint of take.
Expr scatter_add(Expr x, Expr indices, std::int64_t axis, std::int64_t size);
Expr one_hot(Expr labels, std::int64_t n);  // [..] -> [.., n]

// --- products over named indices (ops/contract.cpp)
// An einsum over any number of operands: contract("bi,ij->bj", {x, W}).
Expr contract(std::string_view subscripts, const std::vector<Expr>& operands);
Expr matmul(Expr a, Expr b);  // NumPy's @: vectors, batched stacks, broadcasting
Expr matvec(Expr m, Expr v);  // [batch, m, n], [batch, n] -> [batch, m]
Expr vecmat(Expr u, Expr m);  // [batch, m], [batch, m, n] -> [batch, n]
Expr diag(Expr m);            // [.., n, n] -> [.., n]
Expr trace(Expr m);           // [.., n, n] -> [..]

// --- draws (ops/draws.cpp): pure functions of (seed, stream, step, element index)
Expr uniform(Tape& tape, const Shape& shape, const std::string& stream);  // in (0, 1)
Expr normal(Tape& tape, const Shape& shape, const std::string& stream);   // mean 0, variance 1

}  // namespace jacquard
