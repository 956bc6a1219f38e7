// The schema against the reader of specs: by lists of specs that are right or wrong, and for every
// kind with every field against what the reader says.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/data.hpp"
#include "experiments/data/preparation.hpp"
#include "experiments/json_text.hpp"
#include "experiments/schema.hpp"
#include "experiments/spec.hpp"
#include "models/autoencoder.hpp"
#include "models/short_form.hpp"
#include "nn/activations.hpp"
#include "nn/initial_values.hpp"
#include "nn/optimizers.hpp"
#include "tests/experiments/schema_validator.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

bool schema_accepts(const Json& spec) {
  static const SchemaValidator validator(spec_schema());
  return validator.accepts(spec);
}

bool reader_accepts(const Json& spec, std::string* why = nullptr) {
  const LocatedJson document = load_json(spec.dump(), "spec.json");
  Problems problems(document);
  read_spec("", problems);
  if (why) *why = to_text(problems.sorted());
  return problems.empty();
}

// A spec that is right, from which the others are made by a merge patch (RFC 7396).
const Json kPlain = Json::parse(R"json({
  "name": "plain",
  "model": {"inputs": {"x": [4]}, "parameters": {"W": [4, 2]}},
  "cost": {"a": "sum(W)"}
})json");

const Json kWithData = Json::parse(R"json({
  "name": "plain",
  "data": {"set": "gaussian", "size": 6},
  "model": {"parameters": {"W": [4, 2]}},
  "cost": {"a": "sum(W)"}
})json");

Json patched(Json spec, const std::string& patch) {
  spec.merge_patch(Json::parse(patch));
  return spec;
}

void check_both(const Json& spec, bool expected) {
  CAPTURE(spec.dump());
  std::string why;
  const bool read = reader_accepts(spec, &why);
  CAPTURE(why);
  CHECK(read == expected);
  CHECK(schema_accepts(spec) == expected);
}

// Both say the same, whatever it is. A schema of this dialect cannot compare two fields, so what
// only the reader knows, that low must not be above high, is left to it.
void check_same(const Json& spec) {
  CAPTURE(spec.dump());
  std::string why;
  const bool read = reader_accepts(spec, &why);
  CAPTURE(why);
  if (why.find("is above high") != std::string::npos) return;
  CHECK(schema_accepts(spec) == read);
}

}  // namespace

TEST_CASE("what is right for the reader is right for the schema") {
  for (
      const char* patch : {
          R"json({})json",
          R"json({"$schema": "spec.schema.json", "seed": 0})json",
          R"json({"seed": 18446744073709551615})json",
          R"json({"seed": 1e3, "memory_limit_gb": 0.5})json",
          R"json({"name": "_a.B-9"})json",
          R"json({"model": {"parameters": {"b": {"shape": [2]}, "s": [], "W": null}}})json",
          R"json({"model": {"parameters": {"W": {"shape": [4, 2], "init": "he_normal"}}}})json",
          R"json({"model": {"parameters": {"W":
               {"shape": [4, 2], "init": {"kind": "normal", "std": 0.01, "mean": -1}}}}})json",
          R"json({"model": {"inputs": {"z": {"shape": [2, 3], "low": -1, "high": 1.5}}}})json",
          R"json({"model": {"define": {"h": "x @ W", "_2": "any text (("}}})json",
          R"json({"functions": {"kl(p, q)": "p*q"}})json",
          R"json({"functions": {}, "monitor": {}})json",
          R"json({"cost": {"b": {"value": "sum(W)"}, "c d": {"weight": -2, "value": ""}}})json",
          R"json({"monitor": {"lit/all": "mean(W)"}})json",
          R"json({"train": {}})json",
          R"json({"train": {"batch": 1, "epochs": 0, "monitor_batches": 0}})json",
          R"json({"train": {"optimizer": {"kind": "sgd", "rate": "0.1 / epoch"}}})json",
          R"json({"train": {"optimizer": {"kind": "sgd", "rate": 1, "momentum": 0.9,
                                           "nesterov": true}}})json",
          R"json({"train": {"optimizer": {"kind": "adam", "beta1": 0, "epsilon": 1}}})json",
          R"json({"pictures": {"reconstruction": "x", "corrupted": "", "filters": ["W"]}})json",
          R"json({"data": {"set": "bars", "count": 5, "size": 4, "test": 0.2, "valid": 0,
                            "limit": 1}, "model": {"inputs": null}})json",
          R"json({"data": {"set": "fashion_mnist", "scale": false, "valid": 10},
                   "model": {"inputs": null}})json",
          R"json({"data": {"set": "npz", "file": "a.npz", "scale": true, "test": 100}})json",
          R"json({"data": {"set": "csv", "file": "a.csv", "labels": "kind", "separator": ";"}})json",
          R"json({"data": {"set": "csv", "file": "a.csv", "labels": 4, "header": false}})json",
          R"json({"data": {"set": "cifar10_patches", "grey": true, "count": 5, "prepare": []},
                   "model": {"inputs": null}})json",
          R"json({"data": {"set": "bars", "prepare": [
                      {"kind": "patches", "size": 2, "count": 1}, {"kind": "scale", "each": true},
                      {"kind": "contrast_normalisation", "subtract_mean": false, "bias": 10},
                      {"kind": "pca", "components": 3, "whiten": true}, {"kind": "zca"}]},
                   "model": {"inputs": null}})json",
          R"json({"model": {"kind": "autoencoder", "inputs": 4, "hidden": 3, "parameters": null},
                   "cost": {"a": "sum(W)"}})json",
          R"json({"model": {"kind": "autoencoder", "hidden": [3, 2], "tied": false,
                             "activation": "tanh", "output": "linear", "init": "zeros",
                             "corruption": {"kind": "masking_noise", "amount": 0.3},
                             "parameters": {"extra": [2], "W": null},
                             "define": {"z": "h"}}})json",
          R"json({"model": {"kind": "mlp", "hidden": [], "classes": 10, "parameters": null}})json",
          R"json({"model": {"kind": "logistic", "classes": 2, "parameters": null}})json",
      })
    check_both(patched(kPlain, patch), true);
}

