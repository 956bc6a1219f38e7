#include "experiments/train_spec.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "autodiff/attribute.hpp"
#include "experiments/choice_fields.hpp"
#include "experiments/minimizers.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

// ---------------------------------------------------------------- reading
// {"kind": "linear", "from": 0.5, ...}
models::Schedule read_schedule(Fields fields, bool is_rate) {
  models::Schedule schedule;
  std::vector<std::string> known = names_of(models::schedule_kinds());
  if (is_rate) known.emplace_back(adjuster_kind().name);  // read elsewhere, but to be told of
  schedule.kind = fields.require_choice("kind", known);
  read_options(fields, models::schedule_kinds(), schedule);
  fields.done();
  return schedule;
}

// A number, an expression of epoch and step, or a schedule by name.
ScheduledNumber read_scheduled(const Item& item, const Range& range, double fallback,
                               bool is_rate) {
  if (item.is_text()) return {item.as<std::string>()};
  if (!item.is_object()) return {number_text(item.as<double>(fallback, range))};
  ScheduledNumber number{number_text(fallback), read_schedule(item.as_object(), is_rate)};
  try {
    number.text = models::schedule_text(*number.schedule);
  } catch (const SpecError&) {
    // What it lacks was reported where it was read.
  }
  return number;
}

RateAdjuster read_adjuster(Fields fields) {
  RateAdjuster adjuster;
  adjuster.options.kind = fields.choice("kind", {std::string(adjuster_kind().name)}, "adjusted");
  adjuster.of = fields.get("of", "");
  read_options(fields, {&adjuster_kind(), 1}, adjuster.options);
  fields.done();
  return adjuster;
}

void read_rate(const Item& item, TrainSpec& train) {
  const auto* json = item.json();
  const bool adjusted =
      item.is_object() && json->contains("kind") && (*json)["kind"] == adjuster_kind().name;
  if (adjusted)
    train.adjuster = read_adjuster(item.as_object());
  else
    train.rate = read_scheduled(item, above(0), 0.1, true);
}

std::map<std::string, double> read_numbers(Fields fields, const Range& range) {
  std::map<std::string, double> numbers;
  if (!fields.present()) return numbers;
  for (const Item& item : fields.entries()) numbers[item.name()] = item.as<double>(1, range);
  return numbers;
}

// What only optimizers have, for a minimizer looks for its own step.
void read_step_size(Fields& fields, TrainSpec& train,
                    std::map<std::string, std::string>& pointers) {
  if (const Item rate = fields.item("rate"); rate.present()) {
    pointers["train/optimizer/rate"] = rate.pointer();
    read_rate(rate, train);
  }
  train.rates = read_numbers(fields.object("rates"), at_least(0));
  for (const std::string_view name : nn::schedulable_options()) {
    if (!std::ranges::any_of(nn::optimizer_kinds(), [&](const nn::Kind& kind) {
          return kind.name == train.optimizer.kind &&
                 std::ranges::any_of(kind.options,
                                     [&](const nn::Option& o) { return o.name == name; });
        }))
      continue;
    const Item item = fields.item(std::string(name));
    if (!item.is_text() && !item.is_object()) continue;
    pointers["train/optimizer/" + std::string(name)] = item.pointer();
    train.scheduled[std::string(name)] = read_scheduled(item, {}, 0, false);
  }
}

void read_optimizer(Fields fields, TrainSpec& train, std::map<std::string, std::string>& pointers) {
  if (!fields.present()) return;
  std::vector<std::string> kinds = names_of(nn::optimizer_kinds());
  for (const std::string& kind : names_of(minimizer_kinds())) kinds.push_back(kind);
  train.optimizer.kind = fields.require_choice("kind", kinds);
  if (is_minimizer(train.optimizer)) {
    train.precision =
        precision_of(fields.choice("precision", precision_names(), name_of(train.precision)));
    read_options(fields, minimizer_kinds(), train.optimizer);
  } else {
    read_step_size(fields, train, pointers);
    std::vector<nn::Kind> rest(nn::optimizer_kinds().begin(), nn::optimizer_kinds().end());
    for (nn::Kind& kind : rest)  // without the scheduled options, which have been read
      std::erase_if(kind.options, [&](const nn::Option& o) {
        return train.scheduled.contains(std::string(o.name));
      });
    read_options(fields, rest, train.optimizer);
  }
  fields.done();
}

std::map<std::string, nn::NormBounds> read_norms(Fields fields) {
  std::map<std::string, nn::NormBounds> norms;
  if (!fields.present()) return norms;
  for (const Item& item : fields.entries()) {
    Fields inner = item.as_object();
    if (!inner.present()) continue;
    nn::NormBounds bounds;
    bounds.axis = inner.get<std::int64_t>("axis", bounds.axis, at_least(0));
    bounds.low = inner.get("low", bounds.low, at_least(0));
    bounds.high = inner.optional<double>("high", at_least(bounds.low)).value_or(bounds.high);
    inner.done();
    norms[item.name()] = bounds;
  }
  return norms;
}

StopRule read_rule(const Item& item, int depth) {
  StopRule rule;
  Fields fields = item.as_object();
  if (!fields.present()) return rule;
  for (const char* several : {"any", "all"}) {
    if (!fields.has(several)) continue;
    rule.rule.kind = several;
    if (depth > 8) {
      item.problem("rules are nested too deep", "eight levels are allowed");
      return rule;
    }
    for (const Item& each : fields.array(several)) rule.rules.push_back(read_rule(each, depth + 1));
    if (rule.rules.empty()) item.problem("there is no rule", "name at least one");
    fields.done();
    return rule;
  }
  rule.rule.kind = fields.require_choice("kind", names_of(stop_rule_kinds()));
  rule.of = fields.get("of", "");
  rule.higher = fields.get("higher", rule.higher);
  read_options(fields, stop_rule_kinds(), rule.rule);
  fields.done();
  return rule;
}

