// Pieces of cost text from which the short forms are put together.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jacquard::models {

// "W" for the only layer, "W2" for the second of several; layers count from 1.
std::string numbered(std::string_view name, std::size_t layer, std::size_t layers);

// "sigmoid(text)", or the text itself for the identity. Throws SpecError beginning with `where` for
// an activation that is not known.
std::string activated(std::string_view where, const std::string& activation,
                      const std::string& text);

// Throws SpecError beginning with `where` when a size is below 1.
void check_size(std::string_view where, std::string_view field, std::int64_t size);
void check_sizes(std::string_view where, std::string_view field,
                 const std::vector<std::int64_t>& sizes);

}  // namespace jacquard::models