TEST_CASE("what is wrong for the reader is wrong for the schema") {
  for (
      const char* patch : {
          R"json({"name": null})json",
          R"json({"name": 3})json",
          R"json({"name": ""})json",
          R"json({"name": "a/b"})json",
          R"json({"name": ".hidden"})json",
          R"json({"name": "-option"})json",
          R"json({"naem": "plain"})json",
          R"json({"seed": -1})json",
          R"json({"seed": 1.5})json",
          R"json({"seed": "1"})json",
          R"json({"memory_limit_gb": 0})json",
          R"json({"memory_limit_gb": 5000})json",
          R"json({"model": null})json",
          R"json({"model": []})json",
          R"json({"model": {"parameters": {"W": [4, 0]}}})json",
          R"json({"model": {"parameters": {"W": [4, 2.5]}}})json",
          R"json({"model": {"parameters": {"W": 4}}})json",
          R"json({"model": {"parameters": {"W": {"init": "zeros"}}}})json",
          R"json({"model": {"parameters": {"W": {"shape": [4], "int": "zeros"}}}})json",
          R"json({"model": {"parameters": {"W": {"shape": [4], "init": "glorot"}}}})json",
          R"json({"model": {"parameters": {"W": {"shape": [4], "init": {"kind": "normal"}}}}})json",
          R"json({"model": {"parameters": {"2W": [4]}}})json",
          R"json({"model": {"parameters": {"and": [4]}}})json",
          R"json({"model": {"parameters": {"W": [1,1,1,1,1,1,1,1,1,1,1,1,1]}}})json",
          R"json({"model": {"define": {"h": 3}}})json",
          R"json({"model": {"define": {"h-2": "x"}}})json",
          R"json({"model": {"inputs": {"x": {"low": 0}}}})json",
          R"json({"model": {"inputs": {"x": "4"}}})json",
          R"json({"model": {"inputs": 4}})json",
          R"json({"model": {"hidden": 3}})json",
          R"json({"model": {"kind": "autoencodr", "hidden": 3}})json",
          R"json({"model": {"kind": "autoencoder"}})json",
          R"json({"model": {"kind": "autoencoder", "hidden": []}})json",
          R"json({"model": {"kind": "autoencoder", "hidden": 0}})json",
          R"json({"model": {"kind": "autoencoder", "hidden": 3, "classes": 3}})json",
          R"json({"model": {"kind": "autoencoder", "hidden": 3, "activation": "sigmod"}})json",
          R"json({"model": {"kind": "autoencoder", "hidden": 3, "output": "relu"}})json",
          R"json({"model": {"kind": "autoencoder", "hidden": 3,
                             "corruption": {"kind": "masking_noise", "amount": 1.5}}})json",
          R"json({"model": {"kind": "autoencoder", "hidden": 3,
                             "corruption": "masking_noise(x, 0.3)"}})json",
          R"json({"model": {"kind": "mlp", "classes": 3}})json",
          R"json({"model": {"kind": "logistic", "classes": 1}})json",
          R"json({"model": {"kind": "logistic", "classes": 3, "hidden": 3}})json",
          R"json({"functions": {"f(x)": 1}})json",
          R"json({"functions": []})json",
          R"json({"cost": null})json",
          R"json({"cost": {"a": null}})json",
          R"json({"cost": "sum(W)"})json",
          R"json({"cost": {"a": 3}})json",
          R"json({"cost": {"a/b": "sum(W)"}})json",
          R"json({"cost": {"b": {"weight": 1}}})json",
          R"json({"cost": {"b": {"weight": "1", "value": "sum(W)"}}})json",
          R"json({"cost": {"b": {"wieght": 1, "value": "sum(W)"}}})json",
          R"json({"monitor": {"m": 1}})json",
          R"json({"train": {"batch": 0}})json",
          R"json({"train": {"epochs": -1}})json",
          R"json({"train": {"rate": 0.1}})json",
          R"json({"train": {"optimizer": "sgd"}})json",
          R"json({"train": {"optimizer": {"rate": 0.1}}})json",
          R"json({"train": {"optimizer": {"kind": "sgd", "rate": 0}}})json",
          R"json({"train": {"optimizer": {"kind": "sgd", "rate": true}}})json",
          R"json({"train": {"optimizer": {"kind": "sgd", "momentum": 1}}})json",
          R"json({"train": {"optimizer": {"kind": "sgd", "nesterov": 1}}})json",
          R"json({"train": {"optimizer": {"kind": "adam", "momentum": 0.5}}})json",
          R"json({"pictures": {"filters": "W"}})json",
          R"json({"pictures": {"size": 3}})json",
          R"json({"data": {"set": "fashion-mnist"}})json",
          R"json({"data": {}})json",
          R"json({"data": "mnist"})json",
          R"json({"data": {"set": "mnist", "limit": 0}})json",
          R"json({"data": {"set": "mnist", "test": 100}})json",
          R"json({"data": {"set": "npy"}})json",
          R"json({"data": {"set": "bars", "noise": 0.1}})json",
          R"json({"data": {"set": "spiral", "size": 3}})json",
          R"json({"data": {"set": "bars", "prepare": {"kind": "scale"}}})json",
          R"json({"data": {"set": "bars", "prepare": [{"kind": "pca"}]}})json",
          R"json({"data": {"set": "bars", "prepare": [{"kind": "pca", "components": 1.5}]}})json",
          R"json({"data": {"set": "bars", "prepare": [{"kind": "zca", "whiten": true}]}})json",
          R"json({"data": {"set": "bars", "prepare": ["zca"]}})json",
      })
    check_both(patched(kPlain, patch), false);
  check_both(Json::array(), false);
  check_both(3, false);
}

