#include <doctest/doctest.h>

#include "autodiff/error.hpp"
#include "experiments/cost_text.hpp"
#include "experiments/failure.hpp"
#include "models/language/functions.hpp"
#include "tests/experiments/command_call.hpp"

namespace jacquard::experiments {
namespace {

Called show(const std::string& spec, Aspect aspect = Aspect::kSummary, bool json = false) {
  const TemporaryFolder folder;
  ShowCommand command;
  command.spec.path = folder.put("spec.json", spec).string();
  command.aspect = aspect;
  command.json = json;
  return call([&](std::ostream& out, Talk& talk) { return show_command(command, out, talk); });
}

const std::string kSpec = R"json({
  "name": "cae",
  "model": {
    "inputs": {"x": [20]},
    "parameters": {"W": [20, 100], "b": {"shape": [100], "init": {"kind": "normal", "std": 0.1}}},
    "define": {
      "xe": "masking_noise(x, 0.3)",
      "h": "sigmoid(xe @ W + b)",
      "y": "h @ W.T"
    }
  },
  "functions": {"kl(p, q)": "p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))",
                "unused(p)": "p"},
  "cost": {
    "reconstruction": "mean(squared_error(y, x))",
    "sparsity": {"weight": 0.5, "value": "sum(kl(0.1, mean(h, axis=0)))"},
    "decay": {"weight": -2, "value": "sum(W^2)"}
  },
  "monitor": {"lit": "mean(h > 0.5)"},
  "train": {"optimizer": {"kind": "sgd", "rate": 0.1}, "batch": 10}
})json";

}  // namespace

TEST_CASE("show tells shapes, counts, formulas and what a step costs") {
  const Called called = show(kSpec);
  CHECK(called.code == 0);
  CHECK(called.said.empty());
  const std::size_t step = called.out.find("a training step\n");
  REQUIRE(step != std::string::npos);
  CHECK(called.out.substr(0, step) ==
        R"(cae

inputs (one example)
  x               [20]

parameters
  W               [20, 100]    2,000  glorot_uniform
  b               [100]        100    normal(std=0.1)
  all                          2,100

definitions (batch of 10)
  xe              [10, 20]            masking_noise(x, 0.3)
  h               [10, 100]           sigmoid(xe @ W + b)
  y               [10, 20]            h @ W.T

cost
  reconstruction  weight 1            mean(squared_error(y, x))
  sparsity        weight 0.5          sum(kl(0.1, mean(h, axis=0)))
  decay           weight -2           sum(W^2)

monitors
  lit                                 mean(h > 0.5)

)");
  for (const char* line : {"  nodes ", "  instructions ", "  work ", "  memory "})
    CHECK(called.out.find(line, step) != std::string::npos);
}

TEST_CASE("a plan beyond the spec's memory limit is refused with what to do") {
  const std::string penalty = "\"a\": \"mean(sum(abs(jacobian(y, x)), [1, 2]))\"";
  const auto limited = [&](const char* limit) {
    return R"json({"name": "n", "memory_limit_gb": )json" + std::string(limit) + R"json(,
      "model": {"inputs": {"x": [60]}, "parameters": {"W": [60, 20]},
                "define": {"y": "sigmoid(sigmoid(x @ W) @ W.T)"}},
      "cost": {)json" +
           penalty + R"json(},
      "train": {"optimizer": {"kind": "sgd", "rate": 0.1}, "batch": 40}})json";
  };
  // Smaller parts first.
  CHECK(show(limited("0.0003"), Aspect::kPlan).code == kExitFine);
  try {
    show(limited("0.00001"), Aspect::kPlan);
    FAIL("not refused");
  } catch (const SpecError& error) {
    const std::string text = error.what();
    for (const char* part : {"are needed, the limit is 10.7 kB", "raise memory_limit_gb",
                             "sqnorm_estimate(jacobian(h, x), probes=1) needs a row"})
      CHECK_MESSAGE(text.find(part) != text.npos, text);
  }
}

