#include "experiments/stop_rules.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "autodiff/attribute.hpp"
#include "autodiff/error.hpp"

namespace jacquard::experiments {
namespace {

using nlohmann::json;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double option(const StopRule& rule, const char* name) {
  return nn::option(stop_rule_kinds(), rule.rule, name);
}

// Lower is better from here on; what is no number is worse than all.
double judged(const StopRule& rule, const Metrics& metrics) {
  const double value = metric(metrics, rule.of);
  if (std::isnan(value)) return kInfinity;
  return rule.higher ? -value : value;
}

// JSON has no infinity: null stands for it.
json number_json(double value) { return std::isinf(value) ? json() : json(value); }
double number_of(const json& value) { return value.is_null() ? kInfinity : value.get<double>(); }

class NoImprovement : public StopCheck {
 public:
  explicit NoImprovement(const StopRule& rule) : rule_(rule) {}

  bool check(const Metrics& metrics) override {
    recent_.push_back(judged(rule_, metrics));
    if (static_cast<double>(recent_.size()) > option(rule_, "checks")) {
      before_ = std::min(before_, recent_.front());
      recent_.erase(recent_.begin());
    } else {
      return false;
    }
    const double best = *std::ranges::min_element(recent_);
    if (std::isinf(before_)) return std::isinf(best);
    return !(best < before_ - option(rule_, "by") * std::abs(before_));
  }
  json memory() const override {
    json recent = json::array();
    for (const double value : recent_) recent.push_back(number_json(value));
    return {{"before", number_json(before_)}, {"recent", recent}};
  }
  void restore(const json& memory) override {
    before_ = number_of(memory.at("before"));
    recent_.clear();
    for (const json& value : memory.at("recent")) recent_.push_back(number_of(value));
  }

 private:
  StopRule rule_;
  double before_ = kInfinity;   // the best of the checks before the recent ones
  std::vector<double> recent_;  // the last `checks`
};

class Countdown : public StopCheck {
 public:
  explicit Countdown(const StopRule& rule) : rule_(rule), left_(option(rule, "checks")) {}

  bool check(const Metrics& metrics) override {
    const double value = judged(rule_, metrics), share = option(rule_, "decrease");
    // Of a negated number that rises, (1 + share) times the best is the larger one.
    const bool better = value < (rule_.higher ? 1 + share : 1 - share) * best_;
    left_ = better ? option(rule_, "checks") : left_ - 1;
    best_ = std::min(best_, value);
    return left_ <= 0;
  }
  json memory() const override { return {{"left", left_}, {"best", number_json(best_)}}; }
  void restore(const json& memory) override {
    left_ = memory.at("left").get<double>();
    best_ = number_of(memory.at("best"));
  }

 private:
  StopRule rule_;
  double left_;
  double best_ = kInfinity;
};

class Target : public StopCheck {
 public:
  explicit Target(const StopRule& rule) : rule_(rule) {}
  bool check(const Metrics& metrics) override {
    const double target = option(rule_, "value");
    return judged(rule_, metrics) <= (rule_.higher ? -target : target);
  }
  json memory() const override { return json::object(); }
  void restore(const json&) override {}

 private:
  StopRule rule_;
};

class Several : public StopCheck {
 public:
  explicit Several(const StopRule& rule) : all_(rule.rule.kind == "all") {
    for (const StopRule& each : rule.rules) checks_.push_back(make_stop_check(each));
  }
  // Every rule sees every check.
  bool check(const Metrics& metrics) override {
    std::size_t held = 0;
    for (const auto& each : checks_) held += each->check(metrics) ? 1 : 0;
    return all_ ? held == checks_.size() : held > 0;
  }
  json memory() const override {
    json memory = json::array();
    for (const auto& each : checks_) memory.push_back(each->memory());
    return memory;
  }
  void restore(const json& memory) override {
    for (std::size_t i = 0; i < checks_.size(); ++i) checks_[i]->restore(memory.at(i));
  }

 private:
  bool all_;
  std::vector<std::unique_ptr<StopCheck>> checks_;
};

}  // namespace

std::span<const nn::Kind> stop_rule_kinds() {
  static const std::vector<nn::Kind> kinds = {
      {"no_improvement",
       "the best of the last checks is not better than the best before them",
       {{"checks", 10.0, 1, 1e6, "how many checks", false, true},
        {"by", 0.0, 0, 1, "the share by which it has to be better"}}},
      {"countdown",
       "Pylearn2's rule: every check that is not better than the best of all by a share of it "
       "counts down",
       {{"checks", 5.0, 1, 1e6, "where the count begins", false, true},
        {"decrease", 0.01, 0, 1, "the share by which a check has to be better"}}},
      {"target", "the number has reached a value", {{"value", {}, -1e300, 1e300, "the target"}}},
  };
  return kinds;
}

std::string stop_text(const StopRule& rule) {
  const std::string& kind = rule.rule.kind;
  if (kind == "any" || kind == "all") {
    std::string text;
    for (const StopRule& each : rule.rules)
      text += cat(text.empty() ? "" : kind == "any" ? ", or " : ", and ", stop_text(each));
    return text;
  }
  if (kind == "target") return cat(rule.of, " reached ", number_text(option(rule, "value")));
  return cat(rule.of, " did not improve for ", number_text(option(rule, "checks")), " checks");
}

std::unique_ptr<StopCheck> make_stop_check(const StopRule& rule) {
  const std::string& kind = rule.rule.kind;
  if (kind == "any" || kind == "all") return std::make_unique<Several>(rule);
  if (kind == "no_improvement") return std::make_unique<NoImprovement>(rule);
  if (kind == "countdown") return std::make_unique<Countdown>(rule);
  if (kind == "target") return std::make_unique<Target>(rule);
  throw InternalError(cat("stop rule: no kind '", kind, "'"));
}

}  // namespace jacquard::experiments
