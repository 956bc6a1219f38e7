#include "experiments/model_spec.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "experiments/choice_fields.hpp"
#include "models/language/tokens.hpp"
#include "models/short_form.hpp"
#include "nn/activations.hpp"

namespace jacquard::experiments {
namespace {

using Json = nlohmann::ordered_json;

// A shape written in a spec: sizes from 1, few enough elements to exist at all.
Shape read_shape(const Item& item) {
  const std::vector<std::int64_t> sizes = item.as_list<std::int64_t>({}, at_least(1));
  try {
    return Shape(sizes);
  } catch (const ShapeError& error) {
    item.problem(error.what());
    return {};
  }
}

nn::Initializer read_initializer(const Item& item) {
  nn::Initializer init;
  if (!item.present()) return init;
  std::vector<std::string> kinds;
  for (const nn::Kind& kind : nn::initializer_kinds()) kinds.emplace_back(kind.name);
  if (item.is_text()) {
    init.kind = item.as_choice(kinds, "zeros");
  } else if (item.is_object()) {
    Fields fields = item.as_object();
    init.kind = fields.require_choice("kind", kinds);
    read_options(fields, nn::initializer_kinds(), init);
    fields.done();
  } else {
    item.problem("initial values are chosen by name",
                 "write \"glorot_uniform\" or {\"kind\": \"normal\", \"std\": 0.01}");
  }
  try {
    // A kind named alone may still need a number, and numbers may not fit each other.
    if (!init.kind.empty()) nn::check_initializer("initial value", init);
  } catch (const SpecError& error) {
    item.problem(error.what());
    init = {"zeros", {}};
  }
  return init;
}

bool check_name(const Item& item, const char* what) {
  if (models::is_name(item.name())) return true;
  item.problem(cat("'", item.name(), "' is no name for a ", what),
               "names are letters, digits and '_', not beginning with a digit");
  return false;
}

void read_parameters(Fields fields, Spec& spec) {
  if (!fields.present()) return;
  for (const Item& item : fields.entries()) {
    models::Parameter parameter{item.name(), {}};
    check_name(item, "parameter");
    if (item.is_array()) {
      parameter.shape = read_shape(item);
    } else {
      Fields inner = item.as_object();
      if (!inner.present()) continue;
      parameter.shape = read_shape(inner.require_item("shape", "a list of sizes"));
      parameter.initial = read_initializer(inner.item("init"));
      inner.done();
    }
    spec.pointers["parameters/" + parameter.name] = item.pointer();
    spec.model.parameters.push_back(std::move(parameter));
  }
}

void read_definitions(Fields fields, Spec& spec) {
  if (!fields.present()) return;
  for (const Item& item : fields.entries()) {
    check_name(item, "definition");
    spec.pointers["define/" + item.name()] = item.pointer();
    spec.model.define.emplace_back(item.name(), item.as<std::string>());
  }
}

void read_inputs(Fields fields, Spec& spec) {
  if (!fields.present()) return;
  for (const Item& item : fields.entries()) {
    check_name(item, "input");
    InputSpec input;
    if (item.is_array()) {
      input.shape = read_shape(item);
    } else {
      Fields inner = item.as_object();
      if (!inner.present()) continue;
      input.shape = read_shape(inner.require_item("shape", "the sizes of one example"));
      input.low = inner.get("low", input.low);
      input.high = inner.get("high", input.high, at_least(input.low));
      inner.done();
    }
    spec.inputs.emplace(item.name(), input);
  }
}

void read_state(Fields fields, Spec& spec) {
  if (!fields.present()) return;
  for (const Item& item : fields.entries()) {
    models::State state{item.name(), {}, {"zeros", {}}, {}};
    check_name(item, "state");
    Fields inner = item.as_object();
    if (!inner.present()) continue;
    state.shape = read_shape(inner.require_item("shape", "a list of sizes"));
    if (const Item init = inner.item("init"); init.present())
      state.initial = read_initializer(init);
    state.next = inner.require<std::string>("next");
    inner.done();
    spec.pointers["state/" + state.name] = item.pointer() + "/next";
    spec.model.state.push_back(std::move(state));
  }
}

// The number of inputs that a short form is made for: given, or those of x.
std::int64_t inputs_of(const Item& given, const Spec& spec, const Fields& fields) {
  if (given.present() && !given.is_object()) return given.as<std::int64_t>(1, between(1, 1e8));
  if (spec.data && spec.data->set.empty()) return 1;  // an unknown one, which has been said
  std::map<std::string, Shape> shapes;
  try {
    if (spec.data) shapes = data_inputs(*spec.data);
  } catch (const SpecError& error) {
    fields.problem(error.what());
    return 1;
  }
  for (const auto& [name, input] : spec.inputs) shapes[name] = input.shape;
  if (const auto it = shapes.find("x"); it != shapes.end() && it->second.rank() == 1)
    return it->second[0];
  fields.problem("the number of inputs is not known",
                 "add \"inputs\": 784 to the short form, or a data set");
  return 1;
}

std::vector<std::int64_t> read_layers(const Item& item) {
  if (item.is_array()) return item.as_list<std::int64_t>({1}, between(1, 1e8));
  return {item.as<std::int64_t>(1, between(1, 1e8))};
}

std::vector<std::string> activation_names() {
  std::vector<std::string> names;
  for (const nn::Activation& a : nn::activations()) names.emplace_back(a.name);
  return names;
}

std::optional<models::Corruption> read_corruption(Fields fields) {
  if (!fields.present()) return std::nullopt;
  models::Corruption corruption;
  corruption.kind = fields.require_choice("kind", models::corruption_kinds());
  corruption.amount = fields.require<double>("amount", at_least(0));
  fields.done();
  return corruption;
}

models::ShortForm read_autoencoder(Fields& fields, std::int64_t inputs) {
  models::AutoencoderConfig config;
  config.inputs = inputs;
  config.hidden =
      read_layers(fields.require_item("hidden", "a number of units, or a list of them"));
  config.tied = fields.get("tied", config.tied);
  config.activation = fields.choice("activation", activation_names(), config.activation);
  config.output = fields.choice("output", {"sigmoid", "linear"}, config.output);
  config.corruption = read_corruption(fields.object("corruption"));
  config.initial = read_initializer(fields.item("init"));
  return config;
}

models::ShortForm read_mlp(Fields& fields, std::int64_t inputs, bool layers) {
  models::MlpConfig config;
  config.inputs = inputs;
  config.classes = fields.require<std::int64_t>("classes", between(2, 1e6));
  config.initial = read_initializer(fields.item("init"));
  if (layers) {
    config.hidden =
        read_layers(fields.require_item("hidden", "a number of units, or a list of them"));
    config.activation = fields.choice("activation", activation_names(), config.activation);
  }
  return config;
}

void read_short_form(Fields& fields, const Item& inputs, Spec& spec) {
  std::vector<std::string> kinds;
  for (const models::ModelKind& kind : models::model_kinds()) kinds.emplace_back(kind.name);
  const std::string kind = fields.require_choice("kind", kinds);
  if (kind.empty()) return;
  const std::int64_t count = inputs_of(inputs, spec, fields);
  if (inputs.is_number() && !spec.data) spec.inputs["x"] = {Shape{count}};
  const models::ShortForm form = kind == "autoencoder" ? read_autoencoder(fields, count)
                                                       : read_mlp(fields, count, kind == "mlp");
  try {
    const models::Declarations made = models::expand(form);
    for (const auto& p : made.parameters) {
      spec.pointers["parameters/" + p.name] = fields.pointer();
      spec.model.parameters.push_back(p);
    }
    for (const auto& d : made.define) {
      spec.pointers["define/" + d.first] = fields.pointer();
      spec.model.define.push_back(d);
    }
  } catch (const SpecError& error) {
    fields.problem(error.what());
  }
}

// A name may be given to one thing only.
void check_unique(const Fields& fields, const Spec& spec) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::ranges::find(names, name) != names.end())
      fields.problem(cat("'", name, "' is declared twice"),
                     "a name stands for one parameter, definition or input");
    names.push_back(name);
  };
  for (const auto& [name, input] : spec.inputs) add(name);
  for (const auto& p : spec.model.parameters) add(p.name);
  for (const auto& d : spec.model.define) add(d.first);
  for (const auto& s : spec.model.state) add(s.name);
}