TEST_CASE("the summary as JSON has the same numbers") {
  const auto json = show(kSpec, Aspect::kSummary, true).json();
  CHECK(json["name"] == "cae");
  CHECK(json["batch"] == 10);
  CHECK(json["parameter_count"] == 2100);
  CHECK(json["parameters"][0] ==
        nlohmann::json{
            {"name", "W"}, {"shape", {20, 100}}, {"count", 2000}, {"initial", "glorot_uniform"}});
  CHECK(json["definitions"][1]["shape"] == nlohmann::json{10, 100});
  CHECK(json["terms"][1] == nlohmann::json{{"name", "sparsity"},
                                           {"weight", 0.5},
                                           {"value", "sum(kl(0.1, mean(h, axis=0)))"}});
  CHECK(json["nodes"].get<int>() > 10);
  CHECK(json["instructions"].get<int>() > 10);
  CHECK(json["flops"].get<double>() > 10 * 2 * 20 * 100);
  CHECK(json["arena_bytes"].get<int>() > 0);
}

TEST_CASE("the expansion of a spec expands to itself") {
  const std::string expanded = show(kSpec, Aspect::kExpanded).out;
  CHECK(show(expanded, Aspect::kExpanded).out == expanded);
  const std::string from_short_form =
      show(R"json({"name": "n", "data": {"set": "gaussian", "size": 6},
               "model": {"kind": "autoencoder", "hidden": 3}, "cost": {"a": "sum(W)"}})json",
           Aspect::kExpanded)
          .out;
  const auto json = nlohmann::json::parse(from_short_form);
  CHECK(json["model"]["parameters"]["W"]["shape"] == nlohmann::json{6, 3});
  CHECK(json["model"].contains("define"));
}

TEST_CASE("the cost is written out with its definitions, draws and functions by name") {
  const Called called = show(kSpec, Aspect::kCost);
  std::string text = called.out;
  CHECK(text.find(" for a batch of 10\n") != std::string::npos);
  for (std::size_t at; (at = text.find("    value ")) != std::string::npos;)
    text.erase(at, text.find('\n', at) + 1 - at);
  CHECK(text == R"(cost = reconstruction + 0.5 * sparsity - 2 * decay

reconstruction = mean(squared_error(sigmoid(xe @ W + b) @ W.T, x))

sparsity = sum(kl(0.1, mean(sigmoid(xe @ W + b), axis=0)))

decay = sum(W^2)

where
  xe = masking_noise(x, 0.3)
  kl(p, q) = p * log(p / q) + (1 - p) * log((1 - p) / (1 - q))
)");
  const auto json = show(kSpec, Aspect::kCost, true).json();
  CHECK(json["cost"] == "reconstruction + 0.5 * sparsity - 2 * decay");
  CHECK(json["terms"][2]["text"] == "sum(W^2)");
  CHECK(json["terms"][2]["value_flops"].get<double>() >= 2000);
  CHECK(json["terms"][2]["value_and_gradient_flops"].get<double>() >
        json["terms"][2]["value_flops"].get<double>());
  CHECK(json["where"]["xe"] == "masking_noise(x, 0.3)");
}

TEST_CASE("the cost tells what a penalty on a Jacobian became, its steps and their work") {
  const Called called = show(R"json({
    "name": "cae",
    "model": {
      "inputs": {"x": [784]},
      "parameters": {"W": [784, 256], "b": [256], "V": [256, 100], "c": [784]},
      "define": {"h": "sigmoid(x @ W + b)", "k": "tanh(h @ V)", "logits": "h @ W.T + c"}
    },
    "cost": {
      "reconstruction": "mean(cross_entropy_logits(logits, x))",
      "one": {"weight": 0.2, "value": "mean(sqnorm(jacobian(h, x)))"},
      "two": "mean(sqnorm(jacobian(k, x)))"
    },
    "train": {"optimizer": {"kind": "sgd", "rate": 0.1}, "batch": 100}
  })json",
                             Aspect::kCost);
  CHECK(called.code == 0);
  const auto part = [&](const std::string& from, const std::string& to) {
    const std::size_t at = called.out.find(from);
    REQUIRE(at != std::string::npos);
    return called.out.substr(at, called.out.find(to, at) - at);
  };
  // The quickstart's penalty: no Jacobian is left as written, so nothing is said of the first term.
  CHECK(part("reconstruction = mean", "\n\n").find("\n    = ") == std::string::npos);
  CHECK(part("one = mean", "    value ") ==
        R"(one = mean(sqnorm(jacobian(sigmoid(x @ W + b), x)))
    = 0.01 * sum_{b,i,j} d[b,j]^2 W[i,j]^2
    where d[b,j] = h * (1 - h)
          h = sigmoid(x @ W + b)
    in this order             work         result
      s1[b,j] = d[b,j]^2      25.6 kFLOP   102.4 kB
      s2[i,j] = W[i,j]^2      200.7 kFLOP  802.8 kB
      s3[j] = sum_b s1[b,j]   25.6 kFLOP   1.0 kB
      s4[j] = sum_i s2[i,j]   200.7 kFLOP  1.0 kB
      s5 = sum_j s3[j] s4[j]  512 FLOP     4 B
)");
  const std::string one = part("one = mean", "\n\n"), two = part("two = mean", "\n\n");
  CHECK(one.find(" for a batch of 100; as written ") != std::string::npos);
  CHECK(one.find(" times as much") != std::string::npos);
  CHECK(one.find("digits may be lost") == std::string::npos);
  CHECK(two.find("    = 0.01 * sum_{b,i,k} (sum_j d2[b,k] V[j,k] d1[b,j] W[i,j])^2\n") !=
        std::string::npos);
  CHECK(two.find(" = sum_i W[i,j] W[i,j']") != std::string::npos);
  CHECK(two.find("symmetric\n") != std::string::npos);
  CHECK(two.find("    digits may be lost: the square is taken by Gram matrices; ") !=
        std::string::npos);
}

