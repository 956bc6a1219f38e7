// The rows of derivatives. The variable may be any expression: the graph is cut there.
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "models/language/arguments.hpp"
#include "models/language/function_groups.hpp"

namespace jacquard::models {
namespace {

Expr build_estimate(const Arguments& a) {
  constexpr std::int64_t kMost = 1000;  // each is a backward pass of its own on the tape
  const std::int64_t probes = a.integer(1);
  if (probes < 1 || probes > kMost)
    throw ValueError(1, cat("sqnorm_estimate: probes = ", probes),
                     cat("it must lie between 1 and ", kMost));
  const JacobianCall j = a.jacobian(0);
  return sqnorm_estimate(j.h, j.x, probes, a.stream(2));
}

}  // namespace

std::vector<Function> derivative_functions() {
  using enum ArgumentKind;
  return {
      {"gradient",
       {{"cost"}, {"p", kVariable}},
       "d cost / d p of a scalar, of p's shape; p may be any parameter, input or definition",
       [](const Arguments& a) { return gradient(a.tensor(0), {a.variable(1)})[0]; }},
      {"jacobian",
       {{"h"}, {"x", kVariable}},
       "[batch, m], [batch, n] -> [batch, m, n]: d h / d x of each example",
       [](const Arguments& a) { return jacobian(a.tensor(0), a.variable(1)); }},
      {"hessian",
       {{"c"}, {"x", kVariable}},
       "[batch], [batch, n] -> [batch, n, n]: d^2 c / d x^2 of each example",
       [](const Arguments& a) { return hessian(a.tensor(0), a.variable(1)); }},
      {"jvp",
       {{"h"}, {"x", kVariable}, {"v"}},
       "matvec(jacobian(h, x), v) without the Jacobian; v has x's shape",
       [](const Arguments& a) { return jvp(a.tensor(0), a.variable(1), a.tensor(2)); }},
      {"vjp",
       {{"h"}, {"x", kVariable}, {"u"}},
       "vecmat(u, jacobian(h, x)) without the Jacobian; u has h's shape",
       [](const Arguments& a) { return vjp(a.tensor(0), a.variable(1), a.tensor(2)); }},
      {"hessian_vector",
       {{"cost"}, {"p", kVariable}, {"v"}},
       "the Hessian of a scalar cost times v, of p's shape",
       [](const Arguments& a) { return hessian_vector(a.tensor(0), a.variable(1), a.tensor(2)); }},
      {"sqnorm_estimate",
       {{"jacobian(h, x)", kJacobian}, {"probes", kInteger, "1"}, {"stream", kStream, "\"...\""}},
       "random estimate of sqnorm(jacobian(h, x)), [batch]: the mean over the probes of m |u' "
       "J|^2, "
       "u uniform on the unit sphere of R^m. With A = J J' its variance is (2m/(m+2) tr(A^2) - "
       "2/(m+2) tr(A)^2) / probes, less than 2 tr(A)^2 / probes; write the Jacobian out",
       build_estimate},
  };
}

}  // namespace jacquard::models
