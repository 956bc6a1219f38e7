#include <nlohmann/json.hpp>
#include <ostream>
#include <sstream>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/plan.hpp"
#include "autodiff/print.hpp"
#include "experiments/commands.hpp"
#include "experiments/failure.hpp"
#include "experiments/json_dump.hpp"
#include "experiments/minimizers.hpp"
#include "experiments/recording.hpp"
#include "experiments/shown_cost.hpp"
#include "experiments/stages.hpp"
#include "experiments/step_program.hpp"
#include "experiments/table.hpp"
#include "models/language/functions.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

// A spec recorded for one training step, with its gradients.
struct Shown {
  Spec spec;          // of one stage
  std::string stage;  // its name, empty without stages
  std::int64_t batch;
  std::map<std::string, Shape> inputs;  // of one example
  Recording recording;
  std::vector<Expr> gradients;  // per parameter; zero where the cost does not depend on it

  Tape& tape() const { return *recording.tape; }
  std::vector<Expr> roots() const {
    std::vector<Expr> all{recording.cost};
    all.insert(all.end(), gradients.begin(), gradients.end());
    return all;
  }
};

Shown recorded(LoadedSpec& loaded, std::size_t stage) {
  const Spec spec = stage_of(loaded.spec(), stage, loaded.problems());
  loaded.problems().throw_if_any();
  const std::int64_t batch = spec.train ? spec.train->batch : TrainSpec{}.batch;
  Shown shown{spec,  loaded.spec().stages.empty() ? "" : loaded.spec().stages[stage].name,
              batch, example_shapes(spec),
              {},    {}};
  shown.recording = record(shown.spec, shown.inputs, shown.batch, loaded.problems());
  loaded.problems().throw_if_any();
  check_parameter_names(shown.spec, shown.recording, loaded.problems());
  loaded.problems().throw_if_any();
  const std::vector<Expr>& parameters = shown.recording.parameters();
  if (!parameters.empty())
    shown.gradients = gradient(shown.recording.cost, parameters, Unused::kZero);
  return shown;
}

// The training step where the spec says how to train, else the cost and its gradients.
Plan<float> step_plan(const Shown& shown, ThreadPool& pool) {
  const Recording& r = shown.recording;
  const bool steps = shown.spec.train && !is_minimizer(shown.spec.train->optimizer);
  Program program;
  if (steps) {
    program = step_program(shown.spec, r, Care::kFast).program.program;
  } else {
    const Expr cost = simplified(r.cost);
    program = {{cost}, r.model->state_updates(), {cost}};
    if (!r.parameters().empty())
      for (const Expr& g : gradient(cost, r.parameters(), Unused::kZero))
        program.outputs.push_back(g);
  }
  return Plan<float>(shown.tape(), program, pool, plan_options(shown.spec));
}

void print_json(std::ostream& out, const Json& json) { out << dump_strict(json) << '\n'; }

std::string with_commas(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (auto i = static_cast<std::ptrdiff_t>(digits.size()) - 3; i > 0; i -= 3)
    digits.insert(static_cast<std::size_t>(i), ",");
  return digits;
}

std::int64_t parameter_count(const Spec& spec) {
  std::int64_t count = 0;
  for (const models::Parameter& p : spec.model.parameters) count += p.shape.size();
  return count;
}

std::string initial_text(const models::Parameter& p) {
  const nn::Initializer initial = nn::resolved(p.initial, p.shape);
  std::string options;
  for (const auto& [name, value] : initial.options)
    options += cat(options.empty() ? "" : ", ", name, '=', number_text(value));
  return options.empty() ? initial.kind : cat(initial.kind, '(', options, ')');
}

Json summary_json(const Shown& shown, const PlanStatistics& plan) {
  const Spec& spec = shown.spec;
  Json json{{"name", spec.name}, {"batch", shown.batch}};
  json["inputs"] = Json::array();
  for (const auto& [name, shape] : shown.inputs)
    json["inputs"].push_back({{"name", name}, {"shape", shape.sizes()}});
  json["parameters"] = Json::array();
  for (const models::Parameter& p : spec.model.parameters)
    json["parameters"].push_back({{"name", p.name},
                                  {"shape", p.shape.sizes()},
                                  {"count", p.shape.size()},
                                  {"initial", initial_text(p)}});
  json["parameter_count"] = parameter_count(spec);
  json["definitions"] = Json::array();
  for (const auto& [name, text] : spec.model.define)
    json["definitions"].push_back({{"name", name},
                                   {"shape", (*shown.recording.model)[name].shape().sizes()},
                                   {"text", text}});
  json["terms"] = Json::array();
  for (const TermSpec& t : spec.cost)
    json["terms"].push_back({{"name", t.name}, {"weight", t.weight}, {"value", t.value}});
  json["monitors"] = Json::array();
  for (const auto& [name, text] : spec.monitors)
    json["monitors"].push_back({{"name", name}, {"value", text}});
  json["nodes"] = shown.tape().size();
  json["instructions"] = plan.instructions;
  json["flops"] = plan.flops;
  json["arena_bytes"] = plan.arena_bytes;
  return json;
}