TEST_CASE("null is no value of any field, for both") {
  const Json full = Json::parse(R"json({
    "name": "n", "seed": 1, "memory_limit_gb": 1, "data": {"set": "bars"},
    "model": {"parameters": {"W": [2]}, "define": {"h": "W"}, "inputs": {"z": [2]}},
    "functions": {"f(p)": "p"}, "cost": {"a": "sum(W)"}, "monitor": {"m": "sum(W)"},
    "train": {"optimizer": {"kind": "sgd", "rate": 1}, "batch": 1, "epochs": 1},
    "pictures": {"filters": []}
  })json");
  check_both(full, true);
  for (const char* pointer : {"/name",
                              "/seed",
                              "/memory_limit_gb",
                              "/data",
                              "/data/set",
                              "/model",
                              "/model/parameters",
                              "/model/parameters/W",
                              "/model/define",
                              "/model/define/h",
                              "/model/inputs",
                              "/model/inputs/z",
                              "/functions",
                              "/functions/f(p)",
                              "/cost",
                              "/cost/a",
                              "/monitor",
                              "/monitor/m",
                              "/train",
                              "/train/optimizer",
                              "/train/optimizer/kind",
                              "/train/optimizer/rate",
                              "/train/batch",
                              "/pictures",
                              "/pictures/filters"})
    for (const Json& wrong : {Json(nullptr), Json(Json::array({Json::object()}))}) {
      Json spec = full;
      spec[Json::json_pointer(pointer)] = wrong;
      check_both(spec, false);
    }
}

TEST_CASE("reader and schema agree on every field of every data set") {
  for (const std::string& set : data_set_names())
    for (const char* field : {"file", "valid", "limit", "scale", "test", "count", "size", "noise",
                              "grey", "labels", "header", "separator", "prepare"})
      for (const Json& value : {Json("a.npz"), Json(true), Json(0), Json(1), Json(-1), Json(0.5),
                                Json(-0.25), Json(9223372036854775807), Json(1e19)}) {
        Json spec = kPlain;
        spec["data"] = {{"set", set}};
        if (set == "npy" || set == "npz" || set == "csv") spec["data"]["file"] = "a";
        spec["data"][field] = value;
        check_same(spec);
      }
}

