// Checks the gradients of a cost against differences in quad precision, and the plans against the
// plain interpreter in quad precision. See DESIGN 9.
#pragma once

#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"

namespace jacquard {

// One scalar whose gradients are checked: a term of the cost, or the cost.
struct CheckedTerm {
  std::string name;
  Expr value;
};

struct CheckOptions {
  int order = 1;       // 2: also the gradient's own derivatives, through Hessian-vector products
  int directions = 2;  // random directions per parameter
  std::uint64_t seed = 1;
  std::uint64_t step = 0;
  double tolerance = 1e-12;  // relative error of the rules against quad differences
  double plan_factor = 32;   // times the change under rounding of every operation
  bool plans = true;         // compare Plan<double> and Plan<float> with the quad values
  int threads = 1;
};

enum class Verdict {
  kPass,
  kUnused,     // the term does not depend on the parameter
  kKink,       // one-sided slopes differ, the gradient lies between them
  kWrongRule,  // the derivative on the tape is not the slope
  kWrongPlan,  // the tape is right, a compiled plan is not
  kNotFinite,  // a value or a slope is not finite
};
std::string_view verdict_text(Verdict verdict);

// One row of the report: one term, one parameter, one order.
struct CheckRow {
  std::string term, parameter;
  int order = 1;
  Verdict verdict = Verdict::kPass;
  double error = 0;         // worst relative error of the rule over the directions
  double float_error = 0;   // of Plan<float> and Plan<double> against quad, as a share of what
  double double_error = 0;  // rounding of every operation explains (above 1: wrong)
  // Where it is wrong (or kinked): the worst element, its values, the operation to blame.
  std::string element;  // W[3, 17]
  double exact = 0, numeric = 0;
  double slope_left = 0, slope_right = 0;
  std::string operation;  // op 'abs' (%42 'h')
};

struct CheckReport {
  std::vector<CheckRow> rows;
  bool passed() const;  // no row is kWrongRule, kWrongPlan or kNotFinite
};

// The parameters are inputs of the tape; `feed` gives the base point of all inputs. While
// differences are taken, values of held ops (stop_gradient, top_k), draws and state stay as they
// are at the base point.
CheckReport check_gradients(const std::vector<CheckedTerm>& terms,
                            const std::vector<Expr>& parameters, const Feed<double>& feed,
                            const CheckOptions& options);

}  // namespace jacquard
