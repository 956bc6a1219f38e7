// The "data" section of a spec: one table says which fields there are, what they may hold and which
// sets have them. Reading, writing and the schema follow from it.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "experiments/data.hpp"
#include "experiments/fields.hpp"

namespace jacquard::experiments {

// A column of a table, by name or number; read as text in any case.
struct ColumnMember {
  std::string DataSpec::*member;
};

using DataMember = std::variant<bool DataSpec::*, std::int64_t DataSpec::*, double DataSpec::*,
                                std::string DataSpec::*, std::filesystem::path DataSpec::*,
                                std::optional<bool> DataSpec::*,
                                std::optional<std::int64_t> DataSpec::*, ColumnMember>;

struct DataField {
  std::string_view name;
  DataMember member;
  std::string_view meaning;
  Range range = {};
};

// Every field but "set" and "prepare".
const std::vector<DataField>& data_fields();
// Those of one set, in the same order; none of them but "file" is required.
std::vector<const DataField*> data_fields_of(std::string_view set);
// What a set is, for people.
std::string_view data_set_meaning(std::string_view set);

// Nothing where the section is absent. Paths are relative to `folder`.
std::optional<DataSpec> read_data(Fields fields, const std::filesystem::path& folder);
// Reading this gives the same section; the path of a file is absolute.
nlohmann::ordered_json data_json(const DataSpec& data);

}  // namespace jacquard::experiments
