// JSON as the program writes it: strict, readable, the same bytes for the same value.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace jacquard::experiments {

// Two spaces of indentation, a field per line, arrays of plain values on one line; no comments, no
// line feed at the end. Numbers have the fewest digits that read back as the same double, and keep
// being what they are: 1.0 stays different from 1. Text is UTF-8, only what must be is escaped.
// Throws SpecError for numbers that are not finite and text that is no UTF-8.
std::string dump_strict(const nlohmann::ordered_json& value);

// The number, or null for one that JSON cannot say.
nlohmann::ordered_json finite_or_null(double value);

// A finite number as messages show it: the fewest digits, without ".0".
std::string number_text(double value);

}  // namespace jacquard::experiments
