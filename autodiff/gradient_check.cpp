#include "autodiff/gradient_check.hpp"

#include <algorithm>

#include "autodiff/blame.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/plan_check.hpp"
#include "autodiff/pool.hpp"
#include "autodiff/rewriting_check.hpp"
#include "autodiff/slopes.hpp"

namespace jacquard {
namespace {

std::string element_name(const std::string& parameter, const Shape& shape, std::int64_t index) {
  if (shape.rank() == 0) return parameter;
  std::string text = parameter + "[";
  const std::vector<std::int64_t> steps = strides(shape);
  for (int i = 0; i < shape.rank(); ++i) {
    const std::int64_t step = steps[static_cast<std::size_t>(i)];
    text += cat(i ? ", " : "", index / step);
    index %= step;
  }
  return text + "]";
}

// The check of one order.
class Check {
 public:
  Check(const std::vector<CheckedTerm>& terms, const std::vector<Expr>& parameters,
        const Feed<double>& feed, const CheckOptions& options, int order)
      : options_(options),
        order_(order),
        pool_(options.threads),
        context_{options.seed, options.step, &pool_},
        slopes_(values_of(terms), parameters, feed, context_),
        parameter_count_(parameters.size()) {
    for (const CheckedTerm& t : terms) names_.push_back(t.name);
  }

  bool agrees_with(const std::vector<Expr>& written) const {
    return agrees_with_written(slopes_, written, context_);
  }

  std::vector<CheckRow> rows() {
    measure_directions();
    std::vector<CheckRow> rows;
    for (std::size_t t = 0; t < names_.size(); ++t)
      for (std::size_t p = 0; p < parameter_count_; ++p) rows.push_back(row(t, p));
    if (options_.plans) compare_plans(rows);
    return rows;
  }

 private:
  static std::vector<Expr> values_of(const std::vector<CheckedTerm>& terms) {
    std::vector<Expr> values;
    for (const CheckedTerm& t : terms) values.push_back(t.value);
    return values;
  }

  struct Measured {
    Tensor<Quad> direction;
    std::vector<Quad> plus, minus;  // per term
  };

  void measure_directions() {
    const auto count = static_cast<std::size_t>(options_.directions);
    measured_.assign(parameter_count_, std::vector<Measured>(count));
    for (std::size_t p = 0; p < parameter_count_; ++p)
      for (std::size_t d = 0; d < count; ++d)
        measured_[p][d].direction =
            random_direction(slopes_.parameter(p).shape(), options_.seed,
                             cat("check/", order_, '/', slopes_.parameter_name(p), '/', d));
    pool_.run(static_cast<std::int64_t>(parameter_count_ * count * 2), [&](std::int64_t task) {
      const auto i = static_cast<std::size_t>(task);
      const std::size_t p = i / 2 / count;
      Measured& m = measured_[p][i / 2 % count];
      if (i % 2 == 0)
        m.plus = slopes_.moved(p, m.direction, kDifferenceStep);
      else
        m.minus = slopes_.moved(p, m.direction, -kDifferenceStep);
    });
  }

  CheckRow row(std::size_t t, std::size_t p) const {
    const Expr term = slopes_.terms()[t], parameter = slopes_.parameter(p);
    CheckRow row;
    row.term = names_[t];
    row.parameter = slopes_.parameter_name(p);
    row.order = order_;
    if (!number::is_finite(slopes_.value(t))) {
      row.verdict = Verdict::kNotFinite;
      row.operation = first_not_finite(slopes_.tape(), {term}, slopes_.feed(), context_);
    } else if (!dependents(slopes_.tape(), std::vector<Expr>{parameter},
                           term.id)[static_cast<std::size_t>(term.id)]) {
      row.verdict = Verdict::kUnused;
    } else {
      for (const Measured& m : measured_[p]) {
        judge(row, t, p, m.direction, slopes_.slopes(t, p, m.direction, m.plus[t], m.minus[t]));
        if (row.verdict == Verdict::kWrongRule || row.verdict == Verdict::kNotFinite) break;
      }
    }
    return row;
  }

  // The relative error of the gradient along the direction, differences being taken with more care
  // where one step does not settle it. Not finite where the gradient or its differences are not.
  Quad error(std::size_t t, std::size_t p, const Tensor<Quad>& direction, const Slopes& s) const {
    const Quad first = number::abs(s.exact - s.numeric.middle) / s.scale;
    if (first <= static_cast<Quad>(options_.tolerance) || !number::is_finite(s.exact)) return first;
    return disagreement(slopes_.along(t, p, direction), s.exact) / s.scale;
  }

