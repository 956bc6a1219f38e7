// Corruptions of inputs, for denoising (Vincent et al. 2010, section 3.4). The noise is a draw of
// the named stream: the same stream gives the same noise in the same step. A rate may be a number
// or an expression, such as one of the epoch; the result has x's shape.
#pragma once

#include <string>

#include "autodiff/tape.hpp"

namespace jacquard::nn {

// Each element is 0 with probability p, else x; nothing is rescaled. p lies in [0, 1].
Expr masking_noise(Expr x, double p, const std::string& stream);
Expr masking_noise(Expr x, Expr p, const std::string& stream);

// x plus normal noise of standard deviation s >= 0.
Expr gaussian_noise(Expr x, double s, const std::string& stream);
Expr gaussian_noise(Expr x, Expr s, const std::string& stream);

// Each element is `low` or `high` with probability p / 2 each, else x.
Expr salt_and_pepper(Expr x, double p, const std::string& stream, double low = 0, double high = 1);
Expr salt_and_pepper(Expr x, Expr p, const std::string& stream, double low = 0, double high = 1);

// 1 with probability p, else 0, of the shape of `like`, to which p broadcasts. The derivative with
// respect to p is 0.
Expr bernoulli(double p, Expr like, const std::string& stream);
Expr bernoulli(Expr p, Expr like, const std::string& stream);

}  // namespace jacquard::nn
