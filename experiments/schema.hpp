// The JSON schema (draft-07) of a spec, for editors: made from the tables that the reader uses, and
// held against the reader by tests/experiments/schema_test.cpp.
//
// It knows the structure: fields, types, ranges, kinds. What needs more than one value to judge
// (shapes that fit, texts of the cost language, whether a data set is there) is the reader's.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace jacquard::experiments {

nlohmann::ordered_json spec_schema();

}  // namespace jacquard::experiments