  // Kinks are set aside one after the other, so that they hide no wrong rule.
  void judge(CheckRow& row, std::size_t t, std::size_t p, Tensor<Quad> direction, Slopes s) const {
    constexpr int kMostKinks = 8;
    const auto tolerance = static_cast<Quad>(options_.tolerance);
    for (int kinks = 0; kinks < kMostKinks; ++kinks) {
      const Quad off = error(t, p, direction, s);
      if (!number::is_finite(off)) return blame_not_finite(row, t, p);
      const bool bent = off > tolerance || s.numeric.gap() > kKinkShare * s.scale;
      const bool smooth =
          !bent || smoothness(slopes_.along(t, p, direction), s.scale) == Smoothness::kSmooth;
      if (smooth) row.error = std::max(row.error, static_cast<double>(off));
      if (smooth && off <= tolerance) return;
      const std::int64_t worst = worst_element(t, p, direction);
      Tensor<Quad> unit(direction.shape);
      unit[worst] = Quad(1);
      const Slopes at = slopes_.measure(t, p, unit);
      const Quad off_there = error(t, p, unit, at);
      const bool wrong = !excused(t, p, unit, at) && (smooth || off_there > tolerance);
      if (wrong) {
        row.error = std::max(row.error, static_cast<double>(off_there));
        row.verdict = Verdict::kWrongRule;
        row.operation = wrong_rule(slopes_.tape(), slopes_.terms()[t], slopes_.parameter(p),
                                   slopes_.feed(), context_);
        return name_element(row, p, worst, at);
      }
      if (row.verdict == Verdict::kPass) {
        row.verdict = Verdict::kKink;
        row.operation = first_kinked(slopes_.tape(), slopes_.terms()[t], slopes_.feed(), context_,
                                     slopes_.hold(), row.parameter, unit);
        name_element(row, p, worst, at);
      }
      direction[worst] = Quad(0);
      s = slopes_.measure(t, p, direction);
    }
  }

  void blame_not_finite(CheckRow& row, std::size_t t, std::size_t p) const {
    row.verdict = Verdict::kNotFinite;
    row.operation = not_finite_rule(slopes_.tape(), slopes_.terms()[t], slopes_.parameter(p),
                                    slopes_.feed(), context_);
    if (row.operation.empty())
      row.operation =
          first_not_finite(slopes_.tape(), {slopes_.gradient_of(t, p)}, slopes_.feed(), context_);
  }

  // At a kink every value between the one-sided slopes is a subgradient, at a jump there is none.
  bool excused(std::size_t t, std::size_t p, const Tensor<Quad>& direction, const Slopes& s) const {
    const Smoothness is = smoothness(slopes_.along(t, p, direction), s.scale);
    const Quad slack = kKinkShare * s.scale;
    const bool between = s.exact >= std::min(s.numeric.left, s.numeric.right) - slack &&
                         s.exact <= std::max(s.numeric.left, s.numeric.right) + slack;
    return is == Smoothness::kJump || (is == Smoothness::kKink && between);
  }

  // Halves the direction, keeping the half that is further off, down to one element.
  std::int64_t worst_element(std::size_t t, std::size_t p, const Tensor<Quad>& direction) const {
    std::int64_t first = 0, last = direction.size();
    const auto off = [&](std::int64_t a, std::int64_t b) {
      Tensor<Quad> half(direction.shape);
      for (std::int64_t i = a; i < b; ++i) half[i] = direction[i];
      return slopes_.measure(t, p, half).off();
    };
    while (last - first > 1) {
      const std::int64_t middle = first + (last - first) / 2;
      if (off(first, middle) >= off(middle, last))
        last = middle;
      else
        first = middle;
    }
    return first;
  }

  void name_element(CheckRow& row, std::size_t p, std::int64_t element, const Slopes& s) const {
    row.element = element_name(row.parameter, slopes_.parameter(p).shape(), element);
    row.exact = static_cast<double>(s.exact);
    row.numeric = static_cast<double>(s.numeric.middle);
    row.slope_left = static_cast<double>(s.numeric.left);
    row.slope_right = static_cast<double>(s.numeric.right);
  }

  void compare_plans(std::vector<CheckRow>& rows) {
    std::vector<Expr> roots;
    std::vector<Tensor<Quad>> reference;
    for (std::size_t t = 0; t < names_.size(); ++t) {
      roots.push_back(slopes_.terms()[t]);
      reference.push_back(Tensor<Quad>(Shape{}, slopes_.value(t)));
      for (std::size_t p = 0; p < parameter_count_; ++p) {
        roots.push_back(slopes_.gradient_of(t, p));
        reference.push_back(slopes_.gradient_value(t, p));
      }
    }
    const PlanDeviations deviations =
        compare_plans_with(slopes_.tape(), roots, reference, slopes_.feed(), context_, pool_);
    const double allowed = options_.plan_factor;
    std::size_t at = 0, r = 0;
    for (std::size_t t = 0; t < names_.size(); ++t) {
      const std::size_t value = at++;
      for (std::size_t p = 0; p < parameter_count_; ++p, ++at, ++r) {
        CheckRow& row = rows[r];
        row.double_error =
            std::max(deviations.in_double[value], deviations.in_double[at]) / allowed;
        row.float_error = std::max(deviations.in_float[value], deviations.in_float[at]) / allowed;
        if (row.verdict != Verdict::kPass && row.verdict != Verdict::kKink) continue;
        if (row.double_error <= 1 && row.float_error <= 1) continue;
        const PlanBlame blame =
            blame_plan(slopes_.tape(), {roots[value], roots[at]}, {reference[value], reference[at]},
                       slopes_.feed(), context_, pool_, allowed);
        row.verdict = blame.not_finite ? Verdict::kNotFinite : Verdict::kWrongPlan;
        row.operation = blame.text;
      }
    }
  }

