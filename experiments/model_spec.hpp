// The "model" and "functions" sections of a spec: parameters, definitions, inputs, short forms.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>

#include "experiments/fields.hpp"
#include "experiments/spec.hpp"

namespace jacquard::experiments {

// {"parameters": ..., "define": ..., "inputs": ...} or {"kind": "autoencoder", ...}, whose further
// parameters and definitions may stand beside the short form.
void read_model(Fields model, Spec& spec);
void read_functions(Fields functions, Spec& spec);

// The section with everything written out.
nlohmann::ordered_json model_json(const Spec& spec);

}  // namespace jacquard::experiments
