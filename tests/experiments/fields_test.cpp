#include "experiments/fields.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <string>

#include "experiments/json_text.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

// What reading `text` with `read` complains about, without the lines of the text.
std::string complaints(std::string_view text, const std::function<void(Fields&)>& read) {
  const LocatedJson document = load_json(text, "s");
  Problems problems(document);
  Fields fields(problems);
  read(fields);
  std::string result;
  for (Problem problem : problems.sorted()) {
    problem.source_line.clear();
    result += to_text(problem) + '\n';
  }
  return result;
}

}  // namespace

TEST_CASE("fields of the right type and range are read") {
  const std::string none = complaints(
      R"({"b": true, "i": 3, "l": -5000000000, "u": 18446744073709551615, "d": 0.25, "t": "text",
          "whole": 2, "list": [1, 2e3], "names": ["a", "b"], "kind": "adam", "in": {"x": 1}})",
      [](Fields& f) {
        CHECK(f.get("b", false) == true);
        CHECK(f.get("i", 1) == 3);
        CHECK(f.require<std::int64_t>("l") == -5000000000);
        CHECK(f.require<std::uint64_t>("u") == 18446744073709551615U);
        CHECK(f.get("d", 1.0, above(0).and_below(1)) == 0.25);
        CHECK(f.get("t", "none") == "text");
        CHECK(f.get("t", std::string("none")) == "text");
        CHECK(f.get("whole", 0.5) == 2.0);
        CHECK(f.list<std::int64_t>("list", {}, at_least(1)) == std::vector<std::int64_t>{1, 2000});
        CHECK(f.list<std::string>("names") == std::vector<std::string>{"a", "b"});
        CHECK(f.choice("kind", {"sgd", "adam"}, "sgd") == "adam");
        CHECK(f.require_choice("kind", {"sgd", "adam"}) == "adam");
        Fields in = f.require_object("in");
        CHECK(in.present());
        CHECK(in.pointer() == "/in");
        CHECK(in.name() == "in");
        CHECK(in.optional<int>("x") == 1);
        in.done();
        f.done();
      });
  CHECK(none == "");
}

TEST_CASE("absent fields have their defaults and report nothing") {
  const std::string none = complaints("{}", [](Fields& f) {
    CHECK(f.get("i", 7, at_least(10)) == 7);
    CHECK(f.get("t", "none") == "none");
    CHECK(f.optional<double>("d") == std::nullopt);
    CHECK(f.list<int>("list", {4, 5}) == std::vector<int>{4, 5});
    CHECK(f.array("array").empty());
    CHECK(f.choice("kind", {"sgd"}, "sgd") == "sgd");
    CHECK_FALSE(f.has("x"));
    Fields in = f.object("in");
    CHECK_FALSE(in.present());
    CHECK(in.require<int>("needed") == 0);
    CHECK_FALSE(in.require_object("deep").present());
    in.problem("never shown");
    in.item("x").problem("never shown");
    in.done();
    CHECK(in.entries().empty());
    CHECK_FALSE(f.item("x").is_text());
    CHECK(f.item("x").as<int>(3) == 3);
    f.done();
  });
  CHECK(none == "");
}

TEST_CASE("every mistake is reported, and reading goes on with the default") {
  CHECK(complaints(
            R"({"rate": "0.1", "epochs": 1.5, "batch": 0, "shuffle": 1, "name": null, "kind": "agd",
                "shape": {"a": 1}, "optimizer": [1], "list": [1, "2", 0.5]})",
            [](Fields& f) {
              CHECK(f.get("rate", 0.5, above(0)) == 0.5);
              CHECK(f.get("epochs", 20, at_least(1)) == 20);
              CHECK(f.require<std::int64_t>("batch", between(1, 1000)) == 0);
              CHECK(f.get("shuffle", true) == true);
              CHECK(f.get("name", "run") == "run");
              CHECK(f.choice("kind", {"sgd", "adam"}, "sgd") == "sgd");
              CHECK(f.list<int>("shape", {9}) == std::vector<int>{9});
              CHECK_FALSE(f.object("optimizer").present());
              CHECK(f.list<int>("list", {8}) == std::vector<int>{8});
              CHECK(f.require<double>("decay", at_least(0).and_below(1)) == 0.0);
              f.done();
            }) ==
        "s:1:1: error: field 'decay' is missing; a number of at least 0 and below 1 is needed\n"
        "s:1:10: error at /rate: \"0.1\" has the wrong type; a number above 0 is needed\n"
        "s:1:27: error at /epochs: 1.5 is not an integer; an integer of at least 1 is needed\n"
        "s:1:41: error at /batch: 0 is out of range; an integer from 1 to 1000 is needed\n"
        "s:1:55: error at /shuffle: 1 has the wrong type; true or false is needed\n"
        "s:1:66: error at /name: null has the wrong type; text is needed\n"
        "s:1:80: error at /kind: unknown kind 'agd'; did you mean 'sgd'?\n"
        "      = known values: sgd, adam\n"
        "s:2:26: error at /shape: an object has the wrong type; an array is needed\n"
        "s:2:49: error at /optimizer: an array has the wrong type; an object is needed\n"
        "s:2:66: error at /list/1: \"2\" has the wrong type; an integer is needed\n"
        "s:2:71: error at /list/2: 0.5 is not an integer; an integer is needed\n");
}

