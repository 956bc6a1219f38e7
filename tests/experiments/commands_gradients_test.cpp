// Values worked out by hand; those of another framework are in gradients_oracle_test.cpp.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>

#include "experiments/failure.hpp"
#include "experiments/npy.hpp"
#include "tests/experiments/command_call.hpp"

namespace jacquard::experiments {
namespace {

using Arrays = NamedArrays<double>;

const std::string kSpec = R"json({
  "name": "linear",
  "model": {"parameters": {"w": [2], "unused": [3]}, "define": {"y": "x @ w"}},
  "cost": {"fit": {"weight": 2, "value": "sum((y - t)^2)"}, "decay": "sum(w^2)"},
  "monitor": {"largest": "max(y)"}
})json";

const Arrays kParameters = {{"w", Tensor<double>({2}, {1.0, -2.0})},
                            {"unused", Tensor<double>({3}, {1.0, 1.0, 1.0})}};
const Arrays kData = {{"x", Tensor<double>({3, 2}, {1.0, 2.0, 0.0, 1.0, 3.0, 1.0})},
                      {"t", Tensor<double>({3}, {0.0, -1.0, 2.0})}};

struct Given {
  std::string spec = kSpec;
  Arrays parameters = kParameters;
  Arrays data = kData;
  GradientsCommand command = {};
};

struct Answer : Called {
  Arrays arrays;

  const Tensor<double>& operator[](const std::string& name) const {
    for (const auto& array : arrays)
      if (array.name == name) return array.values;
    FAIL("no array " << name);
    return arrays[0].values;
  }
};

Answer evaluate(const Given& given) {
  const TemporaryFolder folder;
  GradientsCommand command = given.command;
  command.spec.path = folder.put("spec.json", given.spec).string();
  command.parameters = folder / "P.npz";
  command.data = folder / "D.npz";
  command.out = folder / "R.npz";
  write_npz(command.parameters, given.parameters);
  write_npz(command.data, given.data);
  Answer answer;
  static_cast<Called&>(answer) =
      call([&](std::ostream& out, Talk& talk) { return gradients_command(command, out, talk); });
  answer.arrays = read_npz<double>(command.out);
  const std::string name = folder.path().string() + '/';
  for (std::size_t at; (at = answer.said.find(name)) != std::string::npos;)
    answer.said.erase(at, name.size());
  return answer;
}

// The error of type E, without the folder in the names of files.
template <class E = SpecError>
std::string failure(const Given& given) {
  std::string text = message_of<E>([&] { evaluate(given); });
  const std::string folder = "/jacquard-test-";
  for (std::size_t at; (at = text.find(folder)) != std::string::npos;) {
    const std::size_t begin = text.find_last_of(" '", at) + 1;
    text.erase(begin, text.find('/', at + 1) + 1 - begin);
  }
  return text;
}

}  // namespace

TEST_CASE("gradients writes the cost, the terms, the gradients and the monitors") {
  // y = (-3, -2, 1), y - t = (-3, -1, -1).
  const Answer answer = evaluate({});
  CHECK(answer.code == 0);
  CHECK(answer.out.empty());
  CHECK(answer.said ==
        "warning: the cost does not depend on parameter 'unused'; its gradient is 0\n");
  std::vector<std::string> names;
  for (const auto& array : answer.arrays) {
    names.push_back(array.name);
    CHECK(array.dtype == "<f8");
  }
  CHECK(names == std::vector<std::string>{"cost", "terms/fit", "terms/decay", "grad/w",
                                          "grad/unused", "monitor/largest"});
  CHECK(answer["cost"] == Tensor<double>({}, 27.0));
  CHECK(answer["terms/fit"] == Tensor<double>({}, 11.0));
  CHECK(answer["terms/decay"] == Tensor<double>({}, 5.0));
  CHECK(answer["grad/w"] == Tensor<double>({2}, {4.0 * (-3 - 3) + 2, 4.0 * (-6 - 1 - 1) - 4}));
  CHECK(answer["grad/unused"] == Tensor<double>({3}, 0.0));
  CHECK(answer["monitor/largest"] == Tensor<double>({}, 1.0));
}

TEST_CASE("float gives float") {
  Given given;
  given.command.precision = Precision::kFloat;
  const Answer answer = evaluate(given);
  for (const auto& array : answer.arrays) CHECK(array.dtype == "<f4");
  CHECK(answer["grad/w"] == Tensor<double>({2}, {-22.0, -36.0}));
}