Json initializer_json(const nn::Initializer& given, const Shape& shape) {
  const nn::Initializer init = nn::resolved(given, shape);
  if (init.options.empty()) return init.kind;
  return choice_json(init, nn::initializer_kinds());
}

}  // namespace

void read_model(Fields model, Spec& spec) {
  if (!model.present()) return;
  // A number is the short form's; an object declares inputs by name.
  const Item inputs = model.item("inputs");
  if (!inputs.is_number()) read_inputs(model.object("inputs"), spec);
  if (model.has("kind"))
    read_short_form(model, inputs, spec);
  else if (inputs.is_number())
    inputs.problem("a number of inputs belongs to a short form",
                   "add \"kind\", or declare inputs by name: {\"x\": {\"shape\": [784]}}");
  read_parameters(model.object("parameters"), spec);
  read_definitions(model.object("define"), spec);
  read_state(model.object("state"), spec);
  check_unique(model, spec);
  model.done();
}

void read_functions(Fields functions, Spec& spec) {
  if (!functions.present()) return;
  for (const Item& item : functions.entries()) {
    spec.pointers["functions/" + item.name()] = item.pointer();
    spec.model.functions.emplace_back(item.name(), item.as<std::string>());
  }
}

nlohmann::ordered_json model_json(const Spec& spec) {
  Json model = Json::object();
  for (const auto& [name, input] : spec.inputs)
    model["inputs"][name] = {
        {"shape", input.shape.sizes()}, {"low", input.low}, {"high", input.high}};
  for (const models::Parameter& p : spec.model.parameters)
    model["parameters"][p.name] = {{"shape", p.shape.sizes()},
                                   {"init", initializer_json(p.initial, p.shape)}};
  for (const auto& [name, text] : spec.model.define) model["define"][name] = text;
  for (const models::State& s : spec.model.state)
    model["state"][s.name] = {{"shape", s.shape.sizes()},
                              {"init", initializer_json(s.initial, s.shape)},
                              {"next", s.next}};
  return model;
}

}  // namespace jacquard::experiments
