// The rows of functions that make fewer numbers of many, or weigh them against each other.
#include "autodiff/ops.hpp"
#include "models/language/arguments.hpp"
#include "models/language/function_groups.hpp"

namespace jacquard::models {
namespace {

template <Expr (*function)(Expr, const Axes&, bool)>
Function over_axes(std::string_view name, std::string_view axes, std::string_view formula) {
  using enum ArgumentKind;
  return {name,
          {{"t"}, {"axis", kAxes, axes}, {"keepdims", kBoolean, "false"}},
          formula,
          [](const Arguments& a) { return function(a.tensor(0), a.axes(1), a.boolean(2)); }};
}

template <Expr (*function)(Expr, std::int64_t)>
Function along_axis(std::string_view name, std::string_view formula) {
  return {name, {{"t"}, {"axis", ArgumentKind::kAxis, "-1"}}, formula, [](const Arguments& a) {
            return function(a.tensor(0), a.integer(1));
          }};
}

}  // namespace

std::vector<Function> reduction_functions() {
  using enum ArgumentKind;
  return {
      over_axes<sum>("sum", "all", "sum over the axes"),
      over_axes<mean>("mean", "all", "mean over the axes"),
      over_axes<max>("max", "all", "largest element; ties share the derivative"),
      over_axes<min>("min", "all", "smallest element; ties share the derivative"),
      over_axes<logsumexp>("logsumexp", "-1", "log(sum(exp(t))) without overflow"),
      along_axis<softmax>("softmax", "exp(t) / sum(exp(t))"),
      along_axis<log_softmax>("log_softmax", "t - logsumexp(t)"),
      {"sqnorm",
       {{"t"}},
       "squares summed over every axis but the first, [batch]",
       [](const Arguments& a) { return sqnorm(a.tensor(0)); }},
      {"norm",
       {{"t"}},
       "sqrt(sqnorm(t)), gradient 0 at 0, [batch]",
       [](const Arguments& a) { return norm(a.tensor(0)); }},
      {"top_k",
       {{"t"}, {"k"}},
       "1 at the k largest of each example (last axis), else 0; the first of equals; derivative 0; "
       "k, one number, may change with epoch and step and is rounded",
       [](const Arguments& a) { return top_k(a.tensor(0), a.tensor(1)); }},
  };
}

}  // namespace jacquard::models