  CheckOptions options_;
  int order_;
  ThreadPool pool_;
  RunContext context_;
  TermSlopes slopes_;
  std::size_t parameter_count_;
  std::vector<std::string> names_;
  std::vector<std::vector<Measured>> measured_;
};

// Values that float has exactly, so that every precision computes the same function at one point.
Feed<double> rounded(const Feed<double>& feed) {
  Feed<double> result;
  for (const auto& [name, value] : feed) result.emplace(name, cast<double>(cast<float>(value)));
  return result;
}

// The slope of each term along one fixed random direction of all parameters at once: its gradient
// is a Hessian-vector product.
std::vector<CheckedTerm> directional_terms(const std::vector<CheckedTerm>& terms,
                                           const std::vector<Expr>& parameters, Feed<double>& feed,
                                           std::uint64_t seed) {
  std::vector<Expr> directions;
  for (const Expr& p : parameters) {
    const std::string name = cat("<direction of ", input_name(p.tape->node(p)), '>');
    directions.push_back(p.tape->input(name, p.shape()));
    feed[name] = cast<double>(cast<float>(random_direction(p.shape(), seed, name)));
  }
  std::vector<CheckedTerm> result;
  for (const CheckedTerm& t : terms) {
    const std::vector<Expr> g = gradient(t.value, parameters, Unused::kZero);
    std::vector<Expr> parts;
    for (std::size_t p = 0; p < g.size(); ++p) parts.push_back(sum(g[p] * directions[p]));
    result.push_back({t.name, add_all(parts)});
  }
  return result;
}

Feed<Quad> exactly(const Feed<double>& feed) {
  Feed<Quad> values;
  for (const auto& [name, value] : feed) values.emplace(name, cast<Quad>(value));
  return values;
}

// What training runs is not the terms as they were written but what the contraction algebra makes
// of them. That is compared with the tape as written once, values and gradients; where they agree,
// the differences are taken of the cheaper form. Where anything is wrong, the check is made on the
// tape as written, so that the blame falls on what the user wrote.
std::vector<CheckRow> check_order(const std::vector<CheckedTerm>& terms,
                                  const std::vector<Expr>& parameters, const Feed<double>& feed,
                                  const CheckOptions& options, int order) {
  std::vector<Expr> values;
  for (const CheckedTerm& t : terms) values.push_back(t.value);
  ThreadPool pool(options.threads);
  const RunContext context{options.seed, options.step, &pool};
  const std::vector<Expr> cheaper = simplified_at(values, exactly(feed), context);
  if (cheaper == values) return Check(terms, parameters, feed, options, order).rows();
  std::vector<CheckedTerm> rewritten;
  for (std::size_t t = 0; t < terms.size(); ++t) rewritten.push_back({terms[t].name, cheaper[t]});
  Check check(rewritten, parameters, feed, options, order);
  const bool same = check.agrees_with(values);
  if (same) {
    auto rows = check.rows();
    if (std::ranges::all_of(rows, [](const CheckRow& row) {
          return row.verdict == Verdict::kPass || row.verdict == Verdict::kUnused;
        }))
      return rows;
  }
  auto rows = Check(terms, parameters, feed, options, order).rows();
  for (CheckRow& row : rows)
    if (!same && row.verdict == Verdict::kPass) {
      row.verdict = Verdict::kWrongPlan;
      row.operation = "the contraction algebra: what it makes of the terms has another value";
    }
  return rows;
}

}  // namespace

std::string_view verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass:
      return "pass";
    case Verdict::kUnused:
      return "unused";
    case Verdict::kKink:
      return "kink";
    case Verdict::kWrongRule:
      return "wrong rule";
    case Verdict::kWrongPlan:
      return "wrong plan";
    case Verdict::kNotFinite:
      return "not finite";
  }
  return "?";
}

bool CheckReport::passed() const {
  return std::ranges::none_of(rows, [](const CheckRow& row) {
    return row.verdict == Verdict::kWrongRule || row.verdict == Verdict::kWrongPlan ||
           row.verdict == Verdict::kNotFinite;
  });
}

CheckReport check_gradients(const std::vector<CheckedTerm>& terms,
                            const std::vector<Expr>& parameters, const Feed<double>& feed,
                            const CheckOptions& options) {
  if (options.order < 1 || options.order > 2)
    throw Error(cat("check: order ", options.order, "; 1 and 2 can be checked"));
  CheckReport report;
  if (terms.empty() || parameters.empty()) return report;
  Feed<double> base = rounded(feed);
  report.rows = check_order(terms, parameters, base, options, 1);
  if (options.order == 2) {
    const auto slopes = directional_terms(terms, parameters, base, options.seed);
    const auto rows = check_order(slopes, parameters, base, options, 2);
    report.rows.insert(report.rows.end(), rows.begin(), rows.end());
  }
  return report;
}

}  // namespace jacquard