void print_summary(const Shown& shown, const PlanStatistics& plan, std::ostream& out) {
  const Spec& spec = shown.spec;
  Table table({spec.name});
  const auto heading = [&](const std::string& text) {
    table.add({""});
    table.add({text});
  };
  heading("inputs (one example)");
  for (const auto& [name, shape] : shown.inputs) table.add({"  " + name, cat(shape), "", ""});
  heading("parameters");
  for (const models::Parameter& p : spec.model.parameters)
    table.add({"  " + p.name, cat(p.shape), with_commas(p.shape.size()), initial_text(p)});
  table.add({"  all", "", with_commas(parameter_count(spec)), ""});
  if (!spec.model.define.empty()) heading(cat("definitions (batch of ", shown.batch, ")"));
  for (const auto& [name, text] : spec.model.define)
    table.add({"  " + name, cat((*shown.recording.model)[name].shape()), "", text});
  heading("cost");
  for (const TermSpec& t : spec.cost)
    table.add({"  " + t.name, cat("weight ", number_text(t.weight)), "", t.value});
  if (!spec.monitors.empty()) heading("monitors");
  for (const auto& [name, text] : spec.monitors) table.add({"  " + name, "", "", text});
  heading(spec.train ? "a training step" : "cost and gradients");
  table.add({"  nodes", std::to_string(shown.tape().size()), "", ""});
  table.add({"  instructions", std::to_string(plan.instructions), "", ""});
  table.add({"  work", with_prefix(plan.flops, "FLOP"), "", ""});
  table.add({"  memory", with_prefix(static_cast<double>(plan.arena_bytes), "B"), "", ""});
  out << table.text();
}

void show_summary(const Shown& shown, bool json, std::ostream& out) {
  ThreadPool pool(1);
  const PlanStatistics plan = step_plan(shown, pool).statistics();
  if (json)
    print_json(out, summary_json(shown, plan));
  else
    print_summary(shown, plan, out);
}

void show_plan(const Shown& shown, bool json, std::ostream& out) {
  ThreadPool pool(1);
  const Plan<float> plan = step_plan(shown, pool);
  if (!json) {
    out << plan.describe();
    return;
  }
  const PlanStatistics s = plan.statistics();
  print_json(out, {{"instructions", s.instructions},
                   {"flops", s.flops},
                   {"arena_bytes", s.arena_bytes},
                   {"text", plan.describe()}});
}

void show_tape(const Shown& shown, bool json, std::ostream& out) {
  const std::vector<Expr> roots = shown.roots();
  if (!json) {
    out << to_text(shown.tape(), roots);
    return;
  }
  Json nodes = Json::array();
  for (const NodeId id : ancestors(shown.tape(), roots)) {
    const Node& node = shown.tape().node(id);
    nodes.push_back({{"id", id},
                     {"op", node.op->name},
                     {"inputs", node.inputs},
                     {"shape", node.shape.sizes()},
                     {"text", node_text(shown.tape(), id)}});
  }
  print_json(out, {{"nodes", nodes}});
}

void show_graph(const Shown& shown, bool json, std::ostream& out) {
  const std::string dot = to_dot(shown.tape(), shown.roots());
  if (json)
    print_json(out, {{"dot", dot}});
  else
    out << dot;
}

void show(const Shown& shown, Aspect aspect, bool json, std::ostream& out) {
  switch (aspect) {
    case Aspect::kSummary:
      return show_summary(shown, json, out);
    case Aspect::kTape:
      return show_tape(shown, json, out);
    case Aspect::kGraph:
      return show_graph(shown, json, out);
    case Aspect::kPlan:
      return show_plan(shown, json, out);
    case Aspect::kCost:
      return show_cost(shown.spec, shown.recording, shown.batch, json, out);
    case Aspect::kExpanded:
      throw InternalError("show: the expansion is that of the whole spec");
  }
}

}  // namespace

int show_command(const ShowCommand& command, std::ostream& out, Talk&) {
  LoadedSpec loaded = load_spec(command.spec);
  std::vector<Shown> stages;
  with_places(loaded.problems(), [&] {  // also for the expansion: mistakes in texts are told
    for (std::size_t i = 0; i < stage_count(loaded.spec()); ++i)
      stages.push_back(recorded(loaded, i));
  });
  if (command.aspect == Aspect::kExpanded) {
    print_json(out, spec_json(loaded.spec()));
    return kExitFine;
  }
  if (stages.size() == 1) {
    show(stages[0], command.aspect, command.json, out);
    return kExitFine;
  }
  Json all = Json::array();
  for (const Shown& stage : stages) {
    if (!command.json) {
      out << (&stage == &stages[0] ? "" : "\n") << "stage " << stage.stage << "\n\n";
      show(stage, command.aspect, false, out);
      continue;
    }
    std::ostringstream text;
    show(stage, command.aspect, true, text);
    all.push_back({{"stage", stage.stage}, {"shown", Json::parse(text.str())}});
  }
  if (command.json) print_json(out, {{"stages", all}});
  return kExitFine;
}

int show_functions_command(bool markdown, bool json, std::ostream& out) {
  if (json) {
    Json functions = Json::array();
    for (const models::Function& f : models::functions())
      functions.push_back({{"name", f.name},
                           {"signature", f.signature()},
                           {"formula", f.formula},
                           {"group", models::group_title(f.group)}});
    print_json(out, {{"functions", functions}});
  } else {
    out << (markdown ? models::function_table_markdown() : models::function_table_text());
  }
  return kExitFine;
}

}  // namespace jacquard::experiments
