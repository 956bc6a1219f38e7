#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "experiments/base_point.hpp"
#include "experiments/check_report.hpp"
#include "experiments/failure.hpp"
#include "tests/experiments/command_call.hpp"

namespace jacquard::experiments {
namespace {

Called check(const std::string& spec, CheckCommand command = {}) {
  const TemporaryFolder folder;
  command.spec.path = folder.put("spec.json", spec).string();
  return call([&](std::ostream& out, Talk& talk) { return check_command(command, out, talk); });
}

Called check_as_json(const std::string& spec, CheckCommand command = {}) {
  command.json = true;
  return check(spec, std::move(command));
}

// The words of a line.
std::vector<std::string> words(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> all;
  for (std::string word; in >> word;) all.push_back(word);
  return all;
}

std::vector<std::string> lines(const std::string& text) {
  std::istringstream in(text);
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

// What check throws for a spec, for the file name "spec.json".
template <class E>
std::string failure(const std::string& spec, CheckCommand command = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.put("spec.json", spec).string();
  command.spec.path = path;
  std::string text = message_of<E>([&] {
    call([&](std::ostream& out, Talk& talk) { return check_command(command, out, talk); });
  });
  for (std::size_t at; (at = text.find(path)) != std::string::npos;)
    text.replace(at, path.size(), "spec.json");
  return text;
}

const std::string kTwoTerms =
    small_spec(R"json("a": "mean(square(h))", "b": {"weight": 0.5, "value": "sum(W^2)"})json");

BasePoint point_of(const std::string& spec_text, std::int64_t examples, std::uint64_t seed,
                   std::string* said = nullptr) {
  const TemporaryFolder folder;
  LoadedSpec loaded = load_spec({folder.put("spec.json", spec_text).string()});
  std::map<std::string, Shape> shapes;
  for (const auto& [name, input] : loaded.spec().inputs) shapes[name] = input.shape;
  if (loaded.spec().data)
    for (const auto& [name, shape] : data_inputs(*loaded.spec().data)) shapes[name] = shape;
  std::ostringstream stream;
  Talk talk(stream, Screen{});
  BasePoint point = base_point(loaded.spec(), shapes, examples, seed, talk);
  if (said) *said = stream.str();
  return point;
}

}  // namespace

TEST_CASE("check tells of every term and of the cost, for every parameter") {
  const Called called = check(kTwoTerms);
  CHECK(called.code == 0);
  const std::vector<std::string> all = lines(called.out);
  REQUIRE(all.size() == 8);
  CHECK(all[0] == "term        parameter  order  verdict  rule error  double  float");
  const std::vector<std::vector<std::string>> expected = {{"a", "W", "1", "pass"},
                                                          {"a", "b", "1", "pass"},
                                                          {"b", "W", "1", "pass"},
                                                          {"b", "b", "1", "-"}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    std::vector<std::string> row = words(all[i + 1]);
    CHECK(row.size() == 7);
    row.resize(4);
    CHECK(row == expected[i]);
  }
  CHECK(words(all[4]) == std::vector<std::string>{"b", "b", "1", "-", "-", "-", "-"});
  CHECK(all[5].starts_with("total cost  W          1      pass "));
  CHECK(all[6].starts_with("total cost  b          1      pass "));
  CHECK(all[7] == "check passed");
  CHECK(called.said.starts_with(
      "checked on 2 examples of random inputs, along 2 directions for each parameter, in "));
}

TEST_CASE("the cost of a single term with weight 1 is checked once") {
  const auto rows = check_as_json(small_spec(R"json("a": "sum(W)")json")).json()["rows"];
  CHECK(rows.size() == 2);
  CHECK(rows[0]["term"] == "a");
}

TEST_CASE("a stage is checked for its parameters, and for those that no stage reads") {
  const Called called = check(R"json({
    "name": "n", "data": {"set": "bars", "size": 2, "count": 8},
    "model": {
      "parameters": {"W": [4, 3], "V": [3, 2], "u": [2]},
      "define": {"h": "sigmoid(x @ W)", "g": "h @ V"}
    },
    "stages": [
      {"name": "one", "cost": {"a": "mean(square(h))"}, "train": {"batch": 2}},
      {"name": "two", "cost": {"b": "mean(square(g))"}, "train": {"batch": 2}}
    ]
  })json");
  CHECK(called.code == 0);
  std::set<std::string> rows;
  for (const std::string& line : lines(called.out))
    if (const auto w = words(line); w.size() > 4 && (w[0] == "one:" || w[0] == "two:"))
      rows.insert(w[0] + w[2] + ' ' + w[4]);
  CHECK(rows ==
        std::set<std::string>{"one:W pass", "one:u -", "two:W pass", "two:V pass", "two:u -"});
}

TEST_CASE("a stage whose terms read no parameter is checked for all of them") {
  const Called called = check(R"json({
    "name": "n", "data": {"set": "bars", "size": 2, "count": 8},
    "model": {"parameters": {"W": [4, 3]}, "define": {"h": "sigmoid(x @ W)"}},
    "stages": [
      {"name": "one", "cost": {"a": "mean(square(h))"}, "train": {"batch": 2}},
      {"name": "two", "cost": {"b": "log(mean(x) - mean(x))"}, "train": {"batch": 2}}
    ]
  })json");
  CHECK(called.code == kExitCheckFailed);
  CHECK(called.out.find("not finite") != std::string::npos);
}

