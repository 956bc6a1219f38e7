#include "nn/corruptions.hpp"

#include "autodiff/attribute.hpp"
#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::nn {
namespace {

Expr probability(const char* where, Tape& tape, double p) {
  if (!(p >= 0 && p <= 1))
    throw Error(cat(where, ": p = ", number_text(p), " is no probability; it must lie in [0, 1]"));
  return constant(tape, p);
}

// Noise of x's shape must stay so: a rate with more elements would make copies of x.
void check_rate(const char* where, Expr rate, Expr x) {
  if (!broadcasts_to(rate.shape(), x.shape()))
    throw ShapeError(
        cat(where, ": a rate of shape ", rate.shape(), " does not broadcast to ", x.shape()));
}

}  // namespace

Expr masking_noise(Expr x, double p, const std::string& stream) {
  return masking_noise(x, probability("masking_noise", *x.tape, p), stream);
}
Expr masking_noise(Expr x, Expr p, const std::string& stream) {
  check_rate("masking_noise", p, x);
  return x * greater_equal(uniform(*x.tape, x.shape(), stream), p);
}

Expr gaussian_noise(Expr x, double s, const std::string& stream) {
  if (!(s >= 0))
    throw Error(cat("gaussian_noise: s = ", number_text(s),
                    " is no standard deviation; it must not be negative"));
  return gaussian_noise(x, constant(*x.tape, s), stream);
}
Expr gaussian_noise(Expr x, Expr s, const std::string& stream) {
  check_rate("gaussian_noise", s, x);
  return x + s * normal(*x.tape, x.shape(), stream);
}

Expr salt_and_pepper(Expr x, double p, const std::string& stream, double low, double high) {
  return salt_and_pepper(x, probability("salt_and_pepper", *x.tape, p), stream, low, high);
}
Expr salt_and_pepper(Expr x, Expr p, const std::string& stream, double low, double high) {
  check_rate("salt_and_pepper", p, x);
  // One draw decides both: below p / 2 salt, from there to p pepper.
  const Expr u = uniform(*x.tape, x.shape(), stream);
  const Expr grain = where(less(u, 0.5 * p), constant(*x.tape, high), constant(*x.tape, low));
  return where(less(u, p), grain, x);
}

Expr bernoulli(double p, Expr like, const std::string& stream) {
  return bernoulli(probability("bernoulli", *like.tape, p), like, stream);
}
Expr bernoulli(Expr p, Expr like, const std::string& stream) {
  check_rate("bernoulli", p, like);
  return less(uniform(*like.tape, like.shape(), stream), p);
}

}  // namespace jacquard::nn
