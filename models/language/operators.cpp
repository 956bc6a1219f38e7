#include "models/language/operators.hpp"

#include <array>
#include <cmath>

#include "autodiff/ops.hpp"
#include "models/language/language_error.hpp"

namespace jacquard::models {
namespace {

using Expr2 = Expr (*)(Expr, Expr);
using Number2 = double (*)(double, double);
using Truth2 = bool (*)(double, double);

struct BinaryOperation {
  std::string_view text;
  Expr2 tensors;
  Number2 numbers = nullptr;
  Truth2 truth = nullptr;  // one of the two, or neither: numbers have no such operation
};

constexpr std::array kOperations = {
    BinaryOperation{"+", [](Expr a, Expr b) { return a + b; },
                    [](double a, double b) { return a + b; }},
    BinaryOperation{"-", [](Expr a, Expr b) { return a - b; },
                    [](double a, double b) { return a - b; }},
    BinaryOperation{"*", [](Expr a, Expr b) { return a * b; },
                    [](double a, double b) { return a * b; }},
    BinaryOperation{"/", [](Expr a, Expr b) { return a / b; },
                    [](double a, double b) { return a / b; }},
    BinaryOperation{"@", matmul},
    BinaryOperation{"^", [](Expr a, Expr b) { return power(a, b); },
                    [](double a, double b) { return std::pow(a, b); }},
    BinaryOperation{"<", less, nullptr, [](double a, double b) { return a < b; }},
    BinaryOperation{"<=", less_equal, nullptr, [](double a, double b) { return a <= b; }},
    BinaryOperation{">", greater, nullptr, [](double a, double b) { return a > b; }},
    BinaryOperation{">=", greater_equal, nullptr, [](double a, double b) { return a >= b; }},
    BinaryOperation{"==", equal, nullptr, [](double a, double b) { return a == b; }},
    BinaryOperation{"!=", not_equal, nullptr, [](double a, double b) { return a != b; }},
    BinaryOperation{"and", logical_and, nullptr,
                    [](double a, double b) { return a != 0 && b != 0; }},
    BinaryOperation{"or", logical_or, nullptr, [](double a, double b) { return a != 0 || b != 0; }},
};

const BinaryOperation& operation_of(std::string_view text) {
  for (const BinaryOperation& operation : kOperations)
    if (operation.text == text) return operation;
  throw InternalError(cat("operators: '", text, "' is not in the table"));
}

[[noreturn]] void fail_operand(std::string_view operation, int operand, const Value& value) {
  throw ValueError(operand, cat("an operand of '", operation, "' is ", describe(value)),
                   "it must be a tensor or a number");
}

Expr tensor_operand(Tape& tape, std::string_view operation, int operand, const Value& value) {
  const Expr tensor = as_tensor(tape, value);
  if (!tensor) fail_operand(operation, operand, value);
  return tensor;
}

// Where a bound or an index lies in an axis of `size` elements, counted from the front.
std::int64_t place_in_axis(const Value& value, int operand, int axis, const Shape& shape,
                           std::int64_t last) {
  const std::optional<std::int64_t> given = as_integer(value);
  if (!given) {
    const bool tensor = value.as<Expr>() != nullptr || value.as<List>() != nullptr;
    throw ValueError(operand, cat("an index is ", describe(value)),
                     tensor ? "it must be a whole number or a slice; take(t, indices, axis) picks "
                              "many elements"
                            : "it must be a whole number or a slice begin:end");
  }
  const std::int64_t place = *given < 0 ? *given + shape[axis] : *given;
  if (place < 0 || place > last)
    throw ValueError(operand, cat(*given, " lies outside of axis ", axis, " of shape ", shape),
                     cat("the axis has ", shape[axis], " elements"));
  return place;
}

}  // namespace

Value unary_value(Tape& tape, std::string_view operation, const Value& operand) {
  const std::optional<double> number = as_number(operand);
  if (operation == ".T") {
    if (number) throw ValueError(0, cat("'.T' of ", describe(operand)), "numbers have no axes");
    return {transpose(tensor_operand(tape, operation, 0, operand))};
  }
  if (operation == "not") {
    if (number) return {*number == 0};
    return {logical_not(tensor_operand(tape, operation, 0, operand))};
  }
  if (number) return {-*number};
  return {-tensor_operand(tape, operation, 0, operand)};
}

Value binary_value(Tape& tape, std::string_view text, const Value& a, const Value& b) {
  const BinaryOperation& operation = operation_of(text);
  const std::optional<double> left = as_number(a), right = as_number(b);
  if (left && right) {
    if (operation.truth != nullptr) return {operation.truth(*left, *right)};
    if (operation.numbers != nullptr) return {operation.numbers(*left, *right)};
    throw ValueError(ValueError::kWhole, cat(quoted(text), " stands between two numbers"),
                     "it multiplies tensors; write '*'");
  }
  // A constant exponent is an attribute, which is what makes powers of negative numbers work.
  if (text == "^" && right) return {power(tensor_operand(tape, text, 0, a), *right)};
  const Expr first = tensor_operand(tape, text, 0, a), second = tensor_operand(tape, text, 1, b);
  return {operation.tensors(first, second)};
}

Value index_value(const Value& subject, const std::vector<IndexItem>& items) {
  const Expr* tensor = subject.as<Expr>();
  if (tensor == nullptr)
    throw ValueError(0, cat(describe(subject), " cannot be indexed"), "only tensors have elements");
  const Shape shape = tensor->shape();
  if (items.size() > static_cast<std::size_t>(shape.rank()))
    throw ValueError(ValueError::kWhole,
                     cat(items.size(), " indices for a tensor of shape ", shape),
                     cat("it has ", shape.rank(), shape.rank() == 1 ? " axis" : " axes"));
  Expr result = *tensor;
  std::vector<std::int64_t> kept;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (static_cast<std::size_t>(axis) >= items.size()) {
      kept.push_back(shape[axis]);
      continue;
    }
    const IndexItem& item = items[static_cast<std::size_t>(axis)];
    const int operand = axis + 1;
    const std::int64_t size = shape[axis];
    if (!item.slice) {
      const std::int64_t at = place_in_axis(item.begin, operand, axis, shape, size - 1);
      result = slice(result, axis, at, at + 1);
      continue;
    }
    const std::int64_t begin =
        item.begin.absent() ? 0 : place_in_axis(item.begin, operand, axis, shape, size);
    const std::int64_t end =
        item.end.absent() ? size : place_in_axis(item.end, operand, axis, shape, size);
    if (end < begin)
      throw ValueError(operand, cat("the slice ", begin, ':', end, " of axis ", axis, " of shape ",
                                    shape, " ends before it begins"));
    result = slice(result, axis, begin, end);
    kept.push_back(end - begin);
  }
  return {reshape(result, Shape(std::move(kept)))};
}

}  // namespace jacquard::models