TEST_CASE("check gives rows as JSON") {
  const auto json = check_as_json(kTwoTerms).json();
  CHECK(json["passed"] == true);
  CHECK(json["examples"] == 2);
  CHECK(json["directions"] == 2);
  CHECK(json["seed"] == 1);
  CHECK(json["inputs"] == "random inputs");
  REQUIRE(json["rows"].size() == 6);
  const auto row = json["rows"][0];
  CHECK(row["term"] == "a");
  CHECK(row["parameter"] == "W");
  CHECK(row["order"] == 1);
  CHECK(row["verdict"] == "pass");
  CHECK(row["error"].get<double>() < 1e-12);
  CHECK(row["double_deviation"].get<double>() < 1);
  CHECK(row["float_deviation"].get<double>() < 1);
  CHECK_FALSE(row.contains("element"));
  CHECK(json["rows"][3]["verdict"] == "unused");
}

TEST_CASE("order 2 adds a row for each second derivative") {
  CheckCommand command;
  command.order = 2;
  const auto json = check_as_json(kTwoTerms, command).json();
  CHECK(json["passed"] == true);
  REQUIRE(json["rows"].size() == 12);
  CHECK(json["rows"][6]["order"] == 2);
  CHECK(json["rows"][6]["verdict"] == "pass");
}

TEST_CASE("a relu at exactly 0 is a kink and no failure") {
  const Called called = check(small_spec(R"json("a": "sum(relu(W - stop_gradient(W)))")json"));
  CHECK(called.code == 0);
  const std::vector<std::string> all = lines(called.out);
  CHECK(words(all[1])[3] == "kink");
  CHECK(all.back() == "check passed");
  CHECK(called.out.find("kink: term 'a', parameter 'W', order 1\n"
                        "  the value has a kink or a jump here, as relu has at 0, so that there is "
                        "no one slope: no failure\n") != std::string::npos);
  CHECK(called.out.find("operation: op 'relu'") != std::string::npos);
}

TEST_CASE("a value that is not finite fails the check and names its operation") {
  const Called called =
      check(small_spec(R"json("a": "sum(log(W - stop_gradient(W)))", "c": "sum(b)")json"));
  CHECK(called.code == kExitCheckFailed);
  CHECK(called.out.find("not finite: term 'a', parameter 'W', order 1\n"
                        "  the value or its gradient is not a finite number\n"
                        "  operation: op 'log'") != std::string::npos);
  CHECK(called.out.find("\nto reproduce: jacquard check ") != std::string::npos);
  CHECK(called.out.find(" --order 1 --examples 2 --directions 2 --seed 1\n") != std::string::npos);
  CHECK(called.out.ends_with("check failed: 4 of 6\n"));
  const auto json =
      check_as_json(small_spec(R"json("a": "sum(log(W - stop_gradient(W)))")json")).json();
  CHECK(json["passed"] == false);
  CHECK(json["rows"][0]["float_deviation"].is_null());
}

