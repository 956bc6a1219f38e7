// Every rule of the "train" section in a run, compared step by step with a loop that knows nothing
// of Jacquard. The cost is (w - 3)^2 + sum(u), so that w and u show what every step did to them.
#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>
#include <vector>

#include "experiments/file.hpp"
#include "experiments/safetensors.hpp"
#include "tests/experiments/command_call.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

using Lines = std::vector<nlohmann::json>;

struct Ran {
  Lines lines;  // of metrics.jsonl
  std::string log;
  SafeTensors last;
};

// 100 examples in all, 80 to train with: 4 steps in an epoch of batches of 20.
Ran ran(const std::string& train, const std::string& more = "") {
  const TemporaryFolder folder;
  RunCommand command;
  command.spec.path = folder
                          .put("spec.json", R"json({
    "name": "rules", "seed": 1,
    "data": {"set": "gaussian", "size": 2, "count": 100, "valid": 20, "test": 0},
    "model": {"parameters": {"w": {"shape": [], "init": {"kind": "constant", "value": 1}},
                             "u": {"shape": [2, 3], "init": {"kind": "constant", "value": 1}}}})json" +
                                                more + R"json(,
    "cost": {"bowl": "(w - 3)^2 + 0*sum(x)", "slope": "sum(u)"},
    "monitor": {"w": "w", "u": "u[0, 0]", "other_u": "u[1, 2]"},
    "train": )json" + train + "}")
                          .native();
  command.out = folder / "run";
  command.threads = 1;
  const Called called =
      call([&](auto& out, auto& talk) { return run_command(command, out, talk); });
  REQUIRE(called.code == 0);
  Ran result;
  result.log = called.said;
  std::istringstream text(read_file<Error>(folder / "run/metrics.jsonl"));
  for (std::string line; std::getline(text, line);)
    result.lines.push_back(nlohmann::json::parse(line));
  result.last = read_safetensors(folder / "run/checkpoints/last.safetensors");
  return result;
}

// Compares w after every epoch with a loop: `step(w, t)` is w after step t, from 0.
void check_w(const Ran& run, int steps_per_epoch,
             const std::function<double(double w, int t)>& step) {
  REQUIRE(run.lines.size() > 1);
  double w = 1;
  int t = 0;
  for (std::size_t epoch = 0; epoch < run.lines.size(); ++epoch) {
    CAPTURE(epoch);
    CHECK(run.lines[epoch]["valid/w"].get<double>() == doctest::Approx(w).epsilon(1e-5));
    for (int i = 0; i < steps_per_epoch; ++i, ++t) w = step(w, t);
  }
}

// The rate at step t of a schedule: logged, and seen in w.
void check_rate(const std::string& rate, const std::function<double(int t)>& wanted) {
  CAPTURE(rate);
  const bool per_step = rate.find("step") != std::string::npos;
  const Ran run =
      ran(R"({"optimizer": {"kind": "sgd", "rate": )" + rate + R"(}, "batch": 20, "epochs": 12})");
  const auto at = [&](int t) { return wanted(per_step ? t : t / 4); };
  check_w(run, 4, [&](double w, int t) { return w - at(t) * 2 * (w - 3); });
  for (std::size_t epoch = 1; epoch < run.lines.size(); ++epoch)
    CHECK(run.lines[epoch]["rate"].get<double>() ==
          doctest::Approx(at(static_cast<int>(epoch) * 4 - 1)).epsilon(1e-12));
}

}  // namespace

