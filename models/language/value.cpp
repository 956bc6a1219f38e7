#include "models/language/value.hpp"

#include <cmath>
#include <utility>

#include "autodiff/attribute.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::models {

std::optional<double> as_number(const Value& value) {
  if (const double* number = value.as<double>()) return *number;
  if (const bool* truth = value.as<bool>()) return *truth ? 1.0 : 0.0;
  return std::nullopt;
}

std::optional<std::int64_t> as_integer(const Value& value) {
  const double* number = value.as<double>();
  constexpr double kLargest = 0x1p53;
  if (number == nullptr || std::floor(*number) != *number || std::abs(*number) > kLargest)
    return std::nullopt;
  return static_cast<std::int64_t>(*number);
}

Expr as_tensor(Tape& tape, const Value& value) {
  if (const Expr* tensor = value.as<Expr>()) return *tensor;
  if (const std::optional<double> number = as_number(value)) return constant(tape, *number);
  return {};
}

std::string describe(const Value& value) {
  if (const double* number = value.as<double>()) return cat("the number ", number_text(*number));
  if (const bool* truth = value.as<bool>()) return *truth ? "true" : "false";
  if (const Expr* tensor = value.as<Expr>()) return cat("a tensor of shape ", tensor->shape());
  if (value.as<std::string>() != nullptr) return "a text";
  if (value.as<List>() != nullptr) return "a list";
  if (value.as<AllAxes>() != nullptr) return "'all'";
  if (value.as<JacobianCall>() != nullptr) return "a Jacobian";
  return "nothing";
}

ValueError::ValueError(int at, std::string what_is_wrong, std::string what_to_do)
    : SpecError(cat(what_is_wrong, what_to_do.empty() ? "" : "; ", what_to_do)),
      argument(at),
      message(std::move(what_is_wrong)),
      hint(std::move(what_to_do)) {}

}  // namespace jacquard::models
