#include "models/language/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "models/language/language_error.hpp"

namespace jacquard::models {
namespace {

Value fallback_value(std::string_view text) {
  if (text == "all") return {AllAxes{}};
  if (text == "true" || text == "false") return {text == "true"};
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size()) return {number};
  return {Absent{}};
}

}  // namespace

Arguments::Arguments(Tape& tape, const Function& function, std::vector<Value> values,
                     std::string place)
    : tape_(tape), function_(function), values_(std::move(values)), place_(std::move(place)) {
  for (std::size_t i = 0; i < function_.parameters.size() && i < values_.size(); ++i)
    if (values_[i].absent()) values_[i] = fallback_value(function_.parameters[i].fallback);
}

void Arguments::fail(int i, std::string_view needed) const {
  const auto last = static_cast<int>(function_.parameters.size()) - 1;
  const FunctionParameter& parameter =
      function_.parameters[static_cast<std::size_t>(std::min(i, last))];
  std::string which = quoted(parameter.name);
  if (parameter.kind == ArgumentKind::kRest) which = cat("number ", i + 1);
  throw ValueError(i,
                   cat("argument ", which, " of ", function_.name, " is ", describe(value(i)),
                       "; it must be ", needed),
                   function_.signature());
}

Expr Arguments::tensor(int i) const {
  const Expr result = as_tensor(tape_, value(i));
  if (!result) fail(i, "a tensor or a number");
  return result;
}

Expr Arguments::variable(int i) const {
  const Expr* result = value(i).as<Expr>();
  if (result == nullptr) fail(i, "a tensor: a parameter, an input, a definition");
  return *result;
}

double Arguments::number(int i) const {
  const double* result = value(i).as<double>();
  if (result == nullptr) fail(i, "a number that is known before the run");
  return *result;
}

std::int64_t Arguments::integer(int i) const {
  const std::optional<std::int64_t> result = as_integer(value(i));
  if (!result) fail(i, "a whole number that is known before the run");
  return *result;
}

bool Arguments::boolean(int i) const {
  const bool* result = value(i).as<bool>();
  if (result == nullptr) fail(i, "true or false");
  return *result;
}

const std::string& Arguments::text(int i) const {
  const std::string* result = value(i).as<std::string>();
  if (result == nullptr) fail(i, "a text in quotes");
  return *result;
}

std::vector<std::int64_t> Arguments::integers(int i, std::string_view needed) const {
  const List* list = value(i).as<List>();
  if (list == nullptr) fail(i, needed);
  std::vector<std::int64_t> result;
  for (const Value& item : *list) {
    const std::optional<std::int64_t> number = as_integer(item);
    if (!number)
      throw ValueError(i,
                       cat("item ", result.size() + 1, " of argument ",
                           quoted(function_.parameters[static_cast<std::size_t>(i)].name), " of ",
                           function_.name, " is ", describe(item), "; it must be a whole number"));
    result.push_back(*number);
  }
  return result;
}

Axes Arguments::axes(int i) const {
  if (value(i).as<AllAxes>() != nullptr) return {};
  if (const std::optional<std::int64_t> axis = as_integer(value(i))) return {*axis};
  constexpr std::string_view kNeeded = "all, a whole number or a list of whole numbers";
  Axes result = integers(i, kNeeded);
  // An empty list means all axes to the engine, and would surprise here.
  if (result.empty())
    throw ValueError(i, "the list of axes is empty", "name at least one axis or write axis=all");
  return result;
}

std::vector<std::int64_t> Arguments::sizes(int i, std::int64_t least) const {
  std::vector<std::int64_t> result = integers(i, "a list of whole numbers, as in [5, 3]");
  std::vector<std::int64_t> known = result;
  for (std::int64_t& size : known) {
    if (size < least)
      throw ValueError(i, cat("size ", size, " in argument ",
                              quoted(function_.parameters[static_cast<std::size_t>(i)].name),
                              " of ", function_.name, " is negative"));
    if (size < 0) size = 1;
  }
  Shape{std::move(known)};  // refuses sizes whose product is too large
  return result;
}

Axes Arguments::order(int i) const { return integers(i, "a list of axes, as in [1, 0]"); }

Expr Arguments::indices(int i) const {
  if (const Expr* result = value(i).as<Expr>()) return *result;
  std::vector<Expr> parts;
  for (const std::int64_t index : integers(i, "a tensor with one axis or a list of whole numbers"))
    parts.push_back(reshape(constant(tape_, static_cast<double>(index)), Shape{1}));
  return parts.empty() ? full(tape_, {0}, 0.0) : concat(parts, 0);
}

std::vector<Expr> Arguments::list(int i) const {
  const List* items = value(i).as<List>();
  if (items == nullptr) fail(i, "a list of tensors, as in [a, b]");
  std::vector<Expr> result;
  for (const Value& item : *items) {
    result.push_back(as_tensor(tape_, item));
    if (!result.back())
      throw ValueError(i, cat("item ", result.size(), " of the list is ", describe(item),
                              "; it must be a tensor"));
  }
  return result;
}

std::vector<Expr> Arguments::rest(int i) const {
  std::vector<Expr> result;
  for (; i < static_cast<int>(values_.size()); ++i) result.push_back(tensor(i));
  return result;
}

JacobianCall Arguments::jacobian(int i) const {
  const JacobianCall* result = value(i).as<JacobianCall>();
  if (result == nullptr) fail(i, "written as jacobian(h, x)");
  return *result;
}

std::string Arguments::stream(int i) const {
  if (!given(i)) return place_;
  if (text(i).empty())
    throw ValueError(i, "the name of the stream is empty", "equal names are one draw");
  return text(i);
}

}  // namespace jacquard::models
