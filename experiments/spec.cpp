#include "experiments/spec.hpp"

#include <algorithm>
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

using Pointers = std::map<std::string, std::string>;

std::vector<TermSpec> read_cost(Fields fields, Pointers& pointers) {
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
      pointers["cost/" + term.name] = item.pointer() + "/value";
    } else if (item.is_text()) {
      term.value = item.as<std::string>();
      pointers["cost/" + term.name] = item.pointer();
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

std::vector<std::pair<std::string, std::string>> read_monitors(Fields fields, Pointers& pointers) {
  std::vector<std::pair<std::string, std::string>> monitors;
  if (!fields.present()) return monitors;
  for (const Item& item : fields.entries()) {
    monitors.emplace_back(item.name(), item.as<std::string>());
    pointers["monitor/" + item.name()] = item.pointer();
  }
  return monitors;
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

StageSpec read_stage(Fields fields, const std::filesystem::path& folder) {
  StageSpec stage;
  stage.name = read_name(fields);
  stage.data = read_data(fields.object("data"), folder);
  stage.cached = fields.list<std::string>("cached");
  stage.cost = read_cost(fields.require_object("cost"), stage.pointers);
  stage.monitors = read_monitors(fields.object("monitor"), stage.pointers);
  stage.train = read_train(fields.require_object("train"), stage.pointers);
  fields.done();
  return stage;
}

// A spec has stages, or one cost and one training.
void read_stages(Fields& fields, const std::filesystem::path& folder, Spec& spec) {
  for (const Item& item : fields.array("stages")) {
    Fields stage = item.as_object();
    if (!stage.present()) continue;
    StageSpec read = read_stage(std::move(stage), folder);
    for (const StageSpec& other : spec.stages)
      if (other.name == read.name)
        item.problem(cat("two stages are named '", read.name, "'"), "give each its own name");
    spec.stages.push_back(std::move(read));
  }
  for (const char* name : {"cost", "train"})
    if (const Item item = fields.item(name); item.present())
      item.problem(cat("a spec with stages has no \"", name, "\" of its own"),
                   "move it into a stage");
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

Json cost_json(const std::vector<TermSpec>& terms) {
  Json cost = Json::object();
  for (const TermSpec& t : terms) cost[t.name] = {{"weight", t.weight}, {"value", t.value}};
  return cost;
}

Json monitors_json(const std::vector<std::pair<std::string, std::string>>& monitors) {
  Json json = Json::object();
  for (const auto& [name, text] : monitors) json[name] = text;
  return json;
}

Json stage_json(const StageSpec& stage) {
  Json json{{"name", stage.name}};
  if (stage.data) json["data"] = data_json(*stage.data);
  if (!stage.cached.empty()) json["cached"] = stage.cached;
  json["cost"] = cost_json(stage.cost);
  if (!stage.monitors.empty()) json["monitor"] = monitors_json(stage.monitors);
  json["train"] = train_json(stage.train);
  return json;
}

Json pictures_json(const PictureSpec& pictures) {
  Json json = Json::object();
  if (pictures.reconstruction) json["reconstruction"] = *pictures.reconstruction;
  if (pictures.corrupted) json["corrupted"] = *pictures.corrupted;
  if (!pictures.filters.empty()) json["filters"] = pictures.filters;
  return json;
}

}  // namespace

Spec model_alone(Spec spec) {
  spec.cost.clear();
  spec.monitors.clear();
  spec.train.reset();
  spec.evaluations.clear();
  for (models::State& state : spec.model.state) state.next = state.name;
  spec.pictures = {"", "", {}};
  return spec;
}

Spec read_spec(const std::filesystem::path& folder, Problems& problems) {
  Spec spec;
  Fields fields(problems);
  fields.item("$schema");
  spec.name = read_name(fields);
  spec.seed = fields.get<std::uint64_t>("seed", spec.seed);
  spec.seeds = fields.list<std::uint64_t>("seeds");
  spec.papers = fields.get("papers", spec.papers);
  for (std::size_t i = 0; i < spec.seeds.size(); ++i)
    if (std::find(spec.seeds.begin(), spec.seeds.begin() + static_cast<std::ptrdiff_t>(i),
                  spec.seeds[i]) != spec.seeds.begin() + static_cast<std::ptrdiff_t>(i))
      problems.add(cat("/seeds/", i), cat("seed ", spec.seeds[i], " is there twice"));
  spec.memory_limit = static_cast<std::int64_t>(
      fields.get("memory_limit_gb", static_cast<double>(spec.memory_limit) / (1 << 30),
                 above(0).and_at_most(4096)) *
      (1 << 30));
  spec.data = read_data(fields.object("data"), folder);
  read_model(fields.require_object("model"), spec);
  read_functions(fields.object("functions"), spec);
  spec.monitors = read_monitors(fields.object("monitor"), spec.pointers);
  spec.evaluations = read_evaluations(fields.object("evaluate"), spec.pointers);
  if (fields.has("stages")) {
    read_stages(fields, folder, spec);
  } else {
    spec.cost = read_cost(fields.require_object("cost"), spec.pointers);
    if (Fields train = fields.object("train"); train.present())
      spec.train = read_train(std::move(train), spec.pointers);
  }
  if (const auto initial = fields.optional<std::string>("initial"))
    spec.initial = folder / *initial;
  spec.pictures = read_pictures(fields.object("pictures"), spec);
  fields.done();
  return spec;
}

nlohmann::ordered_json spec_json(const Spec& spec) {
  Json json{{"name", spec.name},
            {"seed", spec.seed},
            {"memory_limit_gb", static_cast<double>(spec.memory_limit) / (1 << 30)}};
  if (spec.papers) json["papers"] = true;
  if (spec.data) json["data"] = data_json(*spec.data);
  json["model"] = model_json(spec);
  if (!spec.model.functions.empty()) {
    Json functions = Json::object();
    for (const auto& [signature, text] : spec.model.functions) functions[signature] = text;
    json["functions"] = std::move(functions);
  }
  if (!spec.initial.empty()) json["initial"] = std::filesystem::absolute(spec.initial).string();
  if (spec.stages.empty()) json["cost"] = cost_json(spec.cost);
  if (!spec.monitors.empty()) json["monitor"] = monitors_json(spec.monitors);
  if (spec.train) json["train"] = train_json(*spec.train);
  for (const StageSpec& stage : spec.stages) json["stages"].push_back(stage_json(stage));
  if (!spec.evaluations.empty()) json["evaluate"] = evaluations_json(spec.evaluations);
  if (Json pictures = pictures_json(spec.pictures); !pictures.empty())
    json["pictures"] = std::move(pictures);
  return json;
}

}  // namespace jacquard::experiments
