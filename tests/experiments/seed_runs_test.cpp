// Runs with several seeds, and their mean and spread.
#include "experiments/seed_runs.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "experiments/failure.hpp"
#include "experiments/file.hpp"
#include "tests/experiments/command_call.hpp"

using namespace jacquard;
using namespace jacquard::experiments;

namespace {

constexpr const char* kSpec = R"json({
  "name": "seeded", "data": {"set": "bars", "size": 4, "count": 60, "valid": 20, "test": 0},
  "model": {"kind": "autoencoder", "hidden": 3},
  "cost": {"reconstruction": "mean(cross_entropy_logits(logits, x))"},
  "train": {"batch": 10, "epochs": 2}
})json";

Called run_seeded(const std::filesystem::path& spec, const std::filesystem::path& out,
                  const std::string& seeds, std::optional<std::uint64_t> stop_after = {}) {
  RunCommand command;
  command.spec.path = spec.native();
  command.out = out;
  command.seeds = seeds;
  command.stop_after = stop_after;
  return call([&](auto& o, auto& talk) { return run_command(command, o, talk); });
}

nlohmann::json json_of(const std::filesystem::path& path) {
  return nlohmann::json::parse(read_file<Error>(path));
}

}  // namespace

TEST_CASE("seeds are read as ranges and lists") {
  using Seeds = std::vector<std::uint64_t>;
  CHECK(parse_seeds("1..5") == Seeds{1, 2, 3, 4, 5});
  CHECK(parse_seeds("7") == Seeds{7});
  CHECK(parse_seeds("4,1,8..9") == Seeds{4, 1, 8, 9});
  for (const char* wrong :
       {"", "a", "1-5", "5..1", "1,", "1,1", "2,1..3", "1..100000", "-1", "1.5"}) {
    CAPTURE(wrong);
    CHECK_THROWS_AS(parse_seeds(wrong), UsageError);
  }
}

TEST_CASE("mean, deviation and interval are those of statistics") {
  const Spread s = spread_of({1, 2, 3, 4, 5});
  CHECK(s.mean == doctest::Approx(3));
  CHECK(s.deviation == doctest::Approx(std::sqrt(2.5)));
  CHECK(s.count == 5);
  CHECK(s.interval == doctest::Approx(2.7764 * std::sqrt(2.5) / std::sqrt(5.0)).epsilon(1e-4));
  CHECK(std::isnan(spread_of({2}).deviation));
  CHECK(spread_of({2}).mean == 2);
}

// The quantile is where the density, summed numerically, has 0.475 of its mass on one side.
TEST_CASE("the quantile of Student's distribution holds 97.5 per cent") {
  for (const int degrees : {1, 2, 5, 20, 21, 30, 60, 200}) {
    const double n = degrees, to = student_quantile(degrees);
    const double scale =
        std::exp(std::lgamma((n + 1) / 2) - std::lgamma(n / 2)) / std::sqrt(n * std::acos(-1.0));
    double mass = 0;
    const int pieces = 100000;
    for (int i = 0; i < pieces; ++i) {
      const double t = to * (i + 0.5) / pieces;
      mass += scale * std::pow(1 + t * t / n, -(n + 1) / 2) * to / pieces;
    }
    CAPTURE(degrees);
    CHECK(mass == doctest::Approx(0.475).epsilon(2e-4));
  }
}

TEST_CASE("each seed has a run of its own, and the summary their spread") {
  const TemporaryFolder folder;
  const auto spec = folder.put("spec.json", kSpec);
  const Called called = run_seeded(spec, folder / "all", "3..5");
  CHECK(called.code == 0);
  const auto summary = json_of(folder / "all/summary.json");
  CHECK(summary["seeds"] == nlohmann::json({3, 4, 5}));
  double mean = 0;
  for (const int seed : {3, 4, 5}) {
    const auto one = json_of(folder / cat("all/seed-", seed, "/summary.json"));
    CHECK(one["seed"] == seed);
    mean += one["best"]["valid/cost"].get<double>() / 3;
  }
  CHECK(summary["metrics"]["best: valid/cost"]["mean"].get<double>() == doctest::Approx(mean));
  CHECK(summary["metrics"]["best: valid/cost"]["count"] == 3);
  CHECK(called.out.find("best: valid/cost") != std::string::npos);

  // What is finished is not run again; a further seed is.
  const auto before = std::filesystem::last_write_time(folder / "all/seed-3/metrics.jsonl");
  CHECK(run_seeded(spec, folder / "all", "3..6").code == 0);
  CHECK(std::filesystem::last_write_time(folder / "all/seed-3/metrics.jsonl") == before);
  CHECK(json_of(folder / "all/summary.json")["metrics"]["best: valid/cost"]["count"] == 4);
}

TEST_CASE("what was interrupted goes on, and seeds that fail do not stop the others") {
  const TemporaryFolder folder;
  const auto spec = folder.put("spec.json", kSpec);
  CHECK(run_seeded(spec, folder / "all", "1..2", 5).code == kExitRequeue);
  CHECK_FALSE(std::filesystem::exists(folder / "all/summary.json"));
  folder.put("all/seed-2/stranger", "");
  const Called called = run_seeded(spec, folder / "all", "1..3");
  CHECK(called.code == kExitFailure);
  const auto summary = json_of(folder / "all/summary.json");
  CHECK(summary["seeds"] == nlohmann::json({1, 3}));
  REQUIRE(summary["failed"].size() == 1);
  CHECK(summary["failed"][0].get<std::string>().starts_with("seed 2: "));
  CHECK(called.out.find("failed  seed 2: ") != std::string::npos);
}

TEST_CASE("a spec may name its seeds") {
  const TemporaryFolder folder;
  std::string text = kSpec;
  text.replace(text.find("\"name\""), 6, "\"seeds\": [8, 9], \"name\"");
  const Called called = run_seeded(folder.put("spec.json", text), folder / "all", "");
  CHECK(called.code == 0);
  CHECK(json_of(folder / "all/summary.json")["seeds"] == nlohmann::json({8, 9}));
}
