#include "experiments/schema.hpp"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "experiments/data/preparation.hpp"
#include "experiments/data_spec.hpp"
#include "experiments/evaluations/evaluation_spec.hpp"
#include "experiments/fields.hpp"
#include "experiments/minimizers.hpp"
#include "experiments/train_spec.hpp"
#include "models/autoencoder.hpp"
#include "models/short_form.hpp"
#include "nn/activations.hpp"
#include "nn/initial_values.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

// A whole number is written without a point.
Json bound(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (value == std::floor(value) && std::abs(value) < kExact)
    return static_cast<std::int64_t>(value);
  return value;
}

void add_range(Json& schema, const Range& range) {
  if (std::isfinite(range.low))
    schema[range.low_allowed ? "minimum" : "exclusiveMinimum"] = bound(range.low);
  if (std::isfinite(range.high))
    schema[range.high_allowed ? "maximum" : "exclusiveMaximum"] = bound(range.high);
}

Json number(std::string_view description, const Range& range = {}) {
  Json schema{{"type", "number"}, {"description", description}};
  add_range(schema, range);
  return schema;
}

Json integer(std::string_view description, const Range& range = {}) {
  Json schema{{"type", "integer"}, {"description", description}};
  add_range(schema, range);
  if (!schema.contains("maximum")) schema["maximum"] = std::numeric_limits<std::int64_t>::max();
  return schema;
}

Json boolean(std::string_view description) {
  return {{"type", "boolean"}, {"description", description}};
}

Json text(std::string_view description) {
  return {{"type", "string"}, {"description", description}};
}

Json one_of_words(const std::vector<std::string>& words, std::string_view description) {
  return {{"enum", words}, {"description", description}};
}

Json exactly(std::string_view word, std::string_view description) {
  return {{"const", word}, {"description", description}};
}

// An object with these fields and no others.
Json object(std::string_view description, Json properties,
            const std::vector<std::string>& required = {}) {
  Json schema{{"type", "object"}, {"description", description}};
  schema["properties"] = std::move(properties);
  if (!required.empty()) schema["required"] = required;
  schema["additionalProperties"] = false;
  return schema;
}

// An object whose fields the user names.
Json by_name(std::string_view description, Json value, const char* pattern = nullptr) {
  Json schema{{"type", "object"}, {"description", description}};
  if (pattern) schema["propertyNames"] = {{"pattern", pattern}};
  schema["additionalProperties"] = std::move(value);
  return schema;
}

Json one_of(std::string_view description, std::vector<Json> alternatives) {
  return {{"description", description}, {"oneOf", std::move(alternatives)}};
}

Json reference(const char* name) { return {{"$ref", std::string("#/definitions/") + name}}; }

// models::is_name.
constexpr const char* kNamePattern = "^(?!(and|or|not|true|false)$)[A-Za-z_][A-Za-z0-9_]*$";

constexpr double kMaxUnits = 1e8;

Json shape() {
  Json sizes = integer("size of one axis", at_least(1));
  sizes["maximum"] = Shape::kMaxElements;
  return {{"type", "array"},
          {"description", "sizes of the axes; [] is a single number"},
          {"items", std::move(sizes)},
          {"maxItems", Shape::kMaxRank}};
}

Json option_schema(const nn::Option& option) {
  std::string description(option.meaning);
  if (option.fallback && !option.flag) description += "; default " + bound(*option.fallback).dump();
  if (option.flag) return boolean(description);
  const Range range = between(option.low, option.high);
  return option.whole ? integer(description, range) : number(description, range);
}

// One alternative for each kind, {"kind": ..., options}, with `shared` fields beside them.
std::vector<Json> alternatives_of(std::span<const nn::Kind> kinds, const Json& shared) {
  std::vector<Json> alternatives;
  for (const nn::Kind& kind : kinds) {
    Json properties{{"kind", exactly(kind.name, kind.meaning)}};
    properties.update(shared);
    std::vector<std::string> required{"kind"};
    for (const nn::Option& option : kind.options) {
      const std::string name(option.name);
      properties[name] = option_schema(option);
      if (!option.fallback) required.push_back(name);
    }
    alternatives.push_back(object(kind.meaning, std::move(properties), required));
  }
  return alternatives;
}

template <class Table>
std::vector<std::string> names_of(const Table& table) {
  std::vector<std::string> names;
  for (const auto& row : table) names.emplace_back(row.name);
  return names;
}