TEST_CASE("a wrong rule and a wrong plan are told with all that is known") {
  CheckReport report;
  CheckRow row;
  row.term = "penalty";
  row.parameter = "W";
  row.verdict = Verdict::kWrongRule;
  row.error = 0.25;
  row.element = "W[3, 17]";
  row.exact = 2.5;
  row.numeric = 2;
  row.slope_left = row.slope_right = 2;
  row.operation = "op 'abs' (%42 'h')";
  report.rows.push_back(row);
  row.verdict = Verdict::kWrongPlan;
  row.element = "";
  row.double_error = 0.5;
  row.float_error = 40;
  row.operation = "pass 'fold'";
  report.rows.push_back(row);
  CheckRow unused;
  unused.term = "penalty";
  unused.parameter = "b";
  unused.verdict = Verdict::kUnused;
  report.rows.push_back(unused);
  CHECK(check_table(report) ==
        "term     parameter  order  verdict     rule error  double  float\n"
        "penalty  W          1      wrong rule  2.5e-01     0.00    0.00\n"
        "penalty  W          1      wrong plan  2.5e-01     0.50    40.00\n"
        "penalty  b          1      -           -           -       -\n");
  CHECK(check_details(report) ==
        "wrong rule: term 'penalty', parameter 'W', order 1\n"
        "  the gradient on the tape is not the slope\n"
        "  worst element W[3, 17]: gradient 2.5, numeric slope 2\n"
        "  slope to the left 2, to the right 2\n"
        "  operation: op 'abs' (%42 'h')\n"
        "\n"
        "wrong plan: term 'penalty', parameter 'W', order 1\n"
        "  the gradient on the tape is right, but a plan that computes it in float or double is "
        "off by more than rounding explains\n"
        "  share of the allowed deviation: double 0.5, float 40 (at most 1 is allowed)\n"
        "  operation: pass 'fold'\n");
  CHECK(check_conclusion(report) == "check failed: 2 of 3");
  const auto json = check_row_json(report.rows[0]);
  CHECK(json["element"] == "W[3, 17]");
  CHECK(json["gradient"] == 2.5);
  CHECK(json["slope"] == 2);
  CHECK(json["operation"] == "op 'abs' (%42 'h')");
}

TEST_CASE("mistakes in texts are told at their places before anything is computed") {
  CHECK(
      failure<InvalidSpec>(small_spec(R"json("a": "sum(V)", "c": "h")json")) ==
      R"json(spec.json:8:22: error at /cost/a: unknown name 'V'; known names: W, b, epoch, h, labels, step, x
    8 |   "cost": {"a": "sum(V)", "c": "h"}
      |                      ^
spec.json:8:33: error at /cost/c: the value has shape [2, 2], a scalar is needed; take mean() or sum() of it
    8 |   "cost": {"a": "sum(V)", "c": "h"}
      |                                 ^)json");
}

TEST_CASE("a model without parameters cannot be checked") {
  CHECK(failure<SpecError>(R"json({"name": "n", "model": {"inputs": {"x": [2]}},
                               "cost": {"a": "mean(x)"}})json") ==
        "check: the model has no parameters; there is no gradient to check");
}

TEST_CASE("parameters too large for the check are refused before they are made") {
  CHECK(failure<SpecError>(R"json({"name": "n", "model": {"parameters": {"W": [65536, 65535]}},
                               "cost": {"a": "sum(W)"}})json") ==
        "check: 4294901760 parameters need 274.9 GB in quad precision; memory_limit_gb allows "
        "8.6 GB");
}

TEST_CASE("what a data section cannot mean is told at its place in the file") {
  const std::string spec = R"json({"name": "n",
  "data": {"set": "bars", "count": 10, "valid": 30},
  "model": {"parameters": {"W": [64]}}, "cost": {"a": "mean(x @ W)"}})json";
  CHECK(failure<InvalidSpec>(spec).starts_with(
      "spec.json:2:49: error at /data/valid: 30 validation examples are asked for, 10 examples "
      "are there"));
}

