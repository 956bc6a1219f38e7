#include "experiments/minimizers.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

using Vector = std::vector<double>;

double dot(std::span<const double> a, std::span<const double> b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

void add_scaled(std::span<double> to, double factor, std::span<const double> from) {
  for (std::size_t i = 0; i < to.size(); ++i) to[i] += factor * from[i];
}

// A place along the line: step length, cost, slope.
struct Place {
  double t = 0, cost = 0, slope = 0;
};

// The minimum of the cubic through two places with their slopes (Nocedal and Wright 2006,
// eq. 3.59), kept away from both ends; the middle where there is none.
double between(const Place& a, const Place& b) {
  const double low = std::min(a.t, b.t), high = std::max(a.t, b.t), room = 0.1 * (high - low);
  const double d1 = a.slope + b.slope - 3 * (a.cost - b.cost) / (a.t - b.t);
  const double under = d1 * d1 - a.slope * b.slope;
  double t = (low + high) / 2;
  if (under >= 0) {
    const double d2 = std::copysign(std::sqrt(under), b.t - a.t);
    const double found = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2));
    if (std::isfinite(found)) t = found;
  }
  return std::clamp(t, low + room, high - room);
}

Tensor<double> vector_tensor(const Vector& v) {
  return Tensor<double>(Shape{static_cast<std::int64_t>(v.size())}, v);
}

}  // namespace

std::span<const nn::Kind> minimizer_kinds() {
  static const std::vector<nn::Kind> kinds = {
      {"lbfgs",
       "L-BFGS on the whole training part; an epoch is one step (Nocedal and Wright 2006)",
       {{"memory", 10.0, 1, 100, "steps whose curvature is remembered", false, true},
        {"wolfe", 0.9, 0.01, 0.999, "share of the slope at which a line search may end"}}},
      {"conjugate_gradient",
       "nonlinear conjugate gradients (Polak and Ribiere) on the whole training part",
       {{"wolfe", 0.1, 0.01, 0.499, "share of the slope at which a line search may end"}}},
  };
  return kinds;
}

bool is_minimizer(const nn::Choice& optimizer) {
  return std::ranges::any_of(minimizer_kinds(),
                             [&](const nn::Kind& k) { return k.name == optimizer.kind; });
}

Minimizer::Minimizer(nn::Choice choice, std::size_t size)
    : choice_(std::move(choice)), size_(size) {
  nn::check_choice("optimizer", minimizer_kinds(), choice_);
  if (choice_.kind == "lbfgs")
    memory_ = static_cast<std::size_t>(nn::option(minimizer_kinds(), choice_, "memory"));
}

Vector Minimizer::direction(std::span<const double> gradient) {
  Vector d(gradient.begin(), gradient.end());
  if (choice_.kind == "conjugate_gradient") {
    double factor = 0;
    if (!last_gradient_.empty()) {
      const double change = dot(gradient, gradient) - dot(gradient, last_gradient_);
      factor = std::max(0.0, change / dot(last_gradient_, last_gradient_));
    }
    for (double& v : d) v = -v;
    if (factor > 0) add_scaled(d, factor, last_direction_);
    return d;
  }
  Vector alpha(pairs_.size());
  for (std::size_t i = pairs_.size(); i-- > 0;) {
    const Pair& p = pairs_[i];
    alpha[i] = dot(p.s, d) / dot(p.s, p.y);
    add_scaled(d, -alpha[i], p.y);
  }
  if (!pairs_.empty()) {
    const Pair& p = pairs_.back();
    const double scale = dot(p.s, p.y) / dot(p.y, p.y);
    for (double& v : d) v *= scale;
  }
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    const Pair& p = pairs_[i];
    add_scaled(d, alpha[i] - dot(p.y, d) / dot(p.s, p.y), p.s);
  }
  for (double& v : d) v = -v;
  return d;
}

