// The report of a gradient check as people and programs read it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "autodiff/gradient_check.hpp"

namespace jacquard::experiments {

// A line for each row: term, parameter, order, verdict, relative error of the rule, and how much of
// the deviation that rounding explains the plans in double and float have (above 1 is wrong). A
// parameter that a term does not use has '-'.
std::string check_table(const CheckReport& report);

// A paragraph for each row that is neither passed nor unused: the worst element with its values,
// the slopes on both sides, the operation to blame. Empty lines between them; "" if there is none.
std::string check_details(const CheckReport& report);

// "check passed" or "check failed: 2 of 12".
std::string check_conclusion(const CheckReport& report);

// Numbers that are not finite are null.
nlohmann::ordered_json check_row_json(const CheckRow& row);

}  // namespace jacquard::experiments