TEST_CASE("unknown fields are refused with the nearest known one, or all of them") {
  CHECK(complaints(R"({"train": {"epoch": 5, "whatever": 1, "rate": 1}, "moddel": 2})",
                   [](Fields& f) {
                     Fields train = f.object("train");
                     train.get("epochs", 1);
                     train.get("rate", 1.0);
                     train.done();
                     f.item("model");
                     f.done();
                   }) ==
        "s:1:12: error at /train/epoch: unknown field 'epoch'; did you mean 'epochs'?\n"
        "      = known fields: epochs, rate\n"
        "s:1:24: error at /train/whatever: unknown field 'whatever'; known fields: epochs, rate\n"
        "s:1:51: error at /moddel: unknown field 'moddel'; did you mean 'model'?\n"
        "      = known fields: model, train\n");
  CHECK(complaints(R"({"x": 1})", [](Fields& f) { f.done(); }) ==
        "s:1:2: error at /x: unknown field 'x'; no fields are known here\n");
}

TEST_CASE("an unknown field is shown with its line") {
  const LocatedJson document = load_json("{\n  \"epoch\": 5\n}", "spec.json");
  Problems problems(document);
  Fields fields(problems);
  fields.get("epochs", 1);
  fields.done();
  CHECK_THROWS_WITH_AS(
      problems.throw_if_any(),
      "spec.json:2:3: error at /epoch: unknown field 'epoch'; did you mean 'epochs'?\n"
      "    2 |   \"epoch\": 5\n"
      "      |   ^~~~~~~\n"
      "      = known fields: epochs",
      InvalidSpec);
}

TEST_CASE("integers are exact") {
  const auto read = [](const std::string& number) {
    std::int64_t value = -1;
    const std::string why = complaints("{\"n\": " + number + "}",
                                       [&](Fields& f) { value = f.get("n", std::int64_t{-1}); });
    return why.empty() ? std::to_string(value) : why;
  };
  CHECK(read("1e3") == "1000");
  CHECK(read("1.5e1") == "15");
  CHECK(read("-2.0") == "-2");
  CHECK(read("-0.0") == "0");
  CHECK(read("9007199254740991.0") == "9007199254740991");
  CHECK(read("9223372036854775807") == "9223372036854775807");
  CHECK(read("-9223372036854775808") == "-9223372036854775808");
  CHECK(read("0.5") == "s:1:7: error at /n: 0.5 is not an integer; an integer is needed\n");
  CHECK(read("1e-3") == "s:1:7: error at /n: 1e-3 is not an integer; an integer is needed\n");
  CHECK(read("9007199254740993.0") ==
        "s:1:7: error at /n: 9007199254740993.0 is too large to be an exact integer; an integer is "
        "needed\n");
  CHECK(read("99999999999999999999999") ==
        "s:1:7: error at /n: 99999999999999999999999 is too large to be an exact integer; an "
        "integer is needed\n");
  CHECK(read("9223372036854775808") ==
        "s:1:7: error at /n: 9223372036854775808 is out of range; an integer of at "
        "least -9223372036854775808 and below 9223372036854775808 is needed\n");
}

TEST_CASE("small integer types have their own bounds") {
  CHECK(
      complaints(R"({"n": 3000000000, "m": -1})",
                 [](Fields& f) {
                   CHECK(f.get("n", 1, at_least(1)) == 1);
                   CHECK(f.require<std::uint64_t>("m", Range{.high = 10}) == 0);
                 }) ==
      "s:1:7: error at /n: 3000000000 is out of range; an integer from 1 to 2147483647 is needed\n"
      "s:1:24: error at /m: -1 is out of range; an integer from 0 to 10 is needed\n");
}