Json initial_values() {
  std::vector<Json> alternatives = alternatives_of(nn::initializer_kinds(), Json::object());
  std::vector<std::string> bare;  // kinds that need no option
  for (const nn::Kind& kind : nn::initializer_kinds()) {
    bool needs = false;
    for (const nn::Option& option : kind.options) needs |= !option.fallback;
    if (!needs) bare.emplace_back(kind.name);
  }
  alternatives.insert(alternatives.begin(), one_of_words(bare, "the kind alone"));
  return one_of("initial values; default glorot_uniform for two and more axes, else zeros",
                std::move(alternatives));
}

Json parameters() {
  Json long_form = object("shape and initial values",
                          {{"shape", reference("shape")}, {"init", reference("init")}}, {"shape"});
  return by_name(
      "what is trained, by name",
      one_of("a shape, or shape and initial values", {reference("shape"), std::move(long_form)}),
      kNamePattern);
}

Json state() {
  return by_name("what is carried from step to step, by name",
                 object("shape, initial values, and what it becomes after each step",
                        {{"shape", reference("shape")},
                         {"init", reference("init")},
                         {"next", text("an expression of its shape")}},
                        {"shape", "next"}),
                 kNamePattern);
}

Json inputs() {
  Json long_form = object("the shape of one example, and the range of random values for a check",
                          {{"shape", reference("shape")},
                           {"low", number("the least value; default 0")},
                           {"high", number("the largest value; default 1")}},
                          {"shape"});
  return by_name("inputs that no data set gives, by name",
                 one_of("a shape, or shape and range", {reference("shape"), std::move(long_form)}),
                 kNamePattern);
}

Json corruption() {
  std::vector<Json> alternatives;
  for (const std::string& kind : models::corruption_kinds()) {
    const bool is_deviation = kind == "gaussian_noise";
    Json amount = is_deviation ? number("standard deviation", at_least(0))
                               : number("probability", between(0, 1));
    alternatives.push_back(object("noise on the inputs",
                                  {{"kind", exactly(kind, "")}, {"amount", std::move(amount)}},
                                  {"kind", "amount"}));
  }
  return one_of("noise on what the encoder sees", std::move(alternatives));
}

Json activation() {
  return one_of_words(names_of(nn::activations()), "activation of the hidden layers");
}

Json layers(int fewest) {
  Json list{{"type", "array"},
            {"items", integer("units of one layer", between(1, kMaxUnits))},
            {"minItems", fewest}};
  return one_of(
      "hidden units, or a list of them, the layer next to the inputs first",
      {integer("units of the only hidden layer", between(1, kMaxUnits)), std::move(list)});
}

// The fields of one kind of short form, beside those that every model has.
Json short_form_fields(std::string_view kind, std::vector<std::string>& required) {
  Json fields;
  if (kind == "autoencoder") {
    required = {"hidden"};
    fields = {{"hidden", layers(1)},
              {"tied", boolean("whether the decoder uses the encoder's weights; default true")},
              {"activation", activation()},
              {"output", one_of_words({"sigmoid", "linear"}, "activation of the output")},
              {"corruption", corruption()}};
  } else {
    required = {"classes"};
    fields = {{"classes", integer("number of classes", between(2, 1e6))}};
    if (kind == "mlp") {
      required.push_back("hidden");
      fields["hidden"] = layers(0);
      fields["activation"] = activation();
    }
  }
  fields["init"] = reference("init");
  return fields;
}

Json model() {
  const Json shared{{"parameters", parameters()},
                    {"define", by_name("definitions: name and expression",
                                       text("an expression of the cost language"), kNamePattern)},
                    {"state", state()}};
  Json properties = shared;
  properties["inputs"] = inputs();
  std::vector<Json> alternatives{object("parameters and definitions", std::move(properties))};
  for (const models::ModelKind& kind : models::model_kinds()) {
    Json fields{{"kind", exactly(kind.name, kind.meaning)}};
    std::vector<std::string> required;
    fields.update(short_form_fields(kind.name, required));
    fields["inputs"] = one_of("numbers per example, where x does not say it, or declared inputs",
                              {integer("numbers per example", between(1, kMaxUnits)), inputs()});
    fields.update(shared);
    required.insert(required.begin(), "kind");
    alternatives.push_back(object(kind.meaning, std::move(fields), required));
  }
  return one_of("parameters and definitions, or a short form that expands to them",
                std::move(alternatives));
}

Json data_field(const DataField& field) {
  struct Schema {
    std::string_view meaning;
    const Range& range;
    Json operator()(bool DataSpec::*) const { return boolean(meaning); }
    Json operator()(std::optional<bool> DataSpec::*) const { return boolean(meaning); }
    Json operator()(std::int64_t DataSpec::*) const { return integer(meaning, range); }
    Json operator()(std::optional<std::int64_t> DataSpec::*) const {
      return integer(meaning, range);
    }
    Json operator()(double DataSpec::*) const { return number(meaning, range); }
    Json operator()(std::string DataSpec::*) const { return text(meaning); }
    Json operator()(std::filesystem::path DataSpec::*) const { return text(meaning); }
    Json operator()(const ColumnMember&) const {
      return one_of(meaning, {text("its name"), integer("its number", range)});
    }
  };
  return std::visit(Schema{field.meaning, field.range}, field.member);
}

