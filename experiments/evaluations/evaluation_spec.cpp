#include "experiments/evaluations/evaluation_spec.hpp"

#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"
#include "experiments/choice_fields.hpp"
#include "experiments/train_spec.hpp"

namespace jacquard::experiments {
namespace {

EvaluationSpec read_evaluation(const Item& item) {
  EvaluationSpec evaluation;
  evaluation.name = item.name();
  if (item.is_text()) {
    evaluation.of = item.as<std::string>();
    return evaluation;
  }
  if (!item.is_object()) {
    item.problem("an evaluation is an expression, or an object",
                 "write \"name\": \"expression\" for its mean, or {\"kind\": \"k_means\", \"of\": "
                 "\"h\"}");
    return evaluation;
  }
  Fields fields = item.as_object();
  evaluation.choice.kind = fields.require_choice("kind", names_of(evaluation_kinds()));
  evaluation.of = fields.require<std::string>("of");
  if (has_target(evaluation.choice.kind)) evaluation.target = fields.require<std::string>("target");
  if (const Item set = fields.item("set"); set.present())
    evaluation.set = set.as_choice(split_names(), "");
  read_options(fields, evaluation_kinds(), evaluation.choice);
  const auto number = [&](const char* name) {
    return nn::option(evaluation_kinds(), evaluation.choice, name);
  };
  if (evaluation.choice.kind == "contraction_curve" && number("from") >= number("to"))
    item.problem("'from' is not below 'to'", "give the smallest radius first");
  fields.done();
  return evaluation;
}

}  // namespace

std::span<const nn::Kind> evaluation_kinds() {
  static const std::vector<nn::Kind> kinds = {
      {"mean", "the mean over the examples, with the 95 % interval of the mean"},
      {"k_means",
       "clusters of codes, and how well they agree with the labels",
       {{"clusters", 10.0, 1, 1e4, "how many", false, true},
        {"restarts", 10.0, 1, 1000, "the best of so many is kept", false, true}}},
      {"singular_values",
       "of the Jacobian of each example, the largest first, on average",
       {{"examples", 50.0, 1, 1e5, "the first of the set", false, true}}},
      {"contraction_curve",
       "distance of codes by distance of inputs, over the radius",
       {{"from", 0.01, 1e-6, 1e6, "the smallest radius"},
        {"to", 10.0, 1e-6, 1e6, "the largest radius"},
        {"points", 13.0, 2, 1000, "radii, evenly spaced on a logarithmic scale", false, true},
        {"examples", 1000.0, 1, 1e6, "the first of the set", false, true}}},
      {"embedding",
       "codes along their two first principal components",
       {{"examples", 2000.0, 2, 1e5, "the first of the set", false, true}}},
      {"regression",
       "what a linear map of codes, fitted on the training part, tells of a target",
       {{"decay", 1e-6, 0, 1e6, "factor of the squared weights, in mean variances of the codes"},
        {"examples", 10000.0, 1, 1e6, "the first of the training part", false, true}}},
  };
  return kinds;
}

bool has_target(std::string_view kind) { return kind == "regression"; }

int evaluated_rank(const EvaluationSpec& evaluation) {
  const std::string& kind = evaluation.choice.kind;
  return kind == "mean" ? 1 : kind == "singular_values" ? 3 : 2;
}

std::vector<EvaluationSpec> read_evaluations(Fields fields,
                                             std::map<std::string, std::string>& pointers) {
  std::vector<EvaluationSpec> evaluations;
  if (!fields.present()) return evaluations;
  for (const Item& item : fields.entries()) {
    // Names become names of files.
    if (item.name().find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
        std::string::npos)
      item.problem("the name of an evaluation is part of the names of files",
                   "use letters, digits, '-' and '_'");
    if (item.name() == "curves" || item.name() == "field")
      item.problem(cat("every run has a picture '", item.name(), "' already"),
                   "choose another name");
    evaluations.push_back(read_evaluation(item));
    pointers["evaluate/" + item.name()] =
        item.is_object() ? item.pointer() + "/of" : item.pointer();
    if (item.is_object())
      pointers["evaluate/" + item.name() + "/target"] = item.pointer() + "/target";
  }
  return evaluations;
}

nlohmann::ordered_json evaluations_json(const std::vector<EvaluationSpec>& evaluations) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const EvaluationSpec& evaluation : evaluations) {
    nlohmann::ordered_json one = choice_json(evaluation.choice, evaluation_kinds());
    one["of"] = evaluation.of;
    if (has_target(evaluation.choice.kind)) one["target"] = evaluation.target;
    if (!evaluation.set.empty()) one["set"] = evaluation.set;
    json[evaluation.name] = std::move(one);
  }
  return json;
}

}  // namespace jacquard::experiments