namespace {

// Values at and round the bounds of an option.
std::vector<Json> values_round(const nn::Option& option) {
  const double far = std::numeric_limits<double>::infinity();
  std::vector<Json> values = {true, "1", 0, 1, 0.5, -1};
  for (const double bound : {option.low, option.high}) {
    values.push_back(bound);
    for (const double beyond : {std::nextafter(bound, far), std::nextafter(bound, -far)})
      if (std::isfinite(beyond)) values.push_back(beyond);
  }
  return values;
}

// Every kind, bare, with each single option at its bounds, and with options of other kinds.
void check_kinds(std::span<const nn::Kind> kinds, const std::function<Json(Json)>& spec_with) {
  for (const nn::Kind& kind : kinds) {
    // A bare kind that needs options is refused when the model is recorded, after the reader.
    const bool needs =
        std::ranges::any_of(kind.options, [](const nn::Option& o) { return !o.fallback; });
    if (needs)
      CHECK_FALSE(schema_accepts(spec_with(kind.name)));
    else
      check_same(spec_with(kind.name));
    Json choice{{"kind", kind.name}};
    check_same(spec_with(choice));
    for (const nn::Option& option : kind.options)
      if (!option.fallback) {
        if (option.whole)
          choice[std::string(option.name)] = 1;
        else
          choice[std::string(option.name)] = 0.5;
      }
    check_both(spec_with(choice), true);
    for (const nn::Kind& other : kinds)
      for (const nn::Option& option : other.options)
        for (const Json& value : values_round(option)) {
          Json with = choice;
          with[std::string(option.name)] = value;
          check_same(spec_with(with));
        }
  }
}

}  // namespace

TEST_CASE("reader and schema agree on every initial value, optimizer and step of preparation") {
  check_kinds(preparation_kinds(), [](const Json& choice) {
    Json spec = kPlain;
    spec["data"] = {{"set", "bars"}, {"prepare", Json::array({choice})}};
    return spec;
  });
  check_kinds(nn::initializer_kinds(), [](const Json& choice) {
    Json spec = kPlain;
    spec["model"]["parameters"]["W"] = {{"shape", {2}}, {"init", choice}};
    return spec;
  });
  check_kinds(nn::optimizer_kinds(), [](const Json& choice) {
    Json spec = kPlain;
    spec["train"]["optimizer"] = choice;
    return spec;
  });
}

TEST_CASE("reader and schema agree on every field of every short form") {
  std::vector<Json> values = {0,
                              1,
                              3,
                              2.0,
                              1.5,
                              -1,
                              true,
                              "tanh",
                              "sigmoid",
                              "linear",
                              "zeros",
                              Json::array({3, 2}),
                              Json::array(),
                              Json::array({0}),
                              Json::object(),
                              1e8,
                              100000001,
                              1000001};
  for (const std::string& kind : models::corruption_kinds())
    for (const Json& amount : {Json(0), Json(1), Json(1.25), Json(-1), Json("1"), Json()})
      values.push_back({{"kind", kind}, {"amount", amount}});
  for (const nn::Activation& activation : nn::activations()) values.push_back(activation.name);
  values.push_back({{"x", {6}}});
  for (const models::ModelKind& kind : models::model_kinds())
    for (const char* field : {"inputs", "hidden", "tied", "activation", "output", "corruption",
                              "init", "classes", "initial", "visible", "parameters", "define"})
      for (const Json& value : values) {
        Json spec = kWithData;
        spec["model"] = {{"kind", kind.name}};
        if (kind.name != "logistic") spec["model"]["hidden"] = 3;
        if (kind.name != "autoencoder") spec["model"]["classes"] = 3;
        check_same(spec);
        // A layer of 1e8 units is a parameter too large, which is not a matter of structure.
        const bool large = std::string_view(field) == "hidden" && value.is_number() && value > 1000;
        if (large) continue;
        spec["model"][field] = value;
        check_same(spec);
      }
}

TEST_CASE("what show --expand writes is right for the schema") {
  for (const char* patch :
       {R"json({})json",
        R"json({"train": {"optimizer": {"kind": "adam", "rate": 0.001}}, "monitor": {"m": "1"},
                "functions": {"f(p)": "p"}, "pictures": {"filters": ["W"]}})json",
        R"json({"data": {"set": "spiral", "noise": 0.5}, "model": {"inputs": null}})json",
        R"json({"model": {"kind": "autoencoder", "hidden": [3, 2], "inputs": 4,
                          "parameters": null}})json"}) {
    const Json spec = patched(kPlain, patch);
    const LocatedJson document = load_json(spec.dump(), "spec.json");
    Problems problems(document);
    const Json expanded = spec_json(read_spec("", problems));
    CAPTURE(to_text(problems.sorted()));
    REQUIRE(problems.empty());
    check_both(expanded, true);
  }
}

}  // namespace jacquard::experiments
