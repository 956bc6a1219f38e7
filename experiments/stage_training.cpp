#include "experiments/stage_training.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autodiff/closest.hpp"
#include "autodiff/error.hpp"
#include "experiments/encoding.hpp"
#include "experiments/minimizers.hpp"
#include "experiments/step_program.hpp"

namespace jacquard::experiments {
namespace {

const DataSet& part(const Splits& data, const std::string& name) {
  return name == "train" ? data.train : name == "valid" ? data.valid : data.test;
}

// The names that a look at these sets gives.
std::vector<std::string> metric_names(const Spec& stage) {
  std::vector<std::string> names;
  for (const std::string& set : stage.train->monitor_sets) {
    names.push_back(set + "/cost");
    for (const TermSpec& t : stage.cost) {
      names.push_back(set + "/" + t.name);
      names.push_back(set + "/" + t.name + "/weighted");
    }
    for (const auto& m : stage.monitors) names.push_back(set + "/" + m.first);
  }
  return names;
}

// Notes every name that is none of what is monitored.
class MetricNames {
 public:
  MetricNames(const Spec& stage, Problems& problems)
      : problems_(problems), names_(metric_names(stage)) {}

  void check(const std::string& pointer, const std::string& of) {
    if (of.empty() || std::ranges::find(names_, of) != names_.end()) return;
    const std::string near = closest(of, names_);
    problems_.add(
        pointer, cat("nothing that is monitored is named '", of, "'"),
        near.empty() ? "name a metric, such as valid/cost" : cat("did you mean '", near, "'?"));
  }
  void check(const std::string& pointer, const StopRule& rule) {
    check(pointer + "/of", rule.of);
    for (std::size_t i = 0; i < rule.rules.size(); ++i)
      check(cat(pointer, '/', rule.rule.kind, '/', i), rule.rules[i]);
  }