TEST_CASE("rates: constant, by expression, exponential, linear, inverse, annealed, cosine") {
  check_rate("0.05", [](int) { return 0.05; });
  check_rate("\"0.1 / epoch\"", [](int e) { return 0.1 / (e + 1); });
  check_rate(R"({"kind": "exponential", "from": 0.1, "factor": 0.8, "to": 0.02})",
             [](int e) { return std::max(0.02, 0.1 * std::pow(0.8, e)); });
  check_rate(R"({"kind": "exponential", "from": 0.1, "factor": 0.97, "per_step": true})",
             [](int t) { return 0.1 * std::pow(0.97, t); });
  check_rate(R"({"kind": "linear", "from": 0.01, "to": 0.1, "over": 6})",
             [](int e) { return 0.01 + 0.09 * std::min(1.0, e / 6.0); });
  check_rate(R"({"kind": "inverse", "from": 0.1, "half": 3})",
             [](int e) { return 0.1 / (1 + e / 3.0); });
  check_rate(R"({"kind": "annealed", "from": 0.1, "start": 10, "per_step": true})",
             [](int t) { return 0.1 * std::min(1.0, 10.0 / (t + 1)); });
  check_rate(R"({"kind": "cosine", "from": 0.1, "over": 10})", [](int e) {
    return 0.05 * (1 + std::cos(std::acos(-1.0) * std::min(1.0, e / 10.0)));
  });
}

TEST_CASE("a rate that the monitors drive") {
  const Ran run = ran(R"({"optimizer": {"kind": "sgd", "rate": {"kind": "adjusted", "from": 0.9,
      "of": "valid/bowl", "shrink": 0.8, "low_trigger": 0.5, "grow": 1.25, "most": 1.05}}, "batch": 80,
      "epochs": 25})");
  double rate = 0.9, w = 1, before = 4;
  for (int epoch = 1; epoch <= 25; ++epoch) {
    const auto& line = run.lines[static_cast<std::size_t>(epoch)];
    CHECK(line["rate"].get<double>() == doctest::Approx(rate).epsilon(1e-6));
    w -= rate * 2 * (w - 3);
    CHECK(line["valid/w"].get<double>() == doctest::Approx(w).epsilon(1e-4));
    const double now = line["valid/bowl"];
    if (now > before)
      rate *= 0.8;
    else if (now > 0.5 * before)
      rate *= 1.25;
    rate = std::min(1.05, std::max(1e-7, rate));
    before = now;
  }
}

TEST_CASE("a momentum that rises") {
  const Ran run = ran(R"({"optimizer": {"kind": "sgd", "rate": 0.02, "nesterov": true,
      "momentum": {"kind": "linear", "from": 0.5, "to": 0.9, "over": 5}}, "batch": 20, "epochs": 9})");
  double v = 0;
  check_w(run, 4, [&](double w, int t) {
    const double m = 0.5 + 0.4 * std::min(1.0, t / 4 / 5.0), step = 0.02 * 2 * (w - 3);
    v = m * v - step;
    return w + m * v - step;
  });
}

TEST_CASE("factors of the rate, decay, frozen parameters, bounded norms") {
  const Ran run = ran(R"({"optimizer": {"kind": "sgd", "rate": 0.05, "rates": {"u": 0.5}},
      "decay": {"w": 0.3}, "batch": 20, "epochs": 6, "norms": {"u": {"axis": 1, "low": 0.5, "high": 1.6}}})");
  check_w(run, 4, [](double w, int) { return w - 0.05 * 2 * (w - 3) - 0.05 * 0.3 * w; });
  double u = 1;
  for (const auto& line : run.lines) {
    CHECK(line["valid/u"].get<double>() == doctest::Approx(u).epsilon(1e-5));
    for (int i = 0; i < 4; ++i) {
      u -= 0.025;
      const double norm = std::sqrt(3 * u * u);
      u *= std::clamp(norm, 0.5, 1.6) / norm;
    }
  }
  const Ran frozen =
      ran(R"({"optimizer": {"kind": "adam", "rate": 0.05}, "frozen": ["u"], "epochs": 3,
      "batch": 20})");
  CHECK(frozen.lines.back()["valid/u"] == 1.0);
  CHECK(frozen.lines.back()["valid/w"] != 1.0);
}

