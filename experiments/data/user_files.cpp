#include "experiments/data/user_files.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/error.hpp"
#include "experiments/data/csv.hpp"
#include "experiments/file.hpp"
#include "experiments/npy.hpp"

namespace jacquard::experiments {
namespace {

constexpr float kWhite = 255;  // the largest unsigned byte

std::filesystem::path user_path(const DataSpec& spec) {
  if (spec.file.empty())
    throw SpecError(cat("/data/file: ", in_quotes(spec.set), " needs the name of a file"));
  return spec.folder / spec.file;  // an absolute file stays as it is
}

void check_finite(const NamedArray<float>& array, const std::filesystem::path& path) {
  const auto bad =
      std::ranges::find_if_not(array.values.data, [](float v) { return std::isfinite(v); });
  if (bad == array.values.data.end()) return;
  const std::int64_t row = array.values.size() / array.values.shape[0];
  throw SpecError(cat("data ", in_quotes(path), ": array ", in_quotes(array.name), " holds ", *bad,
                      " in example ", (bad - array.values.data.begin()) / row,
                      "; finite numbers are needed, within the range of 32-bit floating point"));
}

void check_examples(const NamedArray<float>& array, const NamedArray<float>& first,
                    const std::filesystem::path& path) {
  const Shape& shape = array.values.shape;
  if (shape.rank() == 0)
    throw SpecError(cat("data ", in_quotes(path), ": array ", in_quotes(array.name),
                        " is a single number; its first axis must be the examples"));
  if (shape[0] != first.values.shape[0])
    throw SpecError(cat("data ", in_quotes(path), ": array ", in_quotes(array.name), " has ",
                        shape[0], " examples, ", in_quotes(first.name), " has ",
                        first.values.shape[0], "; all must have the same number"));
}

// [count, ...] as [count, features]; labels and other arrays of one axis stay as they are.
Shape flattened(const NamedArray<float>& array) {
  const Shape& shape = array.values.shape;
  if (shape.rank() == 1 && array.name != "x") return shape;
  if (shape.rank() == 2) return shape;
  std::int64_t features = 1;
  for (int axis = 1; axis < shape.rank(); ++axis) features *= shape[axis];
  return {shape[0], features};
}

DataSet data_set(const DataSpec& spec, NamedArrays<float> arrays) {
  const std::filesystem::path path = user_path(spec);
  if (arrays.empty()) throw SpecError(cat("data ", in_quotes(path), ": there is no array in it"));
  DataSet whole{spec.set, {}, {}};
  for (const NamedArray<float>& array : arrays) check_examples(array, arrays[0], path);
  for (NamedArray<float>& array : arrays) {
    check_finite(array, path);
    const Shape& shape = array.values.shape;
    const bool is_pixels = array.dtype.ends_with("u1") && shape.rank() > 1;
    if (is_pixels && spec.scale)
      for (float& value : array.values.data) value /= kWhite;
    if (array.name == "x" && (shape.rank() == 3 || shape.rank() == 4))
      whole.image.assign(shape.begin() + 1, shape.end());
    array.values.shape = flattened(array);
    whole.arrays[array.name] = std::move(array.values);
  }
  return whole;
}

DataSet read_array(const DataSpec& spec) {
  NamedArrays<float> arrays = {read_npy<float>(user_path(spec))};
  arrays[0].name = "x";
  return data_set(spec, std::move(arrays));
}

DataSet read_archive(const DataSpec& spec) {
  return data_set(spec, read_npz<float>(user_path(spec)));
}

DataSet read_table(const DataSpec& spec) {
  if (spec.separator.size() != 1 || spec.separator == "\"" || spec.separator == "\n" ||
      spec.separator == "\r")
    throw SpecError(cat("/data/separator: ", in_quotes(spec.separator),
                        " does not separate fields; one character does, such as ',' or ';'"));
  CsvTable table = read_csv(user_path(spec), {spec.separator[0], spec.header, spec.labels});
  DataSet whole{spec.set, {{"x", std::move(table.values)}}, {}};
  if (table.labels) whole.arrays["labels"] = std::move(*table.labels);
  return whole;
}

}  // namespace

const std::vector<UserSet>& user_sets() {
  static const std::vector<UserSet> sets = {
      {"npy", "an array of yours, the input x", {"file", "scale", "test"}, read_array},
      {"npz", "arrays of yours, inputs by their names", {"file", "scale", "test"}, read_archive},
      {"csv",
       "a table of yours, an example a line",
       {"file", "test", "labels", "header", "separator"},
       read_table}};
  return sets;
}

const UserSet* find_user_set(std::string_view name) {
  for (const UserSet& set : user_sets())
    if (set.name == name) return &set;
  return nullptr;
}

}  // namespace jacquard::experiments
