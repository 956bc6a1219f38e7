#include "autodiff/gradient_check.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/blame.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"
#include "autodiff/plan_check.hpp"
#include "autodiff/pool.hpp"

namespace jacquard {
namespace {

// Step of the central differences. Their error is about h^2 f''' / 6 + eps f / h: both near 1e-22
// relative in binary128.
const Quad kStep = static_cast<Quad>(1e-11);

// One-sided slopes of a smooth function differ by about h f''; more than this share is a kink.
const Quad kKinkShare = static_cast<Quad>(1e-5);

Quad magnitude(Quad x) { return number::abs(x); }

Quad dot(const Tensor<Quad>& a, const Tensor<Quad>& b) {
  Quad total(0);
  for (std::int64_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

Quad length(const Tensor<Quad>& a) { return number::sqrt(dot(a, a)); }

// A random direction of unit length.
Tensor<Quad> random_direction(const Shape& shape, std::uint64_t seed, const std::string& name) {
  Tensor<Quad> v(shape);
  fill_normal(std::span<Quad>(v.data), seed, name, 0);
  const Quad norm = length(v);
  if (norm > Quad(0))
    for (Quad& x : v.data) x /= norm;
  return v;
}

std::string element_name(const std::string& parameter, const Shape& shape, std::int64_t index) {
  std::string text = parameter + "[";
  const std::vector<std::int64_t> steps = strides(shape);
  for (int i = 0; i < shape.rank(); ++i) {
    const std::int64_t step = steps[static_cast<std::size_t>(i)];
    text += cat(i ? ", " : "", index / step);
    index %= step;
  }
  return text + "]";
}

// Slopes of one term along one direction.
struct Slopes {
  Quad exact, numeric, left, right, scale;
  Quad error() const { return magnitude(exact - numeric) / scale; }
  bool finite() const { return number::is_finite(exact) && number::is_finite(numeric); }
  bool kinked() const { return magnitude(right - left) > kKinkShare * scale; }
  // At a kink any value between the one-sided slopes is a subgradient.
  bool between() const {
    const Quad slack = kKinkShare * scale;
    return exact >= std::min(left, right) - slack && exact <= std::max(left, right) + slack;
  }
};

// The check of one order: terms, their gradients, and the base point.
class Check {
 public:
  Check(const std::vector<CheckedTerm>& terms, const std::vector<Expr>& parameters,
        const Feed<double>& feed, const CheckOptions& options, int order)
      : terms_(terms), parameters_(parameters), options_(options), order_(order),
        pool_(options.threads) {
    for (const auto& [name, value] : feed) feed_.emplace(name, cast<Quad>(value));
    for (const CheckedTerm& t : terms_) {
      values_.push_back(t.value);
      gradients_.push_back(gradient(t.value, parameters_, Unused::kZero));
    }
    evaluate_base();
  }

  std::vector<CheckRow> rows() {
    measure_directions();
    std::vector<CheckRow> rows;
    for (std::size_t t = 0; t < terms_.size(); ++t)
      for (std::size_t p = 0; p < parameters_.size(); ++p) rows.push_back(row(t, p));
    if (options_.plans) compare_plans(rows);
    return rows;
  }

 private:
  Tape& tape() const { return *values_[0].tape; }
  const std::string& parameter_name(std::size_t p) const {
    return input_name(tape().node(parameters_[p]));
  }
  RunContext context(ThreadPool* pool) const { return {options_.seed, options_.step, pool}; }

  void evaluate_base() {
    std::vector<Expr> roots = values_;
    for (const auto& row : gradients_) roots.insert(roots.end(), row.begin(), row.end());
    const Interpreter<Quad> interpreter(tape(), roots);
    const std::vector<Tensor<Quad>> results =
        interpreter.run(feed_, context(&pool_), [this](NodeId id, Tensor<Quad>& value) {
          if (tape().node(id).op->held) held_.emplace(id, value);
        });
    std::size_t at = 0;
    for (std::size_t t = 0; t < terms_.size(); ++t) base_.push_back(results[at++][0]);
    base_gradients_.resize(terms_.size());
    for (auto& row : base_gradients_)
      for (std::size_t p = 0; p < parameters_.size(); ++p) row.push_back(results[at++]);
  }

  // The terms' values at the base point moved by amount * direction in one parameter.
  std::vector<Quad> moved(std::size_t p, const Tensor<Quad>& direction, Quad amount) const {
    Feed<Quad> feed = feed_;
    Tensor<Quad>& value = feed.at(parameter_name(p));
    for (std::int64_t i = 0; i < value.size(); ++i) value[i] += amount * direction[i];
    const Interpreter<Quad> interpreter(tape(), values_);
    const auto results = interpreter.run(feed, context(nullptr), hold());
    std::vector<Quad> values;
    for (const Tensor<Quad>& r : results) values.push_back(r[0]);
    return values;
  }

  Interpreter<Quad>::Observer hold() const {
    return [this](NodeId id, Tensor<Quad>& value) {
      if (const auto it = held_.find(id); it != held_.end()) value = it->second;
    };
  }

  Slopes slopes(std::size_t t, std::size_t p, const Tensor<Quad>& direction, Quad plus,
                Quad minus) const {
    Slopes s;
    s.exact = dot(base_gradients_[t][p], direction);
    s.numeric = (plus - minus) / (kStep + kStep);
    s.right = (plus - base_[t]) / kStep;
    s.left = (base_[t] - minus) / kStep;
    // What the slope is measured against: itself, what it would be in a typical direction, and
    // the share of the value that differences can see at all.
    const Quad typical = length(base_gradients_[t][p]) /
                         number::sqrt(static_cast<Quad>(std::max<std::int64_t>(
                             1, base_gradients_[t][p].size())));
    s.scale = std::max({magnitude(s.exact), magnitude(s.numeric), typical,
                        static_cast<Quad>(1e-9) * magnitude(base_[t]),
                        static_cast<Quad>(1e-300)});
    return s;
  }

  struct Measured {
    Tensor<Quad> direction;
    std::vector<Quad> plus, minus;  // per term
  };

  void measure_directions() {
    const auto count = static_cast<std::size_t>(options_.directions);
    measured_.assign(parameters_.size(), std::vector<Measured>(count));
    const auto tasks = static_cast<std::int64_t>(parameters_.size() * count * 2);
    for (std::size_t p = 0; p < parameters_.size(); ++p)
      for (std::size_t d = 0; d < count; ++d)
        measured_[p][d].direction =
            random_direction(parameters_[p].shape(), options_.seed,
                             cat("check/", order_, '/', parameter_name(p), '/', d));
    pool_.run(tasks, [&](std::int64_t task) {
      const auto i = static_cast<std::size_t>(task);
      Measured& m = measured_[i / 2 / count][i / 2 % count];
      if (i % 2 == 0)
        m.plus = moved(i / 2 / count, m.direction, kStep);
      else
        m.minus = moved(i / 2 / count, m.direction, -kStep);
    });
  }

  CheckRow row(std::size_t t, std::size_t p) const {
    CheckRow row;
    row.term = terms_[t].name;
    row.parameter = parameter_name(p);
    row.order = order_;
    if (!number::is_finite(base_[t])) {
      row.verdict = Verdict::kNotFinite;
      row.operation = first_not_finite(tape(), {values_[t]}, feed_, context(nullptr));
      return row;
    }
    if (!dependents(tape(), std::vector<Expr>{parameters_[p]},
                    values_[t].id)[static_cast<std::size_t>(values_[t].id)]) {
      row.verdict = Verdict::kUnused;
      return row;
    }
    for (const Measured& m : measured_[p]) {
      const Slopes s = slopes(t, p, m.direction, m.plus[t], m.minus[t]);
      row.error = std::max(row.error, static_cast<double>(s.error()));
      if (!s.finite()) {
        row.verdict = Verdict::kNotFinite;
        row.operation = first_not_finite(tape(), {gradients_[t][p]}, feed_, context(nullptr));
        return row;
      }
      if (s.error() > static_cast<Quad>(options_.tolerance)) {
        narrow(row, t, p, m.direction);
        return row;
      }
    }
    return row;
  }

  // Halves the direction, keeping the half that is further off, down to one element.
  void narrow(CheckRow& row, std::size_t t, std::size_t p, Tensor<Quad> direction) const {
    std::int64_t first = 0, last = direction.size();
    const auto part = [&](std::int64_t a, std::int64_t b) {
      Tensor<Quad> half(direction.shape);
      for (std::int64_t i = a; i < b; ++i) half[i] = direction[i];
      return half;
    };
    const auto off = [&](const Tensor<Quad>& along) {
      const Slopes s = measure(t, p, along);
      return magnitude(s.exact - s.numeric);
    };
    while (last - first > 1) {
      const std::int64_t middle = first + (last - first) / 2;
      if (off(part(first, middle)) >= off(part(middle, last)))
        last = middle;
      else
        first = middle;
    }
    Tensor<Quad> unit(direction.shape);
    unit[first] = Quad(1);
    const Slopes s = measure(t, p, unit);
    row.element = element_name(parameter_name(p), direction.shape, first);
    row.exact = static_cast<double>(s.exact);
    row.numeric = static_cast<double>(s.numeric);
    row.slope_left = static_cast<double>(s.left);
    row.slope_right = static_cast<double>(s.right);
    if (s.kinked() && s.between()) {
      row.verdict = Verdict::kKink;
      row.operation = first_kinked(tape(), values_[t], feed_, context(nullptr), hold(),
                                   parameter_name(p), unit, kStep);
    } else {
      row.verdict = Verdict::kWrongRule;
      row.operation = wrong_rule(tape(), values_[t], parameters_[p], feed_, context(nullptr));
    }
  }

  Slopes measure(std::size_t t, std::size_t p, const Tensor<Quad>& direction) const {
    return slopes(t, p, direction, moved(p, direction, kStep)[t], moved(p, direction, -kStep)[t]);
  }

  void compare_plans(std::vector<CheckRow>& rows) {
    std::vector<Expr> roots;
    std::vector<Tensor<Quad>> reference;
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      roots.push_back(values_[t]);
      reference.push_back(Tensor<Quad>(Shape{}, {base_[t]}));
      for (std::size_t p = 0; p < parameters_.size(); ++p) {
        roots.push_back(gradients_[t][p]);
        reference.push_back(base_gradients_[t][p]);
      }
    }
    const PlanDeviations deviations =
        compare_plans_with(tape(), roots, reference, feed_, context(&pool_), pool_);
    const double allowed = options_.plan_factor;
    std::size_t at = 0, r = 0;
    for (std::size_t t = 0; t < terms_.size(); ++t) {
      const std::size_t value = at++;
      for (std::size_t p = 0; p < parameters_.size(); ++p, ++at, ++r) {
        CheckRow& row = rows[r];
        row.double_error =
            std::max(deviations.in_double[value], deviations.in_double[at]) / allowed;
        row.float_error = std::max(deviations.in_float[value], deviations.in_float[at]) / allowed;
        if (row.verdict != Verdict::kPass && row.verdict != Verdict::kKink) continue;
        if (row.double_error > 1 || row.float_error > 1) {
          row.verdict = Verdict::kWrongPlan;
          row.operation = wrong_pass(tape(), {roots[value], roots[at]},
                                     {reference[value], reference[at]}, feed_, context(&pool_),
                                     pool_, allowed);
        }
      }
    }
  }

  std::vector<CheckedTerm> terms_;
  std::vector<Expr> parameters_;
  CheckOptions options_;
  int order_;
  ThreadPool pool_;
  Feed<Quad> feed_;
  std::vector<Expr> values_;
  std::vector<std::vector<Expr>> gradients_;
  std::unordered_map<NodeId, Tensor<Quad>> held_;
  std::vector<Quad> base_;
  std::vector<std::vector<Tensor<Quad>>> base_gradients_;
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

}  // namespace

std::string_view verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kPass: return "pass";
    case Verdict::kUnused: return "unused";
    case Verdict::kKink: return "kink";
    case Verdict::kWrongRule: return "wrong rule";
    case Verdict::kWrongPlan: return "wrong plan";
    case Verdict::kNotFinite: return "not finite";
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
  report.rows = Check(terms, parameters, base, options, 1).rows();
  if (options.order == 2) {
    const auto slopes = directional_terms(terms, parameters, base, options.seed);
    const auto rows = Check(slopes, parameters, base, options, 2).rows();
    report.rows.insert(report.rows.end(), rows.begin(), rows.end());
  }
  return report;
}

}  // namespace jacquard