TEST_CASE("the running average of the parameters") {
  const Ran run = ran(R"({"optimizer": {"kind": "sgd", "rate": 0.05}, "batch": 20, "epochs": 5,
      "average": {"from_epoch": 3}})");
  double w = 1, sum = 0;
  for (int t = 0; t < 20; ++t) {
    w -= 0.05 * 2 * (w - 3);
    if (t >= 8) sum += w;
  }
  CHECK(tensor<float>(run.last, "average/w")[0] == doctest::Approx(sum / 12).epsilon(1e-5));
}

TEST_CASE("rules that end a training") {
  // Steps of 0.3: (w - 3) shrinks to 0.4 of itself in every epoch of one step, the cost bowl to
  // 0.16.
  const auto ends = [](const std::string& stop) {
    const Ran run =
        ran(R"({"optimizer": {"kind": "sgd", "rate": 0.3, "rates": {"u": 0}}, "batch": 80,
        "epochs": 30, "stop": [)" +
            stop + "]}");
    CAPTURE(run.log);
    return static_cast<int>(run.lines.size()) - 1;
  };
  // After epoch e the bowl is 4 * 0.16^e, the cost 6 more.
  const auto bowl = [](int e) { return 4 * std::pow(0.16, e); };
  const auto first = [](const std::function<bool(int)>& holds) {
    int e = 0;
    while (!holds(e)) ++e;
    return e;
  };
  CHECK(ends(R"({"kind": "target", "of": "valid/bowl", "value": 0.01})") ==
        first([&](int e) { return bowl(e) <= 0.01; }));
  CHECK(ends(R"({"kind": "target", "of": "valid/w", "value": 2.9, "higher": true})") ==
        first([&](int e) { return 3 - std::sqrt(bowl(e)) >= 2.9; }));
  // Without a name a rule looks at the cost of the last set.
  CHECK(ends(R"({"kind": "no_improvement", "checks": 3, "by": 0.001})") ==
        first([&](int e) { return e >= 3 && !(6 + bowl(e) < (1 - 0.001) * (6 + bowl(e - 3))); }));
  CHECK(ends(R"({"kind": "countdown", "checks": 4, "decrease": 0.01})") == first([&](int e) {
          int left = 4;
          double best = INFINITY;
          for (int i = 0; i <= e; ++i) {
            left = 6 + bowl(i) < 0.99 * best ? 4 : left - 1;
            best = std::min(best, 6 + bowl(i));
          }
          return left == 0;
        }));
  const std::string two = R"([{"kind": "target", "of": "valid/bowl", "value": 0.01},
                              {"kind": "target", "of": "valid/bowl", "value": 0.0001}])";
  CHECK(ends(R"({"any": )" + two + "}") == first([&](int e) { return bowl(e) <= 0.01; }));
  CHECK(ends(R"({"all": )" + two + "}") == first([&](int e) { return bowl(e) <= 0.0001; }));
  CHECK(ran(R"({"batch": 80, "epochs": 7})").lines.size() == 8);
}

TEST_CASE("no epoch begins after the time is over") {
  const Ran run =
      ran(R"({"optimizer": {"kind": "sgd", "rate": 1e-6}, "batch": 20, "epochs": 100000000,
      "seconds": 0.2, "monitor_sets": ["valid"]})");
  CHECK(run.lines.size() > 2);
  CHECK(run.log.find("the time of 0.2 s is over after epoch") != std::string::npos);
}

TEST_CASE(
    "the best epoch is chosen by the metric that is named, and its parameters can be the last") {
  // w goes from 1 to 3 by steps of 2 * rate * (3 - w); the bowl is best at the end, w is least at
  // the beginning.
  const Ran run = ran(R"({"optimizer": {"kind": "sgd", "rate": 0.1}, "batch": 80, "epochs": 6,
      "best": {"of": "valid/w", "restore": true}})");
  CHECK(run.log.find("the parameters are those of epoch 0, the best one") != std::string::npos);
  const Ran higher = ran(R"({"optimizer": {"kind": "sgd", "rate": 0.1}, "batch": 80, "epochs": 6,
      "best": {"of": "valid/w", "higher": true, "restore": true}})");
  CHECK(higher.log.find("the parameters are those of epoch 6, the best one") != std::string::npos);
}