TEST_CASE("ranges say whether their ends belong to them") {
  const struct {
    Range range;
    const char* inside;
    const char* outside;
    std::string text;
  } cases[] = {
      {above(0), "1e-300", "0", "a number above 0"},
      {at_least(0), "0", "-1e-300", "a number of at least 0"},
      {between(0, 1), "1", "1.0000001", "a number from 0 to 1"},
      {above(0).and_below(1), "0.5", "1", "a number above 0 and below 1"},
      {above(0).and_at_most(0.5), "0.5", "0.51", "a number above 0 and at most 0.5"},
      {at_least(-1).and_below(1e-7), "-1", "1e-7", "a number of at least -1 and below 1e-7"},
      {Range{}.and_below(3), "2", "3", "a number below 3"},
  };
  for (const auto& each : cases) {
    const auto read = [&](Fields& f) { f.require<double>("x", each.range); };
    CHECK(complaints(std::string("{\"x\": ") + each.inside + "}", read) == "");
    CHECK(complaints(std::string("{\"x\": ") + each.outside + "}", read) ==
          std::string("s:1:7: error at /x: ") + each.outside + " is out of range; " + each.text +
              " is needed\n");
  }
}

TEST_CASE("objects whose names the user makes are read in the order of the text") {
  CHECK(complaints(R"_({"cost": {"z": "mean(x)", "a/b": {"weight": "1", "value": "v"}, "c": 3}})_",
                   [](Fields& f) {
                     Fields cost = f.object("cost");
                     std::string order;
                     for (const Item& term : cost.entries()) {
                       order += term.name() + ' ' + term.pointer() + ';';
                       if (term.is_object()) {
                         Fields inner = term.as_object();
                         CHECK(inner.get("weight", 1.0) == 1.0);
                         CHECK(inner.require<std::string>("value") == "v");
                         inner.done();
                       } else {
                         term.as<std::string>();
                       }
                     }
                     CHECK(order == "z /cost/z;a/b /cost/a~1b;c /cost/c;");
                     cost.done();
                   }) ==
        "s:1:45: error at /cost/a~1b/weight: \"1\" has the wrong type; a number is needed\n"
        "s:1:70: error at /cost/c: 3 has the wrong type; text is needed\n");
}

TEST_CASE("elements of arrays are read one by one") {
  CHECK(complaints(R"({"stages": [{"epochs": 1}, {"epochs": "x"}, 5]})",
                   [](Fields& f) {
                     int total = 0;
                     for (const Item& stage : f.array("stages")) {
                       Fields fields = stage.as_object();
                       total += fields.get("epochs", 10);
                       fields.done();
                     }
                     CHECK(total == 21);
                   }) ==
        "s:1:39: error at /stages/1/epochs: \"x\" has the wrong type; an integer is needed\n"
        "s:1:45: error at /stages/2: 5 has the wrong type; an object is needed\n");
}

TEST_CASE("a missing inner object is reported once, at the object that lacks it") {
  CHECK(complaints(R"({"train": {}})", [](Fields& f) {
          Fields optimizer = f.require_object("train").require_object("optimizer");
          optimizer.require<double>("rate");
          optimizer.require_choice("kind", {"sgd"});
          optimizer.done();
        }) == "s:1:11: error at /train: field 'optimizer' is missing; an object is needed\n");
  CHECK(complaints("{}",
                   [](Fields& f) {
                     f.require_choice("kind", {"sgd", "adam"});
                     f.require_item("cost", "text or {weight, value}");
                   }) ==
        "s:1:1: error: field 'kind' is missing; one of sgd, adam is needed\n"
        "s:1:1: error: field 'cost' is missing; text or {weight, value} is needed\n");
}

TEST_CASE("a document that is no object is one mistake") {
  CHECK(complaints("[1, 2]", [](Fields& f) {
          f.require<int>("x");
          f.done();
        }) == "s:1:1: error: an array has the wrong type; an object is needed\n");
}

TEST_CASE("long texts of the user are cut in messages") {
  CHECK(
      complaints("{\"n\": \"" + std::string(1000, 'x') + "\"}", [](Fields& f) { f.get("n", 1); }) ==
      "s:1:7: error at /n: \"" + std::string(36, 'x') +
          "... has the wrong type; an integer is needed\n");
}

TEST_CASE("a hundred thousand mistakes take no time") {
  std::string text = "{\"list\": [0";
  for (int i = 0; i < 100000; ++i) text += ",\"x\"";
  text += "]";
  for (int i = 0; i < 20000; ++i) text += ",\"field" + std::to_string(i) + "\": 1";
  text += "}";
  const auto start = std::chrono::steady_clock::now();
  const std::string all = complaints(text, [](Fields& f) {
    f.list<int>("list");
    f.done();
  });
  CHECK(all.ends_with("s: error: 119900 further mistakes are not shown\n"));
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
}