// The strong Wolfe conditions (Nocedal and Wright 2006, algorithms 3.5 and 3.6). Moves the point
// and leaves cost_ and gradient_ there; false where nothing better was found, and then nothing
// moved.
bool Minimizer::search(const Evaluate& evaluate, std::span<double> point, const Vector& d,
                       double first) {
  constexpr double kSufficient = 1e-4;
  constexpr int kMostEvaluations = 30;
  constexpr double kLongest = 1e10;
  const double curvature = nn::option(minimizer_kinds(), choice_, "wolfe");
  const Vector start(point.begin(), point.end());
  Vector gradient(size_), best_gradient;
  const Place origin{0, cost_, dot(gradient_, d)};
  Place best = origin;
  const auto look = [&](double t) {
    for (std::size_t i = 0; i < size_; ++i) point[i] = start[i] + t * d[i];
    ++evaluations_;
    Place place{t, evaluate(point, gradient), 0};
    place.slope = dot(gradient, d);
    if (std::isfinite(place.cost) && place.cost < best.cost) {
      best = place;
      best_gradient = gradient;
    }
    return place;
  };
  const auto too_high = [&](const Place& p) {
    return !(p.cost <= origin.cost + kSufficient * p.t * origin.slope) || !std::isfinite(p.slope);
  };
  const auto flat = [&](const Place& p) { return std::abs(p.slope) <= -curvature * origin.slope; };

  Place low = origin, high;
  bool bracketed = false, found = false;
  double t = first;
  for (int n = 0; n < kMostEvaluations && !found; ++n) {
    const Place now = look(t);
    if (too_high(now) || (bracketed && now.cost >= low.cost) ||
        (!bracketed && n > 0 && now.cost >= low.cost)) {
      high = now;
      bracketed = true;
    } else if (flat(now)) {
      found = true;
      best = now;
      best_gradient = gradient;
    } else {
      const bool turns = bracketed ? now.slope * (high.t - low.t) >= 0 : now.slope >= 0;
      if (turns) high = low;
      bracketed = bracketed || turns;
      low = now;
    }
    if (!bracketed)
      t = std::min(t * 4, kLongest);
    else if (std::isfinite(high.cost) && std::isfinite(high.slope))
      t = between(low, high);
    else
      t = (low.t + high.t) / 4 + low.t / 2;  // nearer to what is finite
    if (bracketed && std::abs(high.t - low.t) <= 1e-14 * std::max(1.0, high.t)) break;
  }
  for (std::size_t i = 0; i < size_; ++i) point[i] = start[i] + best.t * d[i];
  if (best.t == 0) return false;
  cost_ = best.cost;
  gradient_ = best_gradient;
  last_slope_ = origin.slope;
  last_step_ = best.t;
  return true;
}

Minimized Minimizer::step(const Evaluate& evaluate, std::span<double> point) {
  if (!started_) {
    gradient_.resize(size_);
    ++evaluations_;
    cost_ = evaluate(point, gradient_);
    if (!std::isfinite(cost_)) return Minimized::kNotFinite;
    started_ = true;
  }
  const Vector before(point.begin(), point.end()), old_gradient = gradient_;
  const double size = std::sqrt(dot(gradient_, gradient_));
  if (!std::isfinite(size)) return Minimized::kNotFinite;
  if (size == 0) return Minimized::kConverged;
  for (const bool fresh : {false, true}) {
    // Where the curvature that is remembered leads nowhere, the steepest descent has a try.
    if (fresh) {
      if (pairs_.empty() && last_gradient_.empty()) return Minimized::kConverged;
      pairs_.clear();
      last_gradient_.clear();
      last_direction_.clear();
    }
    Vector d = direction(gradient_);
    if (!(dot(d, gradient_) < 0)) continue;
    double first = std::min(1.0, 1 / size);
    if (!pairs_.empty()) first = 1;
    if (!last_gradient_.empty()) first = last_step_ * last_slope_ / dot(d, gradient_);
    if (!search(evaluate, point, d, first)) continue;
    if (choice_.kind == "lbfgs") {
      Pair p{Vector(point.begin(), point.end()), gradient_};
      add_scaled(p.s, -1, before);
      add_scaled(p.y, -1, old_gradient);
      if (dot(p.s, p.y) > 1e-10 * dot(p.y, p.y)) pairs_.push_back(std::move(p));
      if (pairs_.size() > memory_) pairs_.erase(pairs_.begin());
    } else {
      last_direction_ = std::move(d);
      last_gradient_ = old_gradient;
    }
    return Minimized::kMoved;
  }
  return Minimized::kConverged;
}

std::map<std::string, Tensor<double>> Minimizer::state() const {
  std::map<std::string, Tensor<double>> state;
  if (!started_) return state;
  state["minimizer/gradient"] = vector_tensor(gradient_);
  state["minimizer/numbers"] =
      vector_tensor({cost_, last_slope_, last_step_, static_cast<double>(evaluations_)});
  for (std::size_t i = 0; i < pairs_.size(); ++i) {
    state[cat("minimizer/s/", i)] = vector_tensor(pairs_[i].s);
    state[cat("minimizer/y/", i)] = vector_tensor(pairs_[i].y);
  }
  if (!last_gradient_.empty()) {
    state["minimizer/last_gradient"] = vector_tensor(last_gradient_);
    state["minimizer/last_direction"] = vector_tensor(last_direction_);
  }
  return state;
}

void Minimizer::restore(const std::map<std::string, Tensor<double>>& state) {
  const auto values = [&](const std::string& name) {
    const auto at = state.find(name);
    return at == state.end() ? Vector{} : Vector(at->second.data.begin(), at->second.data.end());
  };
  gradient_ = values("minimizer/gradient");
  started_ = !gradient_.empty();
  if (!started_) return;
  const Vector numbers = values("minimizer/numbers");
  if (numbers.size() != 4) throw Error("minimizer: its saved numbers are not four");
  cost_ = numbers[0];
  last_slope_ = numbers[1];
  last_step_ = numbers[2];
  evaluations_ = static_cast<std::int64_t>(numbers[3]);
  pairs_.clear();
  for (std::size_t i = 0; state.contains(cat("minimizer/s/", i)); ++i)
    pairs_.push_back({values(cat("minimizer/s/", i)), values(cat("minimizer/y/", i))});
  last_gradient_ = values("minimizer/last_gradient");
  last_direction_ = values("minimizer/last_direction");
}

}  // namespace jacquard::experiments
