#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>

#include "autodiff/closest.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/guarded_plan.hpp"
#include "experiments/commands.hpp"
#include "experiments/failure.hpp"
#include "experiments/file.hpp"
#include "experiments/npy.hpp"
#include "experiments/recording.hpp"
#include "models/language/tokens.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

template <class T>
std::string names_of(const NamedArrays<T>& arrays) {
  std::string names;
  for (const auto& a : arrays) names += (names.empty() ? "" : ", ") + a.name;
  return names.empty() ? "none" : names;
}

template <class T>
const NamedArray<T>* find(const NamedArrays<T>& arrays, const std::string& name) {
  const auto found = std::ranges::find(arrays, name, &NamedArray<T>::name);
  return found == arrays.end() ? nullptr : &*found;
}

template <class T>
NamedArrays<T> read_arrays(const char* option, const fs::path& path) {
  if (path.empty())
    throw UsageError(cat("gradients: ", option, " is missing; it names a .npz file"));
  return read_npz<T>(path);
}

// The words that texts of the spec use as names: of what they could need as inputs.
std::set<std::string> words_of(const Spec& spec) {
  std::set<std::string> words;
  const auto read = [&words](const std::string& text) {
    try {
      for (const models::Token& token : models::tokenize(text))
        if (token.kind == models::TokenKind::kName) words.emplace(token.text);
    } catch (const models::LanguageError&) {
      // Said, with its place, when the text is recorded.
    }
  };
  for (const auto& definition : spec.model.define) read(definition.second);
  for (const auto& function : spec.model.functions) read(function.second);
  for (const models::State& state : spec.model.state) read(state.next);
  for (const TermSpec& term : spec.cost) read(term.value);
  for (const auto& monitor : spec.monitors) read(monitor.second);
  if (spec.train) read(spec.train->rate.text);
  for (const auto& text : {spec.pictures.reconstruction, spec.pictures.corrupted})
    if (text) read(*text);
  for (const models::Parameter& p : spec.model.parameters) words.erase(p.name);
  for (const auto& definition : spec.model.define) words.erase(definition.first);
  for (const char* clock : {"epoch", "step"}) words.erase(clock);
  return words;
}

// Inputs that the spec knows of without the arrays.
std::set<std::string> known_inputs(const Spec& spec) {
  std::set<std::string> names;
  for (const auto& input : spec.inputs) names.insert(input.first);
  try {
    if (spec.data)
      for (const auto& input : data_inputs(*spec.data)) names.insert(input.first);
  } catch (const SpecError&) {
    // The data set itself is not needed here.
  }
  return names;
}

// The arrays that the spec uses; says which it does not.
template <class T>
NamedArrays<T> used_arrays(const Spec& spec, NamedArrays<T> data, const fs::path& path,
                           Talk& talk) {
  const std::set<std::string> words = words_of(spec);
  for (const std::string& name : known_inputs(spec))
    if (words.contains(name) && !find(data, name))
      throw SpecError(cat("data ", in_quotes(path), ": there is no array '", name,
                          "', which the spec uses; there are: ", names_of(data)));
  std::erase_if(data, [&](const NamedArray<T>& a) {
    if (words.contains(a.name)) return false;
    talk.warn(cat("data ", in_quotes(path), ": the spec does not use array '", a.name, "'"));
    return true;
  });
  return data;
}

// The one size of the first axis of all inputs; 1 where there are none.
template <class T>
std::int64_t batch_size(const NamedArrays<T>& data, const fs::path& path) {
  for (const auto& a : data) {
    const Shape& shape = a.values.shape;
    if (shape.rank() == 0)
      throw SpecError(cat("data ", in_quotes(path), ": array '", a.name,
                          "' is a single number; its first axis must be the batch"));
    if (shape[0] == 0)
      throw SpecError(cat("data ", in_quotes(path), ": array '", a.name, "' has no examples; at ",
                          "least one is needed"));
    if (shape[0] != data[0].values.shape[0])
      throw SpecError(cat("data ", in_quotes(path), ": array '", a.name, "' has ", shape[0],
                          " examples, '", data[0].name, "' has ", data[0].values.shape[0],
                          "; all must have the same number"));
  }
  return data.empty() ? 1 : data[0].values.shape[0];
}

// Inputs take their shapes from the arrays; those that the spec declares must agree.
template <class T>
std::map<std::string, Shape> input_shapes(const Spec& spec, const NamedArrays<T>& data,
                                          const fs::path& path) {
  std::map<std::string, Shape> shapes;
  for (const auto& a : data) {
    const std::vector<std::int64_t>& sizes = a.values.shape.sizes();
    const Shape example(std::vector<std::int64_t>(sizes.begin() + 1, sizes.end()));
    const auto declared = spec.inputs.find(a.name);
    if (declared != spec.inputs.end() && !(declared->second.shape == example))
      throw SpecError(cat("data ", in_quotes(path), ": an example of '", a.name, "' has shape ",
                          example, ", the spec declares ", declared->second.shape));
    shapes.emplace(a.name, example);
  }
  return shapes;
}

// Everything that is computed, in the order of the result file.
struct Wanted {
  std::vector<std::string> names;
  std::vector<Expr> values;
  std::vector<Condition> conditions;

