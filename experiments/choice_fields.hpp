// Choices out of tables of kinds (nn/choice.hpp) in JSON: {"kind": "adam", "beta1": 0.5}.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "experiments/fields.hpp"
#include "nn/choice.hpp"

namespace jacquard::experiments {

std::vector<std::string> names_of(std::span<const nn::Kind> kinds);

// Reads the options of the chosen kind from the fields beside its name. Beside a kind that is none
// of these no field is a mistake of its own.
void read_options(Fields& fields, std::span<const nn::Kind> kinds, nn::Choice& choice);

// The choice must have passed check_choice() for these kinds.
nlohmann::ordered_json choice_json(const nn::Choice& choice, std::span<const nn::Kind> kinds);

}  // namespace jacquard::experiments
