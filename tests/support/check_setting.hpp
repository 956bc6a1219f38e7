// What the tests of the gradient check share: a few inputs with values, and the row of one of them.
#pragma once

#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient_check.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/random.hpp"

namespace jacquard::testing {

// Inputs x [3, 4], W [4, 5], b [5], s [] of a cost, and random values for them.
struct CheckSetting {
  Tape tape;
  Expr x = tape.input("x", {3, 4});
  Expr W = tape.input("W", {4, 5}, InputKind::kParameter);
  Expr b = tape.input("b", {5}, InputKind::kParameter);
  Expr s = tape.input("s", {}, InputKind::kParameter);
  Feed<double> feed;

  explicit CheckSetting(std::uint64_t seed = 1) {
    Random random(seed);
    for (const Expr& e : {x, W, b, s}) set(e, random.tensor(e.shape(), {-1, 1}));
  }

  void set(Expr e, const Tensor<double>& value) { feed[input_name(tape.node(e))] = value; }
  double& value(Expr e, std::int64_t i) { return feed.at(input_name(tape.node(e)))[i]; }
  Expr number(double value) { return constant(tape, value); }
  Expr hidden() const { return matmul(x, W) + b; }

  CheckReport check(Expr cost, int order = 1) const {
    return check_gradients({{"cost", cost}}, {W, b, s}, feed, {.order = order});
  }
  CheckRow row(Expr cost, int order = 1, const std::string& parameter = "W") const {
    for (const CheckRow& r : check(cost, order).rows)
      if (r.parameter == parameter && r.order == order) return r;
    return {};
  }
};

// The rows that are not as they should be; "" if all are right or have nothing to check.
inline std::string complaints(const CheckReport& report) {
  std::string text;
  for (const CheckRow& r : report.rows)
    if (r.verdict != Verdict::kPass && r.verdict != Verdict::kUnused)
      text += cat(r.term, ' ', r.parameter, " order ", r.order, ": ", verdict_text(r.verdict), ' ',
                  r.element, ' ', r.operation, ", error ", r.error, ", float ", r.float_error,
                  ", double ", r.double_error, "; ");
  return text;
}

}  // namespace jacquard::testing
