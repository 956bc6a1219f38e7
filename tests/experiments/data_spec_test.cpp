#include "experiments/data_spec.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "experiments/json_text.hpp"
#include "experiments/spec.hpp"
#include "tests/experiments/small_set.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

struct Read {
  std::optional<DataSpec> data;
  std::string mistakes;
};

Read read(const std::string& text, const std::string& folder = "/specs") {
  const LocatedJson document = load_json(text, "spec.json");
  Problems problems(document);
  Read result{read_data(Fields(problems), folder), ""};
  for (const Problem& problem : problems.sorted())
    result.mistakes += cat(problem.pointer, ": ", problem.message, "; ", problem.hint, "\n");
  return result;
}

TEST_CASE("every field of every set is read and written, and reads the same again") {
  const Json values{{"valid", 7},   {"limit", 5},       {"file", "/a/b.c"}, {"scale", false},
                    {"test", 0.25}, {"count", 123},     {"size", 3},        {"noise", 0.5},
                    {"grey", true}, {"labels", "kind"}, {"header", false},  {"separator", ";"}};
  REQUIRE(values.size() == data_fields().size());
  for (const std::string& set : data_set_names()) {
    CAPTURE(set);
    Json section{{"set", set}};
    for (const DataField* field : data_fields_of(set))
      section[std::string(field->name)] = values.at(std::string(field->name));
    section["prepare"] = Json::array({{{"kind", "pca"}, {"components", 3}, {"whiten", true}},
                                      {{"kind", "zca"}, {"epsilon", 0.5}},
                                      {{"kind", "contrast_normalisation"}, {"deviation", false}}});
    const Read once = read(section.dump());
    CHECK(once.mistakes == "");
    CHECK(data_json(*once.data).dump() == section.dump());
  }
}

TEST_CASE("defaults are written out, and what is not given stays away") {
  CHECK(data_json(*read(R"({"set": "bars"})").data).dump() ==
        R"({"set":"bars","valid":0,"test":0.0,"count":10000,"size":8})");
  CHECK(data_json(*read(R"({"set": "cifar10_patches"})").data).dump() ==
        R"({"set":"cifar10_patches","valid":0,"scale":true,"count":10000,"size":8,"grey":false})");
  CHECK(data_json(*read(R"({"set": "csv", "file": "t.csv", "labels": 4})").data).dump() ==
        R"({"set":"csv","valid":0,"file":"/specs/t.csv","test":0.0,"labels":"4","separator":","})");
}

TEST_CASE("an unknown set is said once, also where a short form needs its inputs") {
  const LocatedJson document = load_json(
      R"json({"name": "a", "data": {"set": "bras"}, "model": {"kind": "autoencoder", "hidden": 3},
          "cost": {"a": "mean(sqnorm(y - x))"}})json",
      "spec.json");
  Problems problems(document);
  read_spec("/specs", problems);
  REQUIRE(problems.sorted().size() == 1);
  CHECK(problems.sorted()[0].pointer == "/data/set");
}

TEST_CASE("fields of other sets, wrong steps and unknown sets are named with their place") {
  CHECK(
      read(R"({"set": "bars", "noise": 1})").mistakes.starts_with("/noise: unknown field 'noise'"));
  CHECK(read(R"({"set": "csv"})").mistakes.find("field 'file' is missing") != std::string::npos);
  CHECK(read(R"({"set": "bras", "noise": 1, "size": 2})").mistakes ==
        "/set: unknown set 'bras'; did you mean 'bars'?\n");
  CHECK(read(R"({"set": "bars", "prepare": [{"kind": "pca"}]})").mistakes ==
        "/prepare/0: field 'components' is missing; a whole number is needed\n");
  CHECK(read(R"({"set": "bars", "prepare": [{"kind": "pac", "components": 2}]})").mistakes ==
        "/prepare/0/kind: unknown kind 'pac'; did you mean 'pca'?\n");
  CHECK(read(R"({"set": "bars", "prepare": [{"kind": "zca", "components": 2}]})")
            .mistakes.starts_with("/prepare/0/components: unknown field 'components'"));
  CHECK(read(R"({"set": "csv", "file": "a", "labels": -1})").mistakes.starts_with("/labels: -1"));
}

}  // namespace
}  // namespace jacquard::experiments
