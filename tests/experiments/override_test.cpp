#include "experiments/override.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "experiments/fields.hpp"
#include "experiments/json_text.hpp"
#include "experiments/problem.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

constexpr const char* kSpec = R"json({
  "name": "cae",
  "cost": {
    "reconstruction": "mean(squared_error(y, x))",
    "contraction": {"weight": 0.1, "value": "mean(h)"}
  },
  "stages": [{"epochs": 1}, {"epochs": 2}],
  "train": {"epochs": 20, "rate": 0.1}
})json";

std::string overridden(const std::vector<std::string>& overrides) {
  LocatedJson document = load_json(kSpec, "spec.json");
  apply_overrides(document, overrides);
  return document.value().dump();
}

std::string refusal(const std::vector<std::string>& overrides) {
  LocatedJson document = load_json(kSpec, "spec.json");
  try {
    apply_overrides(document, overrides);
  } catch (const InvalidSpec& error) {
    return error.what();
  }
  return "accepted";
}

std::string after(const std::string& pointer, const std::vector<std::string>& overrides) {
  LocatedJson document = load_json(kSpec, "spec.json");
  apply_overrides(document, overrides);
  const nlohmann::ordered_json* value = document.find(pointer);
  return value == nullptr ? "absent" : value->dump();
}

}  // namespace

TEST_CASE("an override replaces or creates a field, and no other changes") {
  CHECK(overridden({}) == nlohmann::ordered_json::parse(kSpec).dump());
  CHECK(overridden({"train.epochs=5", "train.seed=1", "name=new"}) ==
        R"_({"name":"new","cost":{"reconstruction":"mean(squared_error(y, x))",)_"
        R"_("contraction":{"weight":0.1,"value":"mean(h)"}},)_"
        R"_("stages":[{"epochs":1},{"epochs":2}],"train":{"epochs":5,"rate":0.1,"seed":1}})_");
  CHECK(after("/stages/1/epochs", {"stages.1.epochs=7"}) == "7");
  CHECK(after("/stages/0", {"stages.0={\"epochs\": 9}"}) == R"_({"epochs":9})_");
  CHECK(after("/train/epochs", {"train.epochs=5", "train.epochs=6"}) == "6");
  CHECK(after("/train/optimizer/kind", {"train.optimizer={}", "train.optimizer.kind=adam"}) ==
        "\"adam\"");
}

TEST_CASE("a value is JSON, or else text") {
  CHECK(after("/x", {"x=5"}) == "5");
  CHECK(after("/x", {"x=1e-3"}) == "0.001");
  CHECK(after("/x", {"x=true"}) == "true");
  CHECK(after("/x", {"x=[1, 2]"}) == "[1,2]");
  CHECK(after("/x", {"x=\"5\""}) == "\"5\"");
  CHECK(after("/x", {"x="}) == "\"\"");
  CHECK(after("/x", {"x=mean(a == b)"}) == "\"mean(a == b)\"");
  CHECK(after("/x", {"x=007"}) == "\"007\"");
  CHECK(after("/x", {"x=//server/path"}) == "\"//server/path\"");
  CHECK(after("/x", {"x=5 // five"}) == "\"5 // five\"");
  CHECK(after("/x", {"x=a\nb"}) == "\"a\\nb\"");
  CHECK(after("/x", {"x=" + std::string(20000, '[')}).size() == 20002);
}

TEST_CASE("a path that cannot be walked is refused, and all such overrides at once") {
  CHECK(refusal({"train.epochs"}) ==
        "override train.epochs: error: there is no '='; the form is path.to.field=value");
  CHECK(refusal({"=5"}) ==
        "override =5: error: the path has an empty name; the form is path.to.field=value");
  CHECK(refusal({"train..x=5"}) ==
        "override train..x=5: error: the path has an empty name; the form is path.to.field=value");
  CHECK(refusal({"name.x=5"}) ==
        "override name.x=5: error at /name: \"cae\" has no field 'x'; a path walks through objects "
        "and arrays");
  CHECK(refusal({"train.rate.x.y=5"}) ==
        "override train.rate.x.y=5: error at /train/rate: 0.1 has no field 'x'; a path walks "
        "through objects and arrays");
  CHECK(refusal({"stages.2.epochs=5"}) ==
        "override stages.2.epochs=5: error at /stages: there is no element '2'; the array has 2, "
        "counted from 0");
  CHECK(refusal({"stages.2=5"}).find("there is no element '2'") != std::string::npos);
  CHECK(refusal({"stages.01=5"}).find("there is no element '01'") != std::string::npos);
  CHECK(refusal({"stages.epochs=5"}).find("there is no element 'epochs'") != std::string::npos);
  CHECK(
      refusal({"trian.epochs=5", "train.epochs=3", "data.limit=10"}) ==
      "override trian.epochs=5: error: there is no field 'trian' to walk into; did you mean "
      "'train'?\n"
      "override data.limit=10: error: there is no field 'data' to walk into; the fields are name, "
      "cost, stages, train");
  CHECK(refusal({"name=\xFF"}) ==
        "override name=\\xff: error: the text is not UTF-8; JSON holds only that");
  std::string deep = "a";
  for (int i = 0; i < 100000; ++i) deep += ".a";
  CHECK(refusal({deep + "=1"}).find("the path has more than 64 names") != std::string::npos);
}