TEST_CASE("more examples than there are is a mistake of the command line") {
  const std::string spec = R"json({"name": "n", "data": {"set": "bars", "count": 10},
                               "model": {"parameters": {"W": [64]}}, "cost": {"a": "mean(x @ W)"}})json";
  CheckCommand command;
  command.examples = 11;
  CHECK(failure<UsageError>(spec, command) == "--examples 11: the training part has only 10");
}

TEST_CASE("the base point is the initial values and noise that depends on the seed alone") {
  const std::string spec = small_spec(R"json("a": "sum(W)")json");
  const BasePoint point = point_of(spec, 4, 7);
  CHECK(point.values.at("b").shape == Shape{2});
  for (const double v : point.values.at("b").data) CHECK(v != 0);  // initial values are 0
  CHECK(point.values.at("b") == point_of(spec, 4, 7).values.at("b"));
  CHECK(point.values.at("b") != point_of(spec, 4, 8).values.at("b"));
  CHECK(point.values.at("epoch") == Tensor<double>({}, 1.0));
  CHECK(point.values.at("step") == Tensor<double>({}, 0.0));
}

TEST_CASE("inputs without data are drawn from their range, labels as whole numbers") {
  const std::string spec = R"json({"name": "n", "model": {
      "inputs": {"x": {"shape": [50], "low": -3, "high": -2}, "z": [50],
                 "labels": {"shape": [], "low": 2, "high": 4}},
      "parameters": {"W": [50]}}, "cost": {"a": "mean(x @ W)"}})json";
  const BasePoint point = point_of(spec, 200, 1);
  CHECK(point.inputs == "random inputs");
  CHECK(point.values.at("x").shape == Shape{200, 50});
  for (const double v : point.values.at("x").data) {
    CHECK(v > -3);
    CHECK(v < -2);
  }
  for (const double v : point.values.at("z").data) {
    CHECK(v > 0);
    CHECK(v < 1);
  }
  const auto& labels = point.values.at("labels");
  CHECK(labels.shape == Shape{200});
  CHECK(std::set<double>(labels.data.begin(), labels.data.end()) == std::set<double>{2, 3, 4});
}

TEST_CASE("inputs are the first examples of the training part") {
  const std::string spec = R"json({"name": "n", "seed": 5,
      "data": {"set": "bars", "count": 40, "valid": 10, "test": 5},
      "model": {"parameters": {"W": [64]}}, "cost": {"a": "mean(x @ W)"}})json";
  const BasePoint point = point_of(spec, 3, 1);
  CHECK(point.inputs == "bars");
  DataSpec data;
  data.set = "bars";
  data.count = 40;
  data.valid = 10;
  data.test = 5;
  const Tensor<float> expected = load_data(data, 5).train.arrays.at("x").values();
  const Tensor<double>& x = point.values.at("x");
  REQUIRE(x.shape == Shape{3, 64});
  for (std::int64_t i = 0; i < x.size(); ++i) CHECK(x[i] == static_cast<double>(expected[i]));
}

TEST_CASE("a data set that is missing is replaced by random inputs, and that is said") {
  const TemporaryFolder empty;
  const Variable data("JACQUARD_DATA", empty.path().c_str());
  const std::string spec = R"json({"name": "n", "data": {"set": "mnist"},
      "model": {"parameters": {"W": [784]}}, "cost": {"a": "mean(x @ W)"}})json";
  std::string said;
  const BasePoint point = point_of(spec, 100, 1, &said);
  CHECK(said ==
        "the data set mnist is missing: the check uses random inputs instead (jacquard data get "
        "mnist brings it)\n");
  CHECK(point.inputs == "random inputs");
  CHECK(point.values.at("x").shape == Shape{100, 784});
  const auto& labels = point.values.at("labels").data;
  for (const double v : labels) CHECK(v == std::floor(v));
  CHECK(std::set<double>(labels.begin(), labels.end()).size() == 10);
  CHECK(check(spec).code == 0);
}

}  // namespace jacquard::experiments
