// What an expression of the cost language is worth while it is evaluated: numbers stay numbers, and
// are computed at once, until they meet a tensor.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/tape.hpp"

namespace jacquard::models {

struct Value;
using List = std::vector<Value>;

struct Absent {};   // an argument that is not given, a bound that is missing from a slice
struct AllAxes {};  // axis=all
// jacobian(h, x) where it is an argument that must not be formed.
struct JacobianCall {
  Expr h, x;
};

struct Value {
  std::variant<Absent, double, bool, Expr, std::string, List, AllAxes, JacobianCall> data;

  template <class T>
  const T* as() const {
    return std::get_if<T>(&data);
  }
  bool absent() const { return as<Absent>() != nullptr; }
};

// A number, or true and false as 1 and 0.
std::optional<double> as_number(const Value& value);
// The whole number that the value is, at most 2^53 in size.
std::optional<std::int64_t> as_integer(const Value& value);
// A tensor; numbers become constants of the tape. An empty Expr for everything else.
Expr as_tensor(Tape& tape, const Value& value);

// "the number 3", "a text", "a list", "a tensor of shape [20, 784]".
std::string describe(const Value& value);

// A value that does not fit where it stands; the evaluator adds the place. `argument` counts the
// operands or arguments from 0; kWhole is the operator or function itself.
struct ValueError : SpecError {
  static constexpr int kWhole = -1;
  ValueError(int argument, std::string message, std::string hint = "");

  int argument;
  std::string message, hint;
};

}  // namespace jacquard::models