TEST_CASE("walking into a cost term that is plain text makes it an object with the text as value") {
  CHECK(after("/cost/reconstruction", {"cost.reconstruction.weight=0.2"}) ==
        R"_({"value":"mean(squared_error(y, x))","weight":0.2})_");
  CHECK(after("/cost/contraction", {"cost.contraction.weight=0.2"}) ==
        R"_({"weight":0.2,"value":"mean(h)"})_");
  CHECK(after("/cost/new", {"cost.new=mean(h)", "cost.new.weight=3"}) ==
        R"_({"value":"mean(h)","weight":3})_");
  CHECK(after("/cost/contraction", {"cost.contraction.weight=0.2", "cost.contraction=mean(x)"}) ==
        "\"mean(x)\"");
}

TEST_CASE("problems of overridden values name the override and no line") {
  LocatedJson document = load_json(kSpec, "spec.json");
  apply_overrides(document, {"train.epoch=5", "train.rate=fast", "stages.0={\"epochs\": \"x\"}"});
  Problems problems(document);
  Fields spec(problems);
  Fields train = spec.object("train");
  train.get("epochs", 1);
  train.get("rate", 1.0);
  train.done();
  for (const Item& stage : spec.array("stages")) stage.as_object().get("epochs", 1);
  spec.get("name", 1);
  CHECK(
      to_text(problems.sorted()) ==
      "spec.json:2:11: error at /name: \"cae\" has the wrong type; an integer is needed\n"
      "    2 |   \"name\": \"cae\",\n"
      "      |           ^~~~~\n"
      "override train.epoch=5: error at /train/epoch: unknown field 'epoch'; did you mean "
      "'epochs'?\n"
      "      = known fields: epochs, rate\n"
      "override train.rate=fast: error at /train/rate: \"fast\" has the wrong type; a number is "
      "needed\n"
      "override stages.0={\"epochs\": \"x\"}: error at /stages/0/epochs: \"x\" has the wrong type; "
      "an integer is needed");
  const nlohmann::ordered_json json = to_json(problems.sorted());
  CHECK(json[1].dump() ==
        R"_({"pointer":"/train/epoch","line":0,"column":0,"message":"unknown field 'epoch'",)_"
        R"_("hint":"did you mean 'epochs'?","note":"known fields: epochs, rate",)_"
        R"_("origin":"override train.epoch=5"})_");
}

TEST_CASE("problems inside a text are shown where the text was written") {
  LocatedJson document = load_json(kSpec, "spec.json");
  apply_overrides(document, {"cost.reconstruction.weight=0.2", "cost.a=mean(sqnrm(x))",
                             "cost.b=\"a\\n + sqnrm(x)\"", "cost.a.weight=2"});
  Problems problems(document);
  problems.add_in_text("/cost/reconstruction/value", 5, 13, "in the file");
  problems.add_in_text("/cost/a/value", 5, 5, "in plain text");
  problems.add_in_text("/cost/b", 5, 5, "in JSON text");
  problems.add("/cost/a/weight", "a number");
  CHECK(to_text(problems.sorted()) ==
        "spec.json:4:29: error at /cost/reconstruction/value: in the file\n"
        "    4 |     \"reconstruction\": \"mean(squared_error(y, x))\",\n"
        "      |                             ^~~~~~~~~~~~~\n"
        "override cost.a=mean(sqnrm(x)): error at /cost/a/value: in plain text\n"
        "      | cost.a=mean(sqnrm(x))\n"
        "      |             ^~~~~\n"
        "override cost.b=\"a\\n + sqnrm(x)\": error at /cost/b: in JSON text\n"
        "      | cost.b=\"a\\n + sqnrm(x)\"\n"
        "      |               ^~~~~\n"
        "override cost.a.weight=2: error at /cost/a/weight: a number");
}

TEST_CASE("a misspelt field of a cost term that was text is left to the strict reader") {
  LocatedJson document = load_json(kSpec, "spec.json");
  apply_overrides(document, {"cost.reconstruction.wieght=0.2"});
  Problems problems(document);
  Fields term = Fields(problems).object("cost").object("reconstruction");
  CHECK(term.get("value", "") == "mean(squared_error(y, x))");
  term.get("weight", 1.0);
  term.done();
  CHECK_THROWS_WITH_AS(
      problems.throw_if_any(),
      "override cost.reconstruction.wieght=0.2: error at "
      "/cost/reconstruction/wieght: unknown field 'wieght'; did you mean 'weight'?\n"
      "      = known fields: value, weight",
      InvalidSpec);
}