TEST_CASE("the cost as JSON has formulas, steps and the work of every form") {
  const auto json = show(R"json({
    "name": "deep",
    "model": {"inputs": {"x": [6]}, "parameters": {"W": [6, 5], "V": [5, 4]},
              "define": {"h": "sigmoid(x @ W)", "k": "tanh(h @ V)"}},
    "cost": {"deep": "mean(sqnorm(jacobian(k, x)))", "decay": "sum(W^2)"},
    "train": {"optimizer": {"kind": "sgd", "rate": 0.1}, "batch": 10}
  })json",
                         Aspect::kCost, true)
                        .json();
  const auto& deep = json["terms"][0];
  CHECK(deep["formula"] == "0.1 * sum_{b,i,k} (sum_j d2[b,k] V[j,k] d1[b,j] W[i,j])^2");
  CHECK(deep["where"] == nlohmann::json{"d1[b,j] = h * (1 - h)", "d2[b,k] = 1 - k^2"});
  CHECK(json["where"]["h"] == "sigmoid(x @ W)");
  double bytes = 0, flops = 0;
  bool symmetric = false;
  for (const auto& step : deep["steps"]) {
    CHECK(step["text"].get<std::string>().find(" = ") != std::string::npos);
    flops += step["flops"].get<double>();
    bytes += step["bytes"].get<double>();
    symmetric = symmetric || step["symmetric"].get<bool>();
  }
  CHECK(symmetric);
  CHECK(bytes > 2 * 5 * 5 * 4);
  CHECK(flops < deep["value_flops"].get<double>());
  CHECK(deep["value_and_gradient_flops_as_written"].get<double>() >
        deep["value_and_gradient_flops"].get<double>());
  CHECK(deep["value_and_gradient_flops_careful"].get<double>() >
        deep["value_and_gradient_flops"].get<double>());
  CHECK(deep["may_lose_digits"] == "the square is taken by Gram matrices");
  CHECK_FALSE(json["terms"][1].contains("formula"));
}

TEST_CASE("draws that a penalty reads are told once, after the terms") {
  const Called called = show(R"json({
    "name": "noisy",
    "model": {"inputs": {"x": [6]}, "parameters": {"W": [6, 5]},
              "define": {"xe": "gaussian_noise(x, 0.1)"}},
    "cost": {"a": "mean(sqnorm(jacobian(sigmoid(xe @ W), xe)))"}
  })json",
                             Aspect::kCost);
  CHECK(called.out.find("u1[b,j] = sigmoid(sum_i xe[b,i] W[i,j])\n") != std::string::npos);
  const std::size_t at = called.out.find("xe = gaussian_noise");
  CHECK(at > called.out.find("\nwhere\n"));
  CHECK(called.out.find("xe = gaussian_noise", at + 1) == std::string::npos);
}