Json data_set(const std::string& name) {
  Json fields{{"set", exactly(name, data_set_meaning(name))}};
  std::vector<std::string> required{"set"};
  for (const DataField* field : data_fields_of(name)) {
    fields[std::string(field->name)] = data_field(*field);
    if (field->name == "file") required.emplace_back(field->name);
  }
  fields["prepare"] = reference("prepare");
  return object("the data set", std::move(fields), required);
}

Json data() {
  std::vector<Json> alternatives;
  for (const std::string& name : data_set_names()) alternatives.push_back(data_set(name));
  return one_of("what is trained on", std::move(alternatives));
}

Json preparation() {
  return {{"type", "array"},
          {"description", "what is done to x, fitted on the training part"},
          {"items", one_of("a step", alternatives_of(preparation_kinds(), Json::object()))}};
}

Json cost() {
  Json weighted = object(
      "weight and expression",
      {{"weight", number("factor of the term; default 1")}, {"value", text("a scalar expression")}},
      {"value"});
  Json schema = by_name("the terms whose weighted sum is minimised",
                        one_of("an expression, or weight and expression",
                               {text("a scalar expression"), std::move(weighted)}),
                        "^[^/]*$");
  schema["minProperties"] = 1;
  return schema;
}

// A number, an expression of epoch and step, or a schedule by name.
Json scheduled(std::string_view description, Json number_schema) {
  std::vector<Json> alternatives = alternatives_of(models::schedule_kinds(), Json::object());
  alternatives.insert(alternatives.begin(),
                      {std::move(number_schema), text("an expression of epoch and step")});
  return one_of(description, std::move(alternatives));
}

Json optimizer() {
  Json rate = scheduled("learning rate; default 0.1", number("a constant rate", above(0)));
  const Json of{
      {"of", text("name of a metric, lower is better; default: the cost of the last set")}};
  for (Json& kind : alternatives_of({&adjuster_kind(), 1}, of))
    rate["oneOf"].push_back(std::move(kind));
  const Json shared{{"rate", std::move(rate)},
                    {"rates", by_name("factors of the rate, by parameter",
                                      number("factor of the rate", at_least(0)))}};
  std::vector<Json> alternatives = alternatives_of(nn::optimizer_kinds(), shared);
  for (Json& kind : alternatives)
    for (const std::string_view name : nn::schedulable_options())
      if (Json& properties = kind["properties"]; properties.contains(name))
        properties[std::string(name)] =
            scheduled(properties[std::string(name)]["description"].get<std::string>(),
                      properties[std::string(name)]);
  const Json precision{
      {"precision", one_of_words(precision_names(),
                                 "of the cost and its gradients; f32 takes half the memory and a "
                                 "third of the time, and ends sooner; default f64")}};
  for (Json& kind : alternatives_of(minimizer_kinds(), precision))
    alternatives.push_back(std::move(kind));
  return one_of("how a step is made; default sgd", std::move(alternatives));
}

Json stop_rule() {
  const Json shared{{"of", text("name of a metric; default: the cost of the last set")},
                    {"higher", boolean("higher is better; default false")}};
  std::vector<Json> alternatives = alternatives_of(stop_rule_kinds(), shared);
  for (const char* several : {"any", "all"}) {
    Json rules{{"type", "array"}, {"items", reference("stop")}, {"minItems", 1}};
    alternatives.push_back(object(cat("holds when ", several, " of the rules hold"),
                                  {{several, std::move(rules)}}, {several}));
  }
  return one_of("a rule that ends the training", std::move(alternatives));
}

Json list_of(Json items, std::string_view description) {
  return {{"type", "array"}, {"items", std::move(items)}, {"description", description}};
}

