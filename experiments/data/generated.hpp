// Data sets that are computed, for experiments and tests that need no download.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/data.hpp"

namespace jacquard::experiments {

struct GeneratedSet {
  std::string_view name;
  std::string_view what;
  std::vector<std::string_view> fields;  // of "data", beside those of every generated set
  std::map<std::string, Shape> (*shapes)(const DataSpec& spec);  // of an example
  std::vector<std::int64_t> (*image)(const DataSpec& spec);      // empty if no images
  // All spec.count examples, as "x" [count, features] and what else there is of each.
  DataSet (*generate)(const DataSpec& spec, std::uint64_t seed);
};

// bars: images of size x size, 0 or 1; each of the 2 * size full rows and columns is lit with
// probability 1 / size, apart from all others (Foldiak 1990).
// gaussian: independent features, the j-th with mean 0 and standard deviation 1 / (1 + j), so that
// the principal components are known.
// spiral: points (0.04 t sin t, 0.04 t cos t) with t uniform in [3, 15), and normal noise on both
// coordinates (Alain and Bengio 2014). "position" [count] is t.
// swiss_roll: 0.04 (t cos t, 21 u, t sin t) with t uniform in [1.5 pi, 4.5 pi), u in [0, 1), and
// normal noise on all three coordinates (Tenenbaum, de Silva and Langford 2000, made smaller).
// "position" [count, 2] is t and u.
const std::vector<GeneratedSet>& generated_sets();
const GeneratedSet* find_generated_set(std::string_view name);  // nullptr for other names

// Throws SpecError for values of `spec` that cannot be (count, size, noise).
void check_generated(const GeneratedSet& set, const DataSpec& spec);

}  // namespace jacquard::experiments
