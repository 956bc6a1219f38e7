// Reader of tables of numbers as text: CSV (RFC 4180) and its relatives with other separators.
//
// A line is an example, a column a feature. Fields may stand in double quotes ("" inside is one);
// spaces round a field, a byte order mark, either kind of line end and empty lines at the end are
// allowed. Numbers are read the same in every locale: 3, -0.5, 1e-3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/tensor.hpp"

namespace jacquard::experiments {

struct CsvOptions {
  char separator = ',';
  // Whether the first line names the columns. Nothing: it does if one of its fields is no number
  // and not the label.
  std::optional<bool> header = {};
  // The column that holds classes, by name or by number from 0; empty: none.
  std::string labels = {};
};

struct CsvTable {
  std::vector<std::string> names;       // of the columns of values, empty if the file has none
  Tensor<float> values;                 // [examples, columns but labels]
  std::optional<Tensor<float>> labels;  // [examples]
  // The labels where one of them is no number, each once, sorted; labels are then places here.
  std::vector<std::string> classes;
};

// Throws SpecError with line and column of the file for a field that is no finite number, lines of
// different length, a column that is not there, quotes without an end, bytes that are no UTF-8.
CsvTable parse_csv(std::string_view file, std::string_view name, const CsvOptions& options = {});
CsvTable read_csv(const std::filesystem::path& path, const CsvOptions& options = {});

}  // namespace jacquard::experiments