 private:
  Problems& problems_;
  std::vector<std::string> names_;
};

void check_metric_names(const Spec& stage, Problems& problems) {
  const TrainSpec& train = *stage.train;
  const std::string& section = stage.pointers.at("train");
  MetricNames names(stage, problems);
  names.check(section + "/best/of", train.best.of);
  if (train.adjuster) names.check(section + "/optimizer/rate/of", train.adjuster->of);
  for (std::size_t i = 0; i < train.stop.size(); ++i)
    names.check(cat(section, "/stop/", i), train.stop[i]);
}

// Rules that name no metric look at this one.
StopRule with_metric(StopRule rule, const std::string& fallback) {
  if (rule.of.empty()) rule.of = fallback;
  for (StopRule& each : rule.rules) each = with_metric(each, fallback);
  return rule;
}

}  // namespace

void check_stages(const std::vector<Spec>& stages, Problems& problems) {
  std::map<std::string, bool> trained;  // by parameter
  for (const Spec& stage : stages) {
    const Recording recording = record(stage, example_shapes(stage), stage.train->batch, problems);
    if (!problems.empty()) return;
    check_metric_names(stage, problems);
    check_parameter_names(stage, recording, problems);
    for (const Expr& p : recording.parameters()) trained.emplace(parameter_name(p), false);
    for (const Expr& p : trained_parameters(stage, recording)) trained[parameter_name(p)] = true;
    for (const std::string& name : stage.train->frozen) trained[name] = true;
  }
  for (const auto& [name, is_trained] : trained)
    if (!is_trained)
      problems.add_at_name(stages[0].pointers.at("parameters/" + name),
                           cat("no term of the cost depends on parameter '", name, "'"),
                           "drop it or use it");
}

void check_stage_data(const Spec& stage, const Splits& data, Problems& problems) {
  const TrainSpec& train = *stage.train;
  if (!is_minimizer(train.optimizer) && data.train.count() < train.batch)
    problems.add(stage.pointers.at("train") + "/batch",
                 cat("the batch of ", train.batch, " is larger than the ", data.train.count(),
                     " training examples"));
  else if (data.train.count() == 0)
    problems.add(stage.pointers.at("train"), "there are no training examples");
}

StageTraining::StageTraining(const StageContext& context)
    : c_(context), inputs_(example_shapes(c_.stage)) {
  compute_cached();
  step_ = make_training_step({c_.stage, inputs_, data().train, c_.values, c_.pool, c_.problems});
  make_monitors();
}

void StageTraining::compute_cached() {
  if (c_.whole.stages.empty() || c_.whole.stages[c_.index].cached.empty()) return;
  std::vector<std::pair<std::string, std::string>> texts;
  for (const std::string& name : c_.whole.stages[c_.index].cached) texts.emplace_back(name, name);
  Spec before = c_.whole;  // where what is cached is a definition yet
  before.data = c_.stage.data;
  const auto inputs = example_shapes(before);
  cached_ = c_.data;
  for (DataSet* set : {&cached_->train, &cached_->valid, &cached_->test}) {
    if (set->count() == 0) continue;
    for (auto& [name, array] : computed_for_each(before, inputs, *set, texts, "cached", 0,
                                                 c_.values, c_.pool, c_.problems))
      set->arrays.insert_or_assign(name, std::move(array));
  }
}

void StageTraining::make_monitors() {
  for (const std::string& set : train().monitor_sets) {
    const DataSet& data_set = part(data(), set);
    if (data_set.count() == 0) continue;
    monitors_.emplace_back(
        set, std::make_unique<Monitor>(c_.stage, inputs_, data_set, train().batch,
                                       train().monitor_batches * train().batch, c_.values, c_.pool,
                                       c_.problems));
  }
  if (!monitors_.empty()) usual_metric_ = monitors_.back().first + "/cost";
  for (const StopRule& rule : train().stop) {
    rules_.push_back(with_metric(rule, usual_metric_));
    stop_.push_back(make_stop_check(rules_.back()));
  }
}

void StageTraining::set_first_state(TrainingState& state) const {
  if (train().adjuster)
    state.rate = nn::option({&adjuster_kind(), 1}, train().adjuster->options, "from");
  state.stop = nlohmann::json::array();
  for (const auto& rule : stop_) state.stop.push_back(rule->memory());
}

void StageTraining::restore(const TrainingState& state, const SafeTensors* checkpoint) {
  for (std::size_t i = 0; i < stop_.size(); ++i) stop_[i]->restore(state.stop.at(i));
  if (checkpoint != nullptr) step_->restore(*checkpoint);
}

Metrics StageTraining::measure(const TrainingState& state, std::string& shown) {
  Metrics metrics;
  for (const auto& entry : monitors_) {
    const std::string& set = entry.first;
    const Measured measured = entry.second->measure(state.epoch, state.stage_step);
    const auto put = [&](const std::string& name, double value) {
      metrics.emplace_back(cat(set, '/', name), value);
    };
    put("cost", measured.cost);
    for (std::size_t i = 0; i < c_.stage.cost.size(); ++i) {
      put(c_.stage.cost[i].name, measured.terms[i]);
      put(c_.stage.cost[i].name + "/weighted", c_.stage.cost[i].weight * measured.terms[i]);
    }
    for (std::size_t i = 0; i < c_.stage.monitors.size(); ++i)
      put(c_.stage.monitors[i].first, measured.monitors[i]);
    shown += cat(shown.empty() ? "" : ", ", set, " cost ", measured.cost);
  }
  return metrics;
}

double StageTraining::watched(const Metrics& metrics, const std::string& of) const {
  return metric(metrics, of.empty() ? usual_metric_ : of);
}

StageLook StageTraining::look(TrainingState& state) {
  StageLook result;
  result.metrics = measure(state, result.shown);
  if (train().adjuster) {
    const double value = watched(result.metrics, train().adjuster->of);
    // The first look has nothing before it.
    if (state.epoch > 0)
      state.rate = adjusted_rate(*train().adjuster, state.rate, value, state.watched);
    state.watched = value;
  }
  const BestSpec& best = train().best;
  const double value = watched(result.metrics, best.of);
  const bool better =
      std::isnan(state.best) || (best.higher ? value > state.best : value < state.best);
  if (std::isfinite(value) && better) {
    state.best = value;
    state.best_epoch = state.epoch;
    result.is_best = true;
  }
  for (std::size_t i = 0; i < stop_.size(); ++i) {
    const bool holds = stop_[i]->check(result.metrics);
    state.stop[i] = stop_[i]->memory();
    if (holds && result.why_ended.empty())
      result.why_ended = stop_text(
          with_metric(train().stop[i], monitors_.empty() ? "" : monitors_.back().first + "/cost"));
  }
  if (result.why_ended.empty() && step_->converged())
    result.why_ended = "the minimizer finds no lower cost";
  if (state.epoch >= train().epochs) result.why_ended.clear();
  state.ended = !result.why_ended.empty() || state.epoch >= train().epochs;
  return result;
}

std::optional<double> StageTraining::rate(const TrainingState& state) const {
  const Recording& r = step_->recording();
  if (is_minimizer(train().optimizer) || state.stage_step == 0) return std::nullopt;
  if (train().adjuster) return static_cast<double>(static_cast<float>(state.rate));
  Feed<double> feed;
  feed.emplace("epoch", Tensor<double>(Shape{}, static_cast<double>(state.epoch)));
  feed.emplace("step", Tensor<double>(Shape{}, static_cast<double>(state.stage_step - 1)));
  return evaluate<double>(r.rate, feed)[0];
}

}  // namespace jacquard::experiments
