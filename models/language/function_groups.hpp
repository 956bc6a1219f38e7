// The rows of the table of functions, a file for each group; functions.cpp puts them together.
#pragma once

#include <vector>

#include "models/language/functions.hpp"

namespace jacquard::models {

std::vector<Function> elementwise_functions();
std::vector<Function> reduction_functions();
std::vector<Function> shape_functions();
std::vector<Function> derivative_functions();
std::vector<Function> loss_functions();
std::vector<Function> draw_functions();

}  // namespace jacquard::models
