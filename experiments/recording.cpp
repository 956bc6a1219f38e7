#include "experiments/recording.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

namespace jacquard::experiments {
namespace {

using models::EvaluationError;

// Puts a mistake in a text of the cost language where it stands in the file.
void add_problem(const Spec& spec, const EvaluationError& error, Problems& problems) {
  std::string note = error.call_lines();
  const auto it = spec.pointers.find(error.where);
  const std::string pointer = it == spec.pointers.end() ? "" : it->second;
  const nlohmann::ordered_json* value = problems.document().find(pointer);
  // A text that a short form made is not in the file: it is shown instead of it.
  if (it == spec.pointers.end() || value == nullptr || !value->is_string()) {
    problems.add(pointer, error.message, error.hint,
                 error.text.empty()
                     ? note
                     : cat("in ", error.where, ": ", error.text, note.empty() ? "" : "\n", note));
  } else if (error.in_name) {
    problems.add_at_name(pointer, error.message, error.hint, note);
  } else {
    problems.add_in_text(pointer, error.begin, error.length, error.message, error.hint, note);
  }
}

// An expression like x: one given in the spec, else a definition of the usual name, if it fits.
Expr like_x(models::Model& model, const Spec& spec, const std::string& where,
            const std::optional<std::string>& text, std::initializer_list<const char*> usual,
            Expr x, Problems& problems) {
  if (!x || (text && text->empty())) return {};
  if (!text) {
    for (const char* name : usual) {
      if (std::ranges::none_of(spec.model.define, [&](const auto& d) { return d.first == name; }))
        continue;
      const Expr e = model.expression(name, where);
      return e && e.shape() == x.shape() ? e : Expr{};
    }
    return {};
  }
  const Expr e = model.expression(*text, where);
  if (!e || e.shape() == x.shape()) return e;
  problems.add(spec.pointers.at(where),
               cat("a picture is drawn of ", e.shape(), ", which is not the shape of x"),
               "name an expression of x's shape");
  return {};
}

models::Model::Inputs batch_shapes(const std::map<std::string, Shape>& inputs, std::int64_t batch) {
  models::Model::Inputs shapes;
  for (const auto& [name, shape] : inputs) {
    std::vector<std::int64_t> sizes{batch};
    sizes.insert(sizes.end(), shape.begin(), shape.end());
    shapes.emplace_back(name, Shape(std::move(sizes)));
  }
  return shapes;
}

}  // namespace

Expr Recording::epoch() const { return tape->input("epoch", Shape{}); }
Expr Recording::step() const { return tape->input("step", Shape{}); }

const std::string& parameter_name(Expr parameter) {
  return input_name(parameter.tape->node(parameter));
}

std::map<std::string, Shape> example_shapes(const Spec& spec) {
  std::map<std::string, Shape> shapes;
  if (spec.data) shapes = data_inputs(*spec.data);
  for (const auto& [name, input] : spec.inputs) {
    const auto [it, added] = shapes.emplace(name, input.shape);
    if (!added && !(it->second == input.shape))
      throw SpecError(cat("/model/inputs/", name, ": the shape of an example is ", input.shape,
                          ", in the data set it is ", it->second));
  }
  return shapes;
}

Recording record(const Spec& spec, const std::map<std::string, Shape>& inputs, std::int64_t batch,
                 Problems& problems) {
  Recording r;
  r.tape = std::make_unique<Tape>();
  std::vector<EvaluationError> errors;
  r.model =
      std::make_unique<models::Model>(*r.tape, spec.model, batch_shapes(inputs, batch), &errors);
  models::Model& model = *r.model;
  for (const TermSpec& t : spec.cost)
    r.terms.push_back({t.name, t.weight, model.scalar(t.value, "cost/" + t.name)});
  for (const auto& [name, text] : spec.monitors)
    r.monitors.emplace_back(name, model.scalar(text, "monitor/" + name));
  if (spec.train) {
    r.rate = spec.train->adjuster ? r.tape->input(kAdjustedRate, Shape{})
                                  : model.scalar(spec.train->rate.text, "train/optimizer/rate");
    for (const auto& [name, number] : spec.train->scheduled)
      r.scheduled[name] = model.scalar(number.text, "train/optimizer/" + name);
  }
  const Expr x = inputs.contains("x") ? model["x"] : Expr{};
  const PictureSpec& pictures = spec.pictures;
  r.reconstruction =
      like_x(model, spec, "pictures/reconstruction", pictures.reconstruction, {"y"}, x, problems);
  r.corrupted = like_x(model, spec, "pictures/corrupted", pictures.corrupted, {"corrupted", "xe"},
                       x, problems);
  for (const EvaluationError& error : errors) add_problem(spec, error, problems);
  model.collect_no_more();  // `errors` ends here
  std::vector<Expr> weighted;
  for (const RecordedTerm& t : r.terms) {
    if (!t.value) return r;
    weighted.push_back(t.weight == 1 ? t.value : t.weight * t.value);
  }
  if (!weighted.empty()) r.cost = add_all(weighted);
  return r;
}

std::vector<Shape> recorded_shapes(const Spec& spec, const std::map<std::string, Shape>& inputs,
                                   std::int64_t batch,
                                   const std::vector<std::pair<std::string, std::string>>& texts,
                                   Problems& problems) {
  Tape tape;
  std::vector<EvaluationError> errors;
  models::Model model(tape, spec.model, batch_shapes(inputs, batch), &errors);
  std::vector<Shape> shapes;
  for (const auto& [where, text] : texts)
    if (const Expr e = model.expression(text, where)) shapes.push_back(e.shape());
  for (const EvaluationError& error : errors) add_problem(spec, error, problems);
  return shapes;
}

PlanOptions plan_options(const Spec& spec) {
  PlanOptions options;
  options.memory_limit = spec.memory_limit;
  options.limit_name = "memory_limit_gb";
  return options;
}

}  // namespace jacquard::experiments
