#include "experiments/spec.hpp"

#include <nlohmann/json.hpp>

#include "autodiff/attribute.hpp"
#include "experiments/data_spec.hpp"
#include "experiments/fields.hpp"
#include "experiments/model_spec.hpp"
#include "models/language/tokens.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

bool is_name_text(const std::string& name) { return models::is_name(name); }

std::vector<TermSpec> read_cost(Fields fields, Spec& spec) {
  std::vector<TermSpec> terms;
  if (!fields.present()) return terms;
  for (const Item& item : fields.entries()) {
    TermSpec term{item.name(), {}, 1};
    if (!is_name_text(term.name) && term.name.find('/') != std::string::npos)
      item.problem("the name of a term must not contain '/'", "");
    if (item.is_object()) {
      Fields inner = item.as_object();
      term.weight = inner.get("weight", term.weight);
      term.value = inner.require<std::string>("value");
      inner.done();
      spec.pointers["cost/" + term.name] = item.pointer() + "/value";
    } else if (item.is_text()) {
      term.value = item.as<std::string>();
      spec.pointers["cost/" + term.name] = item.pointer();
    } else {
      item.problem(
          "a term of the cost is an expression, or an object",
          "write \"name\": \"expression\" or {\"weight\": 0.1, \"value\": \"expression\"}");
    }
    terms.push_back(std::move(term));
  }
  if (terms.empty())
    fields.problem("there is no term", "name at least one, such as \"reconstruction\"");
  return terms;
}

void read_monitors(Fields fields, Spec& spec) {
  if (!fields.present()) return;
  for (const Item& item : fields.entries()) {
    spec.monitors.emplace_back(item.name(), item.as<std::string>());
    spec.pointers["monitor/" + item.name()] = item.pointer();
  }
}

// The rate is a number or an expression of epoch and step.
std::string read_rate(Fields& optimizer, Spec& spec, const std::string& fallback) {
  const Item item = optimizer.item("rate");
  if (!item.present()) return fallback;
  spec.pointers["train/optimizer/rate"] = item.pointer();
  if (item.is_text()) return item.as<std::string>();
  return number_text(item.as<double>(0.1, above(0)));
}

nn::Optimizer read_optimizer(Fields fields, Spec& spec, std::string& rate) {
  nn::Optimizer optimizer{"sgd", {}};
  if (!fields.present()) return optimizer;
  std::vector<std::string> kinds;
  for (const nn::Kind& kind : nn::optimizer_kinds()) kinds.emplace_back(kind.name);
  optimizer.kind = fields.require_choice("kind", kinds);
  rate = read_rate(fields, spec, rate);
  read_options(fields, nn::optimizer_kinds(), optimizer);
  fields.done();
  return optimizer;
}

std::optional<TrainSpec> read_train(Fields fields, Spec& spec) {
  if (!fields.present()) return std::nullopt;
  TrainSpec train;
  train.optimizer = read_optimizer(fields.object("optimizer"), spec, train.rate);
  train.batch = fields.get<std::int64_t>("batch", train.batch, between(1, 1e6));
  train.epochs = fields.get<std::int64_t>("epochs", train.epochs, at_least(0));
  train.monitor_examples =
      fields.get<std::int64_t>("monitor_examples", train.monitor_examples, at_least(0));
  fields.done();
  return train;
}

PictureSpec read_pictures(Fields fields, Spec& spec) {
  PictureSpec pictures;
  if (!fields.present()) return pictures;
  pictures.reconstruction = fields.optional<std::string>("reconstruction");
  pictures.corrupted = fields.optional<std::string>("corrupted");
  pictures.filters = fields.list<std::string>("filters");
  for (const char* name : {"reconstruction", "corrupted"})
    spec.pointers[std::string("pictures/") + name] = fields.pointer() + "/" + name;
  fields.done();
  return pictures;
}

std::string read_name(Fields& fields) {
  const Item item = fields.require_item("name", "text");
  const std::string name = item.as<std::string>();
  const bool allowed =
      !name.empty() && name.size() <= 100 && name[0] != '.' && name[0] != '-' &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
          std::string::npos;
  if (item.present() && item.is_text() && !allowed)
    item.problem(
        "the name is the name of a folder",
        "use letters, digits, '-', '_' and '.', at most 100, not beginning with '.' or '-'");
  return name;
}

