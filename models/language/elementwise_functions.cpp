// The rows of functions that work on each element by itself.
#include "autodiff/ops.hpp"
#include "models/language/arguments.hpp"
#include "models/language/function_groups.hpp"

namespace jacquard::models {
namespace {

template <Expr (*function)(Expr)>
Expr of_one(const Arguments& a) {
  return function(a.tensor(0));
}

template <Expr (*function)(Expr)>
Function row(std::string_view name, std::string_view formula) {
  return {name, {{"t"}}, formula, of_one<function>};
}

Expr build_power(const Arguments& a) {
  // A constant exponent is an attribute, which is what makes powers of negative numbers work.
  if (const double* exponent = a.value(1).as<double>()) return power(a.tensor(0), *exponent);
  return power(a.tensor(0), a.tensor(1));
}

}  // namespace

std::vector<Function> elementwise_functions() {
  using enum ArgumentKind;
  return {
      row<abs>("abs", "|t|, derivative 0 at 0"),
      row<sign>("sign", "-1, 0 or 1, derivative 0"),
      row<exp>("exp", "e^t"),
      row<expm1>("expm1", "e^t - 1, accurate for small t"),
      row<log>("log", "natural logarithm"),
      row<log1p>("log1p", "log(1 + t), accurate for small t"),
      row<sqrt>("sqrt", "t^0.5"),
      row<square>("square", "t^2"),
      row<sin>("sin", "sine"),
      row<cos>("cos", "cosine"),
      row<tanh>("tanh", "hyperbolic tangent"),
      row<sigmoid>("sigmoid", "1 / (1 + exp(-t))"),
      row<softplus>("softplus", "log(1 + exp(t))"),
      row<relu>("relu", "maximum(t, 0), derivative 0 at 0"),
      {"leaky_relu",
       {{"t"}, {"slope", kNumber, "0.01"}},
       "t where t > 0, else slope*t",
       [](const Arguments& a) { return leaky_relu(a.tensor(0), a.number(1)); }},
      {"elu",
       {{"t"}, {"alpha", kNumber, "1"}},
       "t where t > 0, else alpha*(exp(t) - 1)",
       [](const Arguments& a) { return elu(a.tensor(0), a.number(1)); }},
      row<selu>("selu", "1.0507 * elu(t, alpha=1.6733) (Klambauer et al. 2017)"),
      row<gelu>("gelu", "t * (1 + erf(t / sqrt(2))) / 2"),
      row<erf>("erf", "error function"),
      {"maximum",
       {{"a"}, {"b"}},
       "the larger one; a tie shares the derivative",
       [](const Arguments& a) { return maximum(a.tensor(0), a.tensor(1)); }},
      {"minimum",
       {{"a"}, {"b"}},
       "the smaller one; a tie shares the derivative",
       [](const Arguments& a) { return minimum(a.tensor(0), a.tensor(1)); }},
      {"power", {{"a"}, {"b"}}, "a^b; negative a if b is a constant whole number", build_power},
      {"where",
       {{"c"}, {"a"}, {"b"}},
       "a where c is not 0, else b; the other branch has derivative exactly 0",
       [](const Arguments& a) { return where(a.tensor(0), a.tensor(1), a.tensor(2)); }},
      {"clamp",
       {{"t"}, {"lo", kNumber}, {"hi", kNumber}},
       "t, but lo below lo and hi above hi; derivative 0 there",
       [](const Arguments& a) { return clamp(a.tensor(0), a.number(1), a.number(2)); }},
  };
}

}  // namespace jacquard::models