Json train() {
  const Json norms = object(
      "norms along an axis are kept in bounds after every step",
      {{"axis",
        integer("0: norms of the columns of a matrix; 1: of its rows; default 0", at_least(0))},
       {"low", number("the least norm; default 0", at_least(0))},
       {"high", number("the largest norm", at_least(0))}});
  const Json best =
      object("which epoch is the best one",
             {{"of", text("name of a metric; default: the cost of the last set")},
              {"higher", boolean("higher is better; default false")},
              {"restore", boolean("the training ends with its parameters; default false")}});
  return object(
      "how to train",
      {{"optimizer", optimizer()},
       {"decay", by_name("by parameter: it shrinks by rate * decay * itself in every step",
                         number("decay", at_least(0)))},
       {"norms", by_name("by parameter", norms)},
       {"frozen", list_of(text("name of a parameter"), "parameters that are not trained")},
       {"average", object("the running average of all parameters, kept as state average/NAME",
                          {{"from_epoch", integer("its first epoch; default 1", at_least(1))}})},
       {"batch", integer("examples of a step; default 100", between(1, 1e6))},
       {"epochs", integer("passes over the training part; default 20", at_least(0))},
       {"seconds", number("no epoch begins after so long", above(0))},
       {"stop", list_of(reference("stop"), "any of these rules ends the training")},
       {"best", best},
       {"monitor_sets",
        list_of(one_of_words(split_names(), ""), "what monitors look at; default train and valid")},
       {"monitor_batches",
        integer("the most batches of each set that monitors look at; default 0: all", at_least(0))},
       {"save_freq", integer("epochs between checkpoints; default 1", at_least(1))}});
}

Json monitor() {
  return by_name("what else is measured after each epoch: name and expression",
                 text("a scalar expression"));
}

Json evaluate() {
  const Json shared{
      {"of", text("an expression with a value for each example")},
      {"set", one_of_words(split_names(), "default: the last of them with examples")}};
  std::vector<Json> alternatives = alternatives_of(evaluation_kinds(), shared);
  for (Json& alternative : alternatives) {
    alternative["required"].push_back("of");
    if (!has_target(alternative["properties"]["kind"]["const"].get<std::string>())) continue;
    alternative["properties"]["target"] = text("what is told, a number or a vector per example");
    alternative["required"].push_back("target");
  }
  alternatives.insert(alternatives.begin(),
                      text("an expression with a number for each example, whose mean is taken"));
  return by_name("what is computed of the model that a run ends with",
                 one_of("an expression, or a kind", std::move(alternatives)), "^[A-Za-z0-9_-]+$");
}

Json name();

Json stages() {
  const Json stage = object("one training",
                            {{"name", name()},
                             {"data", data()},
                             {"cached", list_of(text("name of a definition"),
                                                "definitions that are computed once for each "
                                                "example, when the stage begins")},
                             {"cost", cost()},
                             {"monitor", monitor()},
                             {"train", train()}},
                            {"name", "cost", "train"});
  return list_of(stage,
                 "trainings one after the other over the same parameters, instead of cost "
                 "and train");
}

Json pictures() {
  return object("what the pictures of a run show",
                {{"reconstruction", text("an expression of x's shape; default y")},
                 {"corrupted", text("an expression of x's shape; default xe")},
                 {"filters",
                  {{"type", "array"},
                   {"items", text("name of a parameter")},
                   {"description", "parameters to draw; default all that fit x"}}}});
}

Json name() {
  return {{"type", "string"},
          {"description", "name of the experiment and of the folder of its runs"},
          {"pattern", "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$"}};
}

Json seed() {
  Json schema = integer("of everything random; default 1", at_least(0));
  schema["maximum"] = std::numeric_limits<std::uint64_t>::max();
  return schema;
}

}  // namespace

nlohmann::ordered_json spec_schema() {
  Json properties;
  properties["$schema"] = {{"description", "where this schema is, for editors"}};
  properties["name"] = name();
  properties["seed"] = seed();
  properties["seeds"] = list_of(seed(), "a run with each of these seeds instead of `seed`");
  properties["seeds"]["uniqueItems"] = true;
  properties["papers"] =
      boolean("a row of the table of published numbers, and long; default false");
  properties["memory_limit_gb"] = number(
      "the most memory that intermediates of a plan take, in GiB; default 8. Large ones, such "
      "as Jacobians, are computed in parts so that they fit, or refused",
      above(0).and_at_most(4096));
  properties["data"] = data();
  properties["model"] = model();
  properties["functions"] =
      by_name("functions of your own: \"kl(p, q)\" and an expression",
              text("an expression of the arguments and of the model's names"));
  properties["cost"] = cost();
  properties["monitor"] = monitor();
  properties["evaluate"] = evaluate();
  properties["train"] = train();
  properties["stages"] = stages();
  properties["initial"] =
      text("a checkpoint whose parameters are begun with, relative to the spec");
  properties["pictures"] = pictures();
  Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"},
              {"title", "a Jacquard experiment"}};
  schema.update(object("model, cost and training; comments are allowed in the file",
                       std::move(properties), {"name", "model"}));
  schema["oneOf"] = {{{"required", {"cost"}}}, {{"required", {"stages"}}}};
  schema["definitions"] = {{"shape", shape()},
                           {"init", initial_values()},
                           {"stop", stop_rule()},
                           {"prepare", preparation()}};
  return schema;
}

}  // namespace jacquard::experiments
