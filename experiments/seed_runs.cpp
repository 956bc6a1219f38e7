#include "experiments/seed_runs.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>

#include "experiments/content_hash.hpp"
#include "experiments/failure.hpp"
#include "experiments/file.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/run_folder.hpp"
#include "experiments/table.hpp"
#include "experiments/trainer.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMostSeeds = 1000;

std::uint64_t number_of(std::string_view text, const std::string& all) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size())
    throw UsageError(cat("--seeds ", in_quotes(std::string_view(all)),
                         ": seeds are whole numbers, as in 1..5 or 1,4,9"));
  return value;
}

// The config of the command without its seed tells families of runs apart.
std::string family_hash(const Spec& spec) {
  Spec without = spec;
  without.seed = 0;
  return hash_text(content_hash(dump_strict(spec_json(without)))).substr(0, 8);
}

RunResult run_seed(const RunCommand& command, std::uint64_t seed, const fs::path& folder,
                   Talk& talk) {
  RunOptions options;
  options.threads = command.threads;
  options.arguments = command.arguments;
  options.stop_after = command.stop_after;
  std::error_code ignored;
  if (fs::exists(folder / "config.json", ignored)) {
    LoadedSpec loaded({(folder / "config.json").string()});
    return with_places(loaded.problems(), [&] {
      return resume(folder, loaded.spec(), options, loaded.problems(), talk);
    });
  }
  SpecChoice choice = command.spec;
  choice.overrides.push_back(cat("seed=", seed));
  LoadedSpec loaded(choice);
  options.spec_text = loaded.text();
  options.out = folder;
  return with_places(loaded.problems(),
                     [&] { return run(loaded.spec(), options, loaded.problems(), talk); });
}

// By group ("last", "best") and metric, in the order of the first run.
using Results = std::vector<std::pair<std::string, std::vector<double>>>;

void add_results(const Json& summary, const char* group, Results& results) {
  if (!summary.contains(group)) return;
  for (const auto& [name, value] : summary[group].items()) {
    const std::string full = cat(group, ": ", name);
    auto at = std::ranges::find(results, full, &Results::value_type::first);
    if (at == results.end()) at = results.insert(results.end(), {full, {}});
    at->second.push_back(value.is_number() ? value.get<double>()
                                           : std::numeric_limits<double>::quiet_NaN());
  }
}

Json spread_json(const Spread& s) {
  return {{"mean", finite_or_null(s.mean)},
          {"deviation", finite_or_null(s.deviation)},
          {"count", s.count},
          {"interval95", finite_or_null(s.interval)}};
}

}  // namespace

std::vector<std::uint64_t> parse_seeds(const std::string& text) {
  std::vector<std::uint64_t> seeds;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const std::string_view part = std::string_view(text).substr(begin, end - begin);
    begin = end + 1;
    const std::size_t dots = part.find("..");
    const std::uint64_t first = number_of(part.substr(0, dots), text);
    const std::uint64_t last =
        dots == std::string_view::npos ? first : number_of(part.substr(dots + 2), text);
    if (last < first)
      throw UsageError(
          cat("--seeds ", in_quotes(std::string_view(text)), ": ", last, " is less than ", first));
    if (last - first >= kMostSeeds || seeds.size() + (last - first) >= kMostSeeds)
      throw UsageError(
          cat("--seeds ", in_quotes(std::string_view(text)), ": more than ", kMostSeeds, " seeds"));
    for (std::uint64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
  }
  std::vector<std::uint64_t> sorted = seeds;
  std::ranges::sort(sorted);
  if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end())
    throw UsageError(
        cat("--seeds ", in_quotes(std::string_view(text)), ": ", *twice, " is there twice"));
  return seeds;
}

double student_quantile(std::int64_t degrees) {
  // Abramowitz and Stegun 1964, table 26.10.
  static constexpr std::array kTable = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646,
                                        2.3060,  2.2622, 2.2281, 2.2010, 2.1788, 2.1604, 2.1448,
                                        2.1314,  2.1199, 2.1098, 2.1009, 2.0930, 2.0860};
  if (degrees < 1) return std::numeric_limits<double>::quiet_NaN();
  if (degrees <= std::ssize(kTable)) return kTable[static_cast<std::size_t>(degrees - 1)];
  // Its expansion 26.7.5 in the degrees of freedom.
  const double z = 1.959964, n = static_cast<double>(degrees);
  return z + (std::pow(z, 3) + z) / (4 * n) +
         (5 * std::pow(z, 5) + 16 * std::pow(z, 3) + 3 * z) / (96 * n * n);
}

Spread spread_of(const std::vector<double>& results) {
  Spread s;
  s.count = std::ssize(results);
  const double n = static_cast<double>(s.count);
  for (const double v : results) s.mean += v / n;
  double squares = 0;
  for (const double v : results) squares += (v - s.mean) * (v - s.mean);
  s.deviation = s.count > 1 ? std::sqrt(squares / (n - 1)) : std::nan("");
  s.interval = student_quantile(s.count - 1) * s.deviation / std::sqrt(n);
  return s;
}

int run_seeds(const RunCommand& command, const std::vector<std::uint64_t>& seeds, std::ostream& out,
              Talk& talk) {
  LoadedSpec loaded(command.spec);
  const fs::path parent = command.out.value_or(fs::path("runs") / loaded.spec().name /
                                               ("seeds-" + family_hash(loaded.spec())));
  Results results;
  std::vector<std::uint64_t> finished;
  std::vector<std::string> failed;
  for (const std::uint64_t seed : seeds) {
    const fs::path folder = parent / cat("seed-", seed);
    try {
      talk.say(cat("seed ", seed));
      const RunResult result = run_seed(command, seed, folder, talk);
      if (result.exit_code != kExitFine && result.exit_code != kExitDiverged)
        return result.exit_code;
      if (result.exit_code == kExitDiverged) {
        failed.push_back(cat("seed ", seed, ": diverged"));
        continue;
      }
      const Json summary = Json::parse(read_file<Error>(folder / "summary.json"));
      add_results(summary, "last", results);
      add_results(summary, "best", results);
      add_results(summary, "evaluations", results);
      finished.push_back(seed);
    } catch (const InvalidSpec&) {
      throw;  // no seed would be better
    } catch (const std::exception& failure) {
      failed.push_back(cat("seed ", seed, ": ", failure.what()));
      talk.error(failed.back());
    }
  }
  Json summary{{"name", loaded.spec().name}, {"seeds", finished}, {"failed", failed}};
  Table table({"", "mean", "deviation", "95 % of the mean", "seeds"});
  for (const auto& [name, values] : results) {
    const Spread s = spread_of(values);
    summary["metrics"][name] = spread_json(s);
    if (name.ends_with("/weighted")) continue;
    table.add({name, cat(s.mean), s.count > 1 ? cat(s.deviation) : "",
               s.count > 1 ? cat("+- ", s.interval) : "", cat(s.count)});
  }
  write_file_atomically(parent / "summary.json", dump_strict(summary) + "\n");
  out << table.text();
  for (const std::string& each : failed) out << "failed  " << each << '\n';
  out << "summary  " << (parent / "summary.json").string() << '\n';
  return failed.empty() ? kExitFine : kExitFailure;
}

}  // namespace jacquard::experiments
