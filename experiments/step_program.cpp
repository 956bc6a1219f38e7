#include "experiments/step_program.hpp"

#include <algorithm>

#include "autodiff/closest.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/print.hpp"

namespace jacquard::experiments {
namespace {

const Expr* find_parameter(const Recording& recording, const std::string& name) {
  const auto at = std::ranges::find_if(recording.parameters(),
                                       [&](Expr p) { return parameter_name(p) == name; });
  return at == recording.parameters().end() ? nullptr : &*at;
}

}  // namespace

std::vector<Expr> trained_parameters(const Spec& spec, const Recording& recording) {
  const std::vector<NodeId> used = ancestors(*recording.tape, std::vector<Expr>{recording.cost});
  std::vector<Expr> trained;
  for (const Expr& p : recording.parameters()) {
    const bool frozen = spec.train && std::ranges::find(spec.train->frozen, parameter_name(p)) !=
                                          spec.train->frozen.end();
    if (!frozen && std::ranges::binary_search(used, p.id)) trained.push_back(p);
  }
  return trained;
}

void check_parameter_names(const Spec& spec, const Recording& recording, Problems& problems) {
  if (!spec.train) return;
  const TrainSpec& train = *spec.train;
  const auto at = spec.pointers.find("train");
  const std::string section = at == spec.pointers.end() ? "" : at->second;
  std::vector<std::string> known;
  for (const Expr& p : recording.parameters()) known.push_back(parameter_name(p));
  const auto check = [&](const std::string& pointer, const std::string& name, bool by_name) {
    if (find_parameter(recording, name) != nullptr) return true;
    const std::string near = closest(name, known);
    const std::string message = cat("there is no parameter '", name, "'");
    const std::string hint =
        near.empty() ? "name one of the model's parameters" : cat("did you mean '", near, "'?");
    if (by_name)
      problems.add_at_name(pointer, message, hint);
    else
      problems.add(pointer, message, hint);
    return false;
  };
  for (const auto& rate : train.rates)
    check(section + "/optimizer/rates/" + rate.first, rate.first, true);
  for (const auto& decay : train.decay) check(section + "/decay/" + decay.first, decay.first, true);
  for (const auto& [name, bounds] : train.norms) {
    const std::string pointer = section + "/norms/" + name;
    if (!check(pointer, name, true)) continue;
    const Shape& shape = find_parameter(recording, name)->shape();
    if (bounds.axis >= shape.rank())
      problems.add(pointer, cat("axis ", bounds.axis, " of a parameter of shape ", shape),
                   shape.rank() == 0 ? "a number has no norms to bound"
                                     : cat("it has the axes 0 to ", shape.rank() - 1));
  }
  for (std::size_t i = 0; i < train.frozen.size(); ++i)
    check(cat(section, "/frozen/", i), train.frozen[i], false);
}

StepProgram step_program(const Spec& spec, const Recording& r, Care care) {
  const TrainSpec& train = spec.train.value();
  const std::vector<Expr> parameters = trained_parameters(spec, r);
  const Simplified s = simplify({r.cost}, care);
  const Expr cost = s.roots[0];
  nn::OptimizerStep all;
  if (!parameters.empty()) {
    const std::vector<Expr> gradients = gradient(cost, parameters);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      const Expr w = parameters[i];
      const auto factor = train.rates.find(parameter_name(w));
      const Expr rate = factor == train.rates.end() ? r.rate : r.rate * factor->second;
      nn::OptimizerStep one =
          nn::optimizer_step(train.optimizer, {w}, {gradients[i]}, rate, r.step(), r.scheduled);
      Expr& value = nn::new_value(one, w);
      if (const auto decay = train.decay.find(parameter_name(w)); decay != train.decay.end())
        value = value - rate * (decay->second * w);
      if (const auto norm = train.norms.find(parameter_name(w)); norm != train.norms.end())
        value = nn::with_bounded_norms(value, norm->second);
      all.state.insert(all.state.end(), one.state.begin(), one.state.end());
      all.updates.insert(all.updates.end(), one.updates.begin(), one.updates.end());
    }
    if (train.average_from)
      nn::add_average(
          all, parameters,
          greater_equal(r.epoch(), constant(*r.tape, static_cast<double>(*train.average_from))));
  }
  const auto& state = r.model->state_updates();
  all.updates.insert(all.updates.end(), state.begin(), state.end());
  return {{{{cost}, all.updates, {cost}}, s.conditions}, all.state};
}

}  // namespace jacquard::experiments
