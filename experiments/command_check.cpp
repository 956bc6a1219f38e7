#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "autodiff/gradient_check.hpp"
#include "experiments/base_point.hpp"
#include "experiments/check_report.hpp"
#include "experiments/commands.hpp"
#include "experiments/failure.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/program.hpp"
#include "experiments/progress.hpp"
#include "experiments/recording.hpp"
#include "experiments/stages.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTotal = "total cost";

struct Checked {
  CheckReport report;
  std::string inputs;
  double seconds = 0;
};

// What is checked: every term, and the cost where it is not the only term itself.
std::vector<CheckedTerm> checked_terms(const Recording& recording) {
  std::vector<CheckedTerm> terms;
  for (const RecordedTerm& t : recording.terms) terms.push_back({t.name, t.value});
  const bool is_term = terms.size() == 1 && terms[0].value == recording.cost;
  if (!is_term) terms.push_back({kTotal, recording.cost});
  return terms;
}

// Names of the parameters that one of the terms reads.
std::set<std::string> parameters_read(const Recording& recording) {
  std::vector<Expr> values;
  for (const CheckedTerm& term : checked_terms(recording)) values.push_back(term.value);
  const std::vector<NodeId> nodes = ancestors(*recording.tape, values);
  std::set<std::string> names;
  for (const Expr& p : recording.parameters())
    if (std::ranges::binary_search(nodes, p.id)) names.insert(parameter_name(p));
  return names;
}

// Of each stage. What only other stages read is left out; what nobody reads is told of in each.
std::vector<std::vector<Expr>> checked_parameters(const std::vector<Recording>& stages) {
  std::vector<std::set<std::string>> read;
  std::set<std::string> anywhere;
  for (const Recording& stage : stages) {
    read.push_back(parameters_read(stage));
    anywhere.insert(read.back().begin(), read.back().end());
  }
  std::vector<std::vector<Expr>> checked(stages.size());
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::vector<Expr>& all = stages[i].parameters();
    std::ranges::copy_if(all, std::back_inserter(checked[i]), [&](Expr p) {
      const std::string& name = parameter_name(p);
      return read[i].contains(name) || !anywhere.contains(name);
    });
    if (checked[i].empty()) checked[i] = all;
  }
  return checked;
}

// One stage; the rows of its report begin with its name.
Checked check_stage(const CheckCommand& command, const Spec& spec, const std::string& prefix,
                    const Recording& recording, const std::vector<Expr>& parameters, Talk& talk) {
  if (parameters.empty())
    throw SpecError("check: the model has no parameters; there is no gradient to check");
  const BasePoint point =
      base_point(spec, example_shapes(spec), command.examples, command.seed, talk);
  CheckOptions options;
  options.order = command.order;
  options.directions = command.directions;
  options.seed = command.seed;
  options.threads = command.threads;
  std::vector<CheckedTerm> terms = checked_terms(recording);
  for (CheckedTerm& term : terms) term.name = prefix + term.name;
  return {check_gradients(terms, parameters, point.values, options), point.inputs};
}

Checked check(const CheckCommand& command, LoadedSpec& loaded, Talk& talk) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<Spec> stages;
  std::vector<Recording> recordings;
  // The texts of all stages are read before the data is: mistakes are answered at once.
  for (std::size_t i = 0; i < stage_count(loaded.spec()); ++i) {
    stages.push_back(stage_of(loaded.spec(), i, loaded.problems()));
    loaded.problems().throw_if_any();
    recordings.push_back(
        record(stages[i], example_shapes(stages[i]), command.examples, loaded.problems()));
  }
  loaded.problems().throw_if_any();
  const std::vector<std::vector<Expr>> parameters = checked_parameters(recordings);
  Checked checked;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    Checked stage = check_stage(command, stages[i], stage_prefix(loaded.spec(), i), recordings[i],
                                parameters[i], talk);
    std::ranges::move(stage.report.rows, std::back_inserter(checked.report.rows));
    checked.inputs = stage.inputs;
  }
  checked.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return checked;
}

std::string seconds_text(double seconds) {
  constexpr double kMinute = 60;
  if (seconds >= kMinute) return duration_text(seconds);
  return cat(std::round(seconds * 10) / 10, " s");
}

std::string reproduction(const CheckCommand& command) {
  std::vector<std::string> words = {"jacquard", "check", command.spec.path};
  words.insert(words.end(), command.spec.overrides.begin(), command.spec.overrides.end());
  const auto option = [&](const char* name, auto value) {
    words.push_back(name);
    words.push_back(std::to_string(value));
  };
  option("--order", command.order);
  option("--examples", command.examples);
  option("--directions", command.directions);
  option("--seed", command.seed);
  return shown_command(words);
}

void print_text(const CheckCommand& command, const CheckReport& report, std::ostream& out) {
  out << check_table(report);
  const std::string details = check_details(report);
  if (!details.empty())
    out << '\n' << details << "\nto reproduce: " << reproduction(command) << '\n';
  out << check_conclusion(report) << '\n';
}

void print_json(const CheckCommand& command, const Checked& checked, std::ostream& out) {
  Json rows = Json::array();
  for (const CheckRow& row : checked.report.rows) rows.push_back(check_row_json(row));
  const Json json{{"passed", checked.report.passed()},
                  {"examples", command.examples},
                  {"directions", command.directions},
                  {"seed", command.seed},
                  {"inputs", checked.inputs},
                  {"seconds", checked.seconds},
                  {"rows", std::move(rows)}};
  out << dump_strict(json) << '\n';
}

}  // namespace

int check_command(const CheckCommand& command, std::ostream& out, Talk& talk) {
  LoadedSpec loaded = load_spec(command.spec);
  const Checked checked =
      with_places(loaded.problems(), [&] { return check(command, loaded, talk); });
  talk.say(cat("checked on ", command.examples, command.examples == 1 ? " example" : " examples",
               " of ", checked.inputs, ", along ", command.directions,
               command.directions == 1 ? " direction" : " directions", " for each parameter, in ",
               seconds_text(checked.seconds)));
  if (command.json)
    print_json(command, checked, out);
  else
    print_text(command, checked.report, out);
  return checked.report.passed() ? kExitFine : kExitCheckFailed;
}

}  // namespace jacquard::experiments
