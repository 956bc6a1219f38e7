// The rows of random draws. Each written occurrence is a stream of its own, unless it is named.
#include "autodiff/ops.hpp"
#include "models/language/arguments.hpp"
#include "models/language/function_groups.hpp"
#include "nn/corruptions.hpp"

namespace jacquard::models {
namespace {

using enum ArgumentKind;
constexpr FunctionParameter kStreamName{"stream", kStream, "\"...\""};

// Calls build(rate) with the argument as the number it is, so that it is checked, or as a tensor.
template <class Build>
Expr with_rate(const Arguments& a, int i, Build build) {
  if (const double* number = a.value(i).as<double>()) return build(*number);
  return build(a.tensor(i));
}

Expr build_bernoulli(const Arguments& a) {
  return with_rate(a, 0, [&](auto p) { return nn::bernoulli(p, a.tensor(1), a.stream(2)); });
}

Expr build_masking(const Arguments& a) {
  return with_rate(a, 1, [&](auto p) { return nn::masking_noise(a.tensor(0), p, a.stream(2)); });
}

Expr build_gaussian(const Arguments& a) {
  return with_rate(a, 1, [&](auto s) { return nn::gaussian_noise(a.tensor(0), s, a.stream(2)); });
}

Expr build_salt_and_pepper(const Arguments& a) {
  return with_rate(a, 1, [&](auto p) {
    return nn::salt_and_pepper(a.tensor(0), p, a.stream(4), a.number(2), a.number(3));
  });
}

}  // namespace

std::vector<Function> draw_functions() {
  return {
      {"normal",
       {{"like"}, kStreamName},
       "standard normal numbers of the shape of `like`",
       [](const Arguments& a) { return normal(a.tape(), a.tensor(0).shape(), a.stream(1)); }},
      {"uniform",
       {{"like"}, kStreamName},
       "uniform numbers in (0, 1) of the shape of `like`",
       [](const Arguments& a) { return uniform(a.tape(), a.tensor(0).shape(), a.stream(1)); }},
      {"bernoulli",
       {{"p", kRate}, {"like"}, kStreamName},
       "1 with probability p, else 0, of the shape of `like`; derivative 0",
       build_bernoulli},
      {"masking_noise",
       {{"x"}, {"p", kRate}, kStreamName},
       "x with each element set to 0 with probability p",
       build_masking},
      {"gaussian_noise",
       {{"x"}, {"s", kRate}, kStreamName},
       "x plus normal noise of standard deviation s",
       build_gaussian},
      {"salt_and_pepper",
       {{"x"}, {"p", kRate}, {"lo", kNumber, "0"}, {"hi", kNumber, "1"}, kStreamName},
       "x with each element set to lo or hi with probability p/2 each",
       build_salt_and_pepper},
  };
}

}  // namespace jacquard::models