BestSpec read_best(Fields fields) {
  BestSpec best;
  if (!fields.present()) return best;
  best.of = fields.get("of", "");
  best.higher = fields.get("higher", best.higher);
  best.restore = fields.get("restore", best.restore);
  fields.done();
  return best;
}

std::vector<std::string> read_sets(const Item& item, std::vector<std::string> fallback) {
  if (!item.present()) return fallback;
  std::vector<std::string> sets;
  for (const Item& each : item.as_array()) {
    const std::string set = each.as_choice(split_names(), "train");
    if (std::ranges::find(sets, set) != sets.end())
      each.problem(cat("'", set, "' is there twice"), "name each set once");
    sets.push_back(set);
  }
  return sets;
}

std::optional<std::int64_t> read_average(Fields fields) {
  if (!fields.present()) return std::nullopt;
  const auto from = fields.get<std::int64_t>("from_epoch", 1, at_least(1));
  fields.done();
  return from;
}

// ---------------------------------------------------------------- writing
Json scheduled_json(const ScheduledNumber& number) {
  if (number.schedule) return choice_json(*number.schedule, models::schedule_kinds());
  return number.text;
}

Json optimizer_json(const TrainSpec& train) {
  if (is_minimizer(train.optimizer)) {
    Json json = choice_json(train.optimizer, minimizer_kinds());
    json["precision"] = name_of(train.precision);
    return json;
  }
  Json json = choice_json(train.optimizer, nn::optimizer_kinds());
  for (const auto& [name, number] : train.scheduled) json[name] = scheduled_json(number);
  json["rate"] = scheduled_json(train.rate);
  if (train.adjuster) {
    json["rate"] = choice_json(train.adjuster->options, {&adjuster_kind(), 1});
    if (!train.adjuster->of.empty()) json["rate"]["of"] = train.adjuster->of;
  }
  if (!train.rates.empty()) json["rates"] = train.rates;
  return json;
}

Json rule_json(const StopRule& rule) {
  if (rule.rule.kind == "any" || rule.rule.kind == "all") {
    Json rules = Json::array();
    for (const StopRule& each : rule.rules) rules.push_back(rule_json(each));
    return {{rule.rule.kind, std::move(rules)}};
  }
  Json json = choice_json(rule.rule, stop_rule_kinds());
  if (!rule.of.empty()) json["of"] = rule.of;
  if (rule.higher) json["higher"] = true;
  return json;
}

}  // namespace

const std::vector<std::string>& split_names() {
  static const std::vector<std::string> names = {"train", "valid", "test"};
  return names;
}

TrainSpec read_train(Fields fields, std::map<std::string, std::string>& pointers) {
  TrainSpec train;
  if (!fields.present()) return train;
  pointers["train"] = fields.pointer();
  read_optimizer(fields.object("optimizer"), train, pointers);
  train.decay = read_numbers(fields.object("decay"), at_least(0));
  train.norms = read_norms(fields.object("norms"));
  train.frozen = fields.list<std::string>("frozen");
  train.average_from = read_average(fields.object("average"));
  train.batch = fields.get<std::int64_t>("batch", train.batch, between(1, 1e6));
  train.epochs = fields.get<std::int64_t>("epochs", train.epochs, at_least(0));
  train.seconds = fields.optional<double>("seconds", above(0));
  for (const Item& item : fields.array("stop")) train.stop.push_back(read_rule(item, 1));
  train.best = read_best(fields.object("best"));
  train.monitor_sets = read_sets(fields.item("monitor_sets"), train.monitor_sets);
  train.monitor_batches =
      fields.get<std::int64_t>("monitor_batches", train.monitor_batches, at_least(0));
  train.save_freq = fields.get<std::int64_t>("save_freq", train.save_freq, at_least(1));
  if (is_minimizer(train.optimizer))
    for (const auto& [name, given] :
         {std::pair("decay", !train.decay.empty()), std::pair("norms", !train.norms.empty()),
          std::pair("average", train.average_from.has_value())})
      if (given)
        fields.item(name).problem(
            cat("'", name, "' changes parameters between the steps of ", train.optimizer.kind,
                ", which needs them where its line search ended"),
            "drop it, or take an optimizer such as adam");
  fields.done();
  return train;
}

nlohmann::ordered_json train_json(const TrainSpec& train) {
  Json json{{"optimizer", optimizer_json(train)}};
  if (!train.decay.empty()) json["decay"] = train.decay;
  for (const auto& [name, bounds] : train.norms) {
    json["norms"][name] = {{"axis", bounds.axis}, {"low", bounds.low}};
    if (std::isfinite(bounds.high)) json["norms"][name]["high"] = bounds.high;
  }
  if (!train.frozen.empty()) json["frozen"] = train.frozen;
  if (train.average_from) json["average"] = {{"from_epoch", *train.average_from}};
  json["batch"] = train.batch;
  json["epochs"] = train.epochs;
  if (train.seconds) json["seconds"] = *train.seconds;
  for (const StopRule& rule : train.stop) json["stop"].push_back(rule_json(rule));
  Json best{{"higher", train.best.higher}, {"restore", train.best.restore}};
  if (!train.best.of.empty()) best["of"] = train.best.of;
  json["best"] = std::move(best);
  json["monitor_sets"] = train.monitor_sets;
  json["monitor_batches"] = train.monitor_batches;
  json["save_freq"] = train.save_freq;
  return json;
}

}  // namespace jacquard::experiments