TEST_CASE("definitions put in keep their meaning") {
  models::Declarations model;
  model.define = {{"s", "a + b"}, {"c", "a"}, {"n", "-a"}};
  const auto text = [&](const char* term) {
    return written_out(model, {{"t", term}}).terms[0].second;
  };
  CHECK(text("s * 2") == "(a + b) * 2");
  CHECK(text("s.T") == "(a + b).T");
  CHECK(text("s[:, 0]") == "(a + b)[:, 0]");
  CHECK(text("2^n") == "2^-a");
  CHECK(text("n^2") == "(-a)^2");
  CHECK(text("c - s") == "a - (a + b)");
  CHECK(text("sum(s, axis=1)") == "sum(a + b, axis=1)");
}

TEST_CASE("arguments of functions shadow definitions") {
  models::Declarations model;
  model.define = {{"p", "a + b"}, {"q", "a - b"}};
  model.functions = {{"f(p)", "p * q"}};
  const WrittenCost written = written_out(model, {{"t", "f(p)"}});
  CHECK(written.terms[0].second == "f(a + b)");
  CHECK(written.where == std::vector<NamedText>{{"f(p)", "p * (a - b)"}});
}

TEST_CASE("a definition that draws through a function stays a name") {
  models::Declarations model;
  model.functions = {{"noisy(v)", "v + inner(v)"}, {"inner(v)", "normal(v)"}};
  model.define = {{"e", "noisy(x)"}, {"h", "e * 2"}};
  const WrittenCost written = written_out(model, {{"t", "sum(h + e)"}});
  CHECK(written.terms[0].second == "sum(e * 2 + e)");
  CHECK(written.where == std::vector<NamedText>{{"e", "noisy(x)"},
                                                {"inner(v)", "normal(v)"},
                                                {"noisy(v)", "v + inner(v)"}});
}

TEST_CASE("definitions that double keep the text short") {
  models::Declarations model;
  model.define.emplace_back("d0", "x");
  for (int i = 1; i < 200; ++i)
    model.define.emplace_back(cat('d', i), cat('d', i - 1, " * d", i - 1));
  const WrittenCost written = written_out(model, {{"t", "sum(d199)"}});
  std::size_t bytes = written.terms[0].second.size();
  for (const auto& [name, text] : written.where) bytes += text.size();
  CHECK(bytes < 100000);
  CHECK(written.where.size() > 10);
}

TEST_CASE("tape, graph and plan are shown") {
  const std::string tape = show(kSpec, Aspect::kTape).out;
  CHECK(tape.find("= input(\"x\") [10, 20]\n") != std::string::npos);
  CHECK(tape.find("sigmoid(") != std::string::npos);
  const auto nodes = show(kSpec, Aspect::kTape, true).json()["nodes"];
  CHECK(nodes.size() > 20);
  CHECK(nodes[0].contains("op"));
  CHECK(show(kSpec, Aspect::kGraph).out.starts_with("digraph tape {\n"));
  CHECK(show(kSpec, Aspect::kGraph, true).json()["dot"].get<std::string>().starts_with("digraph"));
  CHECK(show(kSpec, Aspect::kPlan).out.find(" instructions, ") != std::string::npos);
  CHECK(show(kSpec, Aspect::kPlan, true).json()["instructions"].get<int>() > 10);
}

TEST_CASE("show needs neither training nor data nor parameters") {
  const Called called = show(R"json({"name": "n", "model": {"inputs": {"x": [2]}},
                                 "cost": {"a": "mean(x)"}})json");
  CHECK(called.code == 0);
  CHECK(called.out.find("cost and gradients\n") != std::string::npos);
}

TEST_CASE("text of a spec cannot steer the terminal") {
  const std::string spec =
      "{\"name\": \"n\", \"model\": {\"parameters\": {\"W\": [2]}}, "
      "\"cost\": {\"a\\u001b[31m\": \"sum(W)\\n\"}}";
  for (const Aspect aspect : {Aspect::kSummary, Aspect::kCost})
    CHECK(show(spec, aspect).out.find('\x1b') == std::string::npos);
}

TEST_CASE("the functions of the language are listed as text, document and JSON") {
  const auto functions = [](bool markdown, bool json) {
    return call(
        [&](std::ostream& out, Talk&) { return show_functions_command(markdown, json, out); });
  };
  CHECK(functions(false, false).out == models::function_table_text());
  CHECK(functions(true, false).out == models::function_table_markdown());
  const auto json = functions(false, true).json();
  REQUIRE(json["functions"].size() == models::functions().size());
  CHECK(json["functions"][0]["signature"] == "abs(t)");
}

}  // namespace jacquard::experiments