Json choice_json(const nn::Choice& choice) {
  Json json{{"kind", choice.kind}};
  for (const auto& [name, value] : choice.options) json[name] = value;
  return json;
}

Json train_json(const TrainSpec& train) {
  Json optimizer = choice_json(train.optimizer);
  optimizer["rate"] = train.rate;
  return {{"optimizer", std::move(optimizer)},
          {"batch", train.batch},
          {"epochs", train.epochs},
          {"monitor_examples", train.monitor_examples}};
}

Json pictures_json(const PictureSpec& pictures) {
  Json json = Json::object();
  if (pictures.reconstruction) json["reconstruction"] = *pictures.reconstruction;
  if (pictures.corrupted) json["corrupted"] = *pictures.corrupted;
  if (!pictures.filters.empty()) json["filters"] = pictures.filters;
  return json;
}

}  // namespace

void read_options(Fields& fields, std::span<const nn::Kind> kinds, nn::Choice& choice) {
  for (const nn::Kind& kind : kinds) {
    if (kind.name != choice.kind) continue;
    for (const nn::Option& option : kind.options) {
      const std::string name(option.name);
      const Range range = between(option.low, option.high);
      if (option.flag) {
        if (fields.has(name)) choice.options[name] = fields.get(name, false) ? 1 : 0;
      } else if (option.whole) {
        const Item item =
            option.fallback ? fields.item(name) : fields.require_item(name, "a whole number");
        if (item.present())
          choice.options[name] = static_cast<double>(item.as<std::int64_t>(0, range));
      } else if (!option.fallback) {
        choice.options[name] = fields.require<double>(name, range);
      } else if (const auto value = fields.optional<double>(name, range)) {
        choice.options[name] = *value;
      }
    }
  }
}

Spec read_spec(const std::filesystem::path& folder, Problems& problems) {
  Spec spec;
  Fields fields(problems);
  fields.item("$schema");
  spec.name = read_name(fields);
  spec.seed = fields.get<std::uint64_t>("seed", spec.seed);
  spec.memory_limit = static_cast<std::int64_t>(
      fields.get("memory_limit_gb", static_cast<double>(spec.memory_limit) / (1 << 30),
                 above(0).and_at_most(4096)) *
      (1 << 30));
  spec.data = read_data(fields.object("data"), folder);
  read_model(fields.require_object("model"), spec);
  read_functions(fields.object("functions"), spec);
  spec.cost = read_cost(fields.require_object("cost"), spec);
  read_monitors(fields.object("monitor"), spec);
  spec.train = read_train(fields.object("train"), spec);
  spec.pictures = read_pictures(fields.object("pictures"), spec);
  fields.done();
  return spec;
}

nlohmann::ordered_json spec_json(const Spec& spec) {
  Json json{{"name", spec.name},
            {"seed", spec.seed},
            {"memory_limit_gb", static_cast<double>(spec.memory_limit) / (1 << 30)}};
  if (spec.data) json["data"] = data_json(*spec.data);
  json["model"] = model_json(spec);
  if (!spec.model.functions.empty()) {
    Json functions = Json::object();
    for (const auto& [signature, text] : spec.model.functions) functions[signature] = text;
    json["functions"] = std::move(functions);
  }
  Json cost = Json::object();
  for (const TermSpec& t : spec.cost) cost[t.name] = {{"weight", t.weight}, {"value", t.value}};
  json["cost"] = std::move(cost);
  if (!spec.monitors.empty()) {
    Json monitor = Json::object();
    for (const auto& [name, text] : spec.monitors) monitor[name] = text;
    json["monitor"] = std::move(monitor);
  }
  if (spec.train) json["train"] = train_json(*spec.train);
  if (Json pictures = pictures_json(spec.pictures); !pictures.empty())
    json["pictures"] = std::move(pictures);
  return json;
}

}  // namespace jacquard::experiments
