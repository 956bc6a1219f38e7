#include <nlohmann/json.hpp>
#include <ostream>

#include "autodiff/attribute.hpp"
#include "experiments/commands.hpp"
#include "experiments/encoding.hpp"
#include "experiments/evaluations/evaluations.hpp"
#include "experiments/failure.hpp"
#include "experiments/finished_run.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/monitors.hpp"
#include "experiments/npy.hpp"
#include "experiments/table.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

void print_table(const Spec& spec, const Measured& measured, const Metrics& evaluated,
                 std::ostream& out) {
  Table table({"", "value", "weighted"});
  const auto number = [](double value) { return number_text(value); };
  for (std::size_t i = 0; i < spec.cost.size(); ++i)
    table.add({spec.cost[i].name, number(measured.terms[i]),
               number(spec.cost[i].weight * measured.terms[i])});
  table.add({"cost", "", number(measured.cost)});
  for (std::size_t i = 0; i < spec.monitors.size(); ++i)
    table.add({spec.monitors[i].first, number(measured.monitors[i]), ""});
  for (const auto& [name, value] : evaluated) table.add({name, number(value), ""});
  out << table.text();
}

void print_json(const Spec& spec, const Measured& measured, const Metrics& evaluated,
                const std::string& set, const FinishedRun& run, std::int64_t examples,
                std::ostream& out) {
  Json json{{"set", set},
            {"examples", examples},
            {"checkpoint", run.checkpoint()},
            {"epoch", run.epoch()},
            {"cost", finite_or_null(measured.cost)}};
  for (std::size_t i = 0; i < spec.cost.size(); ++i)
    json["terms"][spec.cost[i].name] = {
        {"value", finite_or_null(measured.terms[i])},
        {"weighted", finite_or_null(spec.cost[i].weight * measured.terms[i])}};
  json["monitors"] = Json::object();
  for (std::size_t i = 0; i < spec.monitors.size(); ++i)
    json["monitors"][spec.monitors[i].first] = finite_or_null(measured.monitors[i]);
  json["evaluations"] = Json::object();
  for (const auto& [name, value] : evaluated) json["evaluations"][name] = finite_or_null(value);
  out << dump_strict(json) << '\n';
}

// What is computed for each example, and under which name it is written.
std::pair<std::string, std::string> wanted(const ComputeCommand& command, const Spec& spec) {
  if (!command.what.empty())
    return {command.reconstruct ? "reconstruction" : "codes", command.what};
  if (!command.reconstruct) return {"codes", "h"};
  return {"reconstruction", spec.pictures.reconstruction.value_or("y")};
}

}  // namespace

int eval_command(const EvalCommand& command, std::ostream& out, Talk& talk) {
  FinishedRun run(command.folder, command.checkpoint);
  const Spec& spec = run.spec();
  const DataSet& set = run.set(command.set);
  ThreadPool pool(command.threads);
  const std::int64_t batch = std::min<std::int64_t>(spec.train->batch, set.count());
  Monitor monitor(spec, example_shapes(spec), set, batch, 0, run.values(), pool, run.problems());
  const Measured measured = monitor.measure(run.epoch(), 0);
  const Metrics evaluated = metrics_of(
      evaluate(spec, run.data(), command.set, run.epoch(), run.values(), pool, run.problems()));
  talk.say(cat("checkpoint ", run.checkpoint(), " of epoch ", run.epoch(), ", ", set.count(),
               " examples of ", command.set));
  if (command.json)
    print_json(spec, measured, evaluated, command.set, run, set.count(), out);
  else
    print_table(spec, measured, evaluated, out);
  return kExitFine;
}

int compute_command(const ComputeCommand& command, std::ostream& out, Talk& talk) {
  const char* const name = command.reconstruct ? "reconstruct" : "encode";
  if (command.out.empty())
    throw UsageError(cat(name, ": --out is missing; it names the .npz file to write"));
  FinishedRun run(command.folder, command.checkpoint);
  const DataSet& set = run.set(command.set);
  ThreadPool pool(command.threads);
  const auto text = wanted(command, run.spec());
  const auto computed = computed_for_each(run.spec(), example_shapes(run.spec()), set, {text}, name,
                                          run.epoch(), run.values(), pool, run.problems());
  NamedArrays<float> arrays;
  for (const auto& [each, value] : computed) arrays.push_back({each, value});
  if (const auto labels = set.arrays.find("labels"); labels != set.arrays.end())
    arrays.push_back({"labels", labels->second.values()});
  write_npz(command.out, arrays);
  talk.say(cat(text.second, " of ", set.count(), " examples of ", command.set, ", checkpoint ",
               run.checkpoint(), " of epoch ", run.epoch()));
  out << command.out.string() << '\n';
  return kExitFine;
}

}  // namespace jacquard::experiments
