// Data sets in files of the user: an array (npy), several (npz), a table of text (csv).
#pragma once

#include <string_view>
#include <vector>

#include "experiments/data.hpp"

namespace jacquard::experiments {

struct UserSet {
  std::string_view name;
  std::string_view what;
  std::vector<std::string_view> fields;  // of "data", beside those of every set
  DataSet (*read)(const DataSpec& spec);
};

// npy: the array is x. npz: arrays are inputs by their names. csv: the columns are x, but for the
// one that is named labels. An x of three or four axes is images; all are flattened to [count,
// features]. Throws SpecError for what is missing or no data set.
const std::vector<UserSet>& user_sets();
const UserSet* find_user_set(std::string_view name);  // nullptr for other names

}  // namespace jacquard::experiments