  void add(std::string name, Expr value) {
    names.push_back(std::move(name));
    values.push_back(value);
  }
};

Wanted wanted_of(const Recording& r, Care care) {
  Wanted written;
  written.add("cost", r.cost);
  for (const RecordedTerm& t : r.terms) written.add("terms/" + t.name, t.value);
  for (const auto& [name, value] : r.monitors) written.add("monitor/" + name, value);
  Simplified s = simplify(written.values, care);
  Wanted wanted;
  wanted.conditions = std::move(s.conditions);
  const std::size_t terms = 1 + r.terms.size();
  for (std::size_t i = 0; i < terms; ++i) wanted.add(written.names[i], s.roots[i]);
  const std::vector<Expr>& parameters = r.parameters();
  const std::vector<Expr> gradients =
      parameters.empty() ? std::vector<Expr>{} : gradient(s.roots[0], parameters, Unused::kZero);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    wanted.add("grad/" + input_name(r.tape->node(parameters[i])), gradients[i]);
  for (std::size_t i = terms; i < s.roots.size(); ++i) wanted.add(written.names[i], s.roots[i]);
  return wanted;
}

void warn_of_unused(const Recording& r, Talk& talk) {
  for (const Expr& p : r.parameters())
    if (!dependents(*r.tape, std::span(&p, 1), r.cost.id)[static_cast<std::size_t>(r.cost.id)])
      talk.warn(cat("the cost does not depend on parameter '", parameter_name(p),
                    "'; its gradient is 0"));
}

template <class T>
void bind_parameters(GuardedPlan<T>& plan, const Spec& spec, NamedArrays<T>& arrays,
                     const fs::path& path) {
  for (const models::Parameter& p : spec.model.parameters) {
    const NamedArray<T>* array = find(arrays, p.name);
    if (!array)
      throw SpecError(cat("parameters ", in_quotes(path), ": there is no array '", p.name,
                          "'; there are: ", names_of(arrays)));
    if (!(array->values.shape == p.shape))
      throw SpecError(cat("parameters ", in_quotes(path), ": array '", p.name, "' has shape ",
                          array->values.shape, ", the spec declares ", p.shape));
    plan.bind_constant(p.name, array->values.data);
  }
  std::vector<std::string> known;
  for (const models::Parameter& p : spec.model.parameters) known.push_back(p.name);
  for (const auto& a : arrays) {
    if (std::ranges::find(known, a.name) != known.end()) continue;
    const std::string near = closest(a.name, known);
    throw SpecError(cat("parameters ", in_quotes(path), ": the spec has no parameter '", a.name,
                        "'", near.empty() ? "" : cat("; did you mean '", near, "'?")));
  }
}

template <class T>
int evaluate_gradients(const GradientsCommand& command, LoadedSpec& loaded, Talk& talk) {
  const Spec& spec = loaded.spec();
  NamedArrays<T> parameters = read_arrays<T>("--params", command.parameters);
  const NamedArrays<T> data =
      used_arrays(spec, read_arrays<T>("--data", command.data), command.data, talk);
  const std::int64_t batch = batch_size(data, command.data);
  const Recording r =
      record(spec, input_shapes(spec, data, command.data), batch, loaded.problems());
  loaded.problems().throw_if_any();
  const Wanted wanted = wanted_of(r, Care::kFast);
  warn_of_unused(r, talk);

  ThreadPool pool(command.threads);
  const auto write = [&r](Care care) {
    Wanted w = wanted_of(r, care);
    return ConditionalProgram{{w.values, {}, {}}, w.conditions};
  };
  GuardedPlan<T> plan(*r.tape, write, pool, plan_options(spec));
  bind_parameters(plan, spec, parameters, command.parameters);
  for (const auto& a : data) plan.bind_constant(a.name, a.values.data);
  const T epoch = static_cast<T>(command.epoch), step = static_cast<T>(command.step);
  plan.bind_constant("epoch", std::span(&epoch, 1));
  plan.bind_constant("step", std::span(&step, 1));
  plan.run(command.seed.value_or(spec.seed), command.step);

  NamedArrays<T> results;
  for (std::size_t i = 0; i < wanted.names.size(); ++i) {
    const auto values = plan.output(i);
    results.push_back({wanted.names[i], Tensor<T>(wanted.values[i].shape(),
                                                  std::vector<T>(values.begin(), values.end()))});
  }
  if (const T cost = results[0].values[0]; !std::isfinite(cost))
    talk.warn(cat("the cost is not finite: ", std::isnan(cost) ? "nan"
                                              : cost > 0       ? "inf"
                                                               : "-inf"));
  write_npz(command.out, results);
  return kExitFine;
}

}  // namespace

int gradients_command(const GradientsCommand& command, std::ostream&, Talk& talk) {
  if (command.out.empty())
    throw UsageError("gradients: --out is missing; it names the .npz file to write");
  LoadedSpec loaded = load_spec(command.spec);
  return with_places(loaded.problems(), [&] {
    return command.precision == Precision::kFloat
               ? evaluate_gradients<float>(command, loaded, talk)
               : evaluate_gradients<double>(command, loaded, talk);
  });
}

}  // namespace jacquard::experiments