TEST_CASE("monitors look at the sets and the number of batches that are asked for") {
  const Ran run =
      ran(R"({"batch": 20, "epochs": 1, "monitor_sets": ["train"], "monitor_batches": 1})");
  CHECK(run.lines[0].contains("train/cost"));
  CHECK_FALSE(run.lines[0].contains("valid/cost"));
}

TEST_CASE("minimizers see the whole set and end where they find nothing better") {
  for (const char* kind : {"lbfgs", "conjugate_gradient"}) {
    const Ran run =
        ran(cat(R"({"optimizer": {"kind": ")", kind, R"("}, "frozen": ["u"], "epochs": 50})"));
    CHECK(run.lines.back()["valid/w"].get<double>() == doctest::Approx(3).epsilon(1e-6));
    CHECK(run.lines.size() < 20);
    CHECK(run.log.find("the minimizer finds no lower cost") != std::string::npos);
    // In float no step helps sooner: costs that differ by less are one.
    const Ran rough = ran(cat(R"({"optimizer": {"kind": ")", kind,
                              R"(", "precision": "f32"}, "frozen": ["u"], "epochs": 50})"));
    CHECK(rough.lines.back()["valid/w"].get<double>() == doctest::Approx(3).epsilon(1e-3));
    CHECK(rough.lines.back()["train/cost"].get<double>() ==
          doctest::Approx(run.lines.back()["train/cost"].get<double>()).epsilon(1e-6));
    CHECK(rough.log.find("the minimizer finds no lower cost") != std::string::npos);
  }
}

TEST_CASE("names that are no parameters or metrics are told with their places") {
  const auto refusal = [](const std::string& train) {
    try {
      ran(train);
    } catch (const InvalidSpec& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  CHECK(refusal(R"({"decay": {"W": 1}})").find("there is no parameter 'W'") != std::string::npos);
  CHECK(refusal(R"({"frozen": ["v"]})").find("at /train/frozen/0") != std::string::npos);
  CHECK(refusal(R"({"norms": {"u": {"axis": 2}}})").find("it has the axes 0 to 1") !=
        std::string::npos);
  CHECK(refusal(R"({"best": {"of": "valid/cots"}})").find("did you mean 'valid/cost'?") !=
        std::string::npos);
  CHECK(refusal(R"({"stop": [{"any": [{"kind": "target", "of": "test/cost", "value": 1}]}]})")
            .find("at /train/stop/0/any/0/of") != std::string::npos);
  CHECK(refusal(R"({"optimizer": {"kind": "lbfgs"}, "decay": {"w": 1}})").find("'decay' changes") !=
        std::string::npos);
  CHECK(refusal(R"({"optimizer": {"kind": "lbfgs", "precision": "float"}})")
            .find("at /train/optimizer/precision") != std::string::npos);
  // A kind that is unknown is one mistake, whatever options stand beside it.
  const std::string kind = refusal(R"({"optimizer": {"kind": "adamm", "beta1": 0.5}})");
  CHECK(kind.find("unknown kind 'adamm'; did you mean 'adam'?") != std::string::npos);
  CHECK(kind.find("beta1") == kind.rfind("beta1"));  // only in the line that is shown
  CHECK(refusal(R"({"optimizer": {"kind": "sgd", "rate": {"kind": "cosin", "from": 1}}})")
            .find("unknown field") == std::string::npos);
  CHECK(refusal(R"({"monitor_sets": ["vaild"]})")
            .find("unknown value 'vaild'; did you mean 'valid'?") != std::string::npos);
}