TEST_CASE("step, epoch and seed are those of the command line") {
  Given given;
  given.spec = R"json({"name": "n", "seed": 3, "model": {"parameters": {"w": [2]}},
      "cost": {"noise": "sum(x * normal(x)) + sum(w)", "time": "epoch + 100 * step"}})json";
  given.parameters = {kParameters[0]};
  given.data = {kData[0]};
  const double noise = evaluate(given)["terms/noise"][0];
  CHECK(evaluate(given)["terms/noise"][0] == noise);
  CHECK(evaluate(given)["terms/time"][0] == 1);
  given.command.epoch = 7;
  given.command.step = 2;
  CHECK(evaluate(given)["terms/time"][0] == 207);
  CHECK(evaluate(given)["terms/noise"][0] != noise);
  given.command.step = 0;
  given.command.seed = 3;
  CHECK(evaluate(given)["terms/noise"][0] == noise);
  given.command.seed = 4;
  CHECK(evaluate(given)["terms/noise"][0] != noise);
}

TEST_CASE("arrays that the spec does not use are ignored with a warning") {
  Given given;
  given.data.push_back({"w", Tensor<double>({7}, 0.0)});
  given.data.push_back({"more", Tensor<double>({}, 0.0)});
  const Answer answer = evaluate(given);
  CHECK(
      answer.said.starts_with("warning: data 'D.npz': the spec does not use array 'w'\n"
                              "warning: data 'D.npz': the spec does not use array 'more'\n"));
  CHECK(answer["cost"] == Tensor<double>({}, 27.0));
}

TEST_CASE("gradients needs no data set, also when the spec names one") {
  Given given;
  given.spec.insert(1, R"("data": {"set": "npz", "file": "nowhere.npz"},)");
  CHECK(evaluate(given)["cost"][0] == 27);
}

TEST_CASE("a cost that is not finite is written and said") {
  Given given;
  given.parameters[0].values[0] = std::numeric_limits<double>::infinity();
  const Answer answer = evaluate(given);
  CHECK(answer.code == 0);
  CHECK(answer.said.ends_with("warning: the cost is not finite: nan\n"));
}

TEST_CASE("arrays that are missing, too many or of another shape are told") {
  Given given;
  given.parameters.pop_back();
  CHECK(failure(given) == "parameters 'P.npz': there is no array 'unused'; there are: w");
  given = {};
  given.parameters.push_back({"W", Tensor<double>({2}, 0.0)});
  CHECK(failure(given) == "parameters 'P.npz': the spec has no parameter 'W'; did you mean 'w'?");
  given = {};
  given.parameters[0].values = Tensor<double>({2, 1}, 0.0);
  CHECK(failure(given) == "parameters 'P.npz': array 'w' has shape [2, 1], the spec declares [2]");
  given = {};
  given.data[1].values = Tensor<double>({2}, 0.0);
  CHECK(failure(given) ==
        "data 'D.npz': array 't' has 2 examples, 'x' has 3; all must have the same number");
  given.data[1].values = Tensor<double>({}, 0.0);
  CHECK(failure(given) ==
        "data 'D.npz': array 't' is a single number; its first axis must be the batch");
  given = {};
  given.data = {{"x", Tensor<double>(Shape{0, 2})}, {"t", Tensor<double>(Shape{0})}};
  CHECK(failure(given) == "data 'D.npz': array 'x' has no examples; at least one is needed");
}

TEST_CASE("an input that the spec declares must be there, in its shape") {
  Given given;
  const std::string where = "\"model\": {";
  given.spec.insert(given.spec.find(where) + where.size(), R"("inputs": {"x": [2], "t": []}, )");
  CHECK(evaluate(given)["cost"][0] == 27);
  given.data.pop_back();
  CHECK(failure(given) == "data 'D.npz': there is no array 't', which the spec uses; there are: x");
  given = {};
  given.spec.insert(given.spec.find(where) + where.size(), R"("inputs": {"x": [3], "t": []}, )");
  CHECK(failure(given) == "data 'D.npz': an example of 'x' has shape [2], the spec declares [3]");
}

TEST_CASE("an input of which nothing is known is an unknown name at its place") {
  Given given;
  given.data.erase(given.data.begin());
  CHECK(failure<InvalidSpec>(given).find("/model/define/y: unknown name 'x'") != std::string::npos);
}

TEST_CASE("files that are not named or not there are told") {
  const TemporaryFolder folder;
  GradientsCommand command;
  command.spec.path = folder.put("spec.json", kSpec).string();
  const auto message = [&]<class E>(E*) {
    return message_of<E>([&] {
      call([&](std::ostream& out, Talk& talk) { return gradients_command(command, out, talk); });
    });
  };
  CHECK(message(static_cast<UsageError*>(nullptr)) ==
        "gradients: --out is missing; it names the .npz file to write");
  command.out = folder / "R.npz";
  CHECK(message(static_cast<UsageError*>(nullptr)) ==
        "gradients: --params is missing; it names a .npz file");
  command.parameters = folder / "none.npz";
  CHECK(message(static_cast<SpecError*>(nullptr)).find("none.npz") != std::string::npos);
  CHECK_FALSE(std::filesystem::exists(command.out));
}

}  // namespace jacquard::experiments
