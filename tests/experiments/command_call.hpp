// Calling a command of the program as a function: its exit code, results and talk.
#pragma once

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "experiments/commands.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {

struct Called {
  int code = 0;
  std::string out, said;

  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

// act(out, talk) -> exit code.
template <class Act>
Called call(Act act) {
  std::ostringstream out, said;
  Talk talk(said, Screen{});
  Called called;
  called.code = act(out, talk);
  called.out = out.str();
  called.said = said.str();
  return called;
}

// The text of a spec of two inputs and two units, with these terms: "\"a\": \"sum(W)\"".
inline std::string small_spec(const std::string& cost, const std::string& more = "") {
  return R"json({
  "name": "small",
  "model": {
    "inputs": {"x": [3], "labels": []},
    "parameters": {"W": [3, 2], "b": [2]},
    "define": {"h": "sigmoid(x @ W + b)"}
  },
  "cost": {)json" +
         cost + "}" + more + "\n}\n";
}

}  // namespace jacquard::experiments
