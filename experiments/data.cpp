#include "experiments/data.hpp"

#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "autodiff/error.hpp"
#include "experiments/data_store.hpp"
#include "experiments/file.hpp"
#include "experiments/generated_data.hpp"
#include "experiments/idx.hpp"
#include "experiments/npy.hpp"
#include "experiments/permutation.hpp"

namespace jacquard::experiments {
namespace {

using Indices = std::vector<std::int64_t>;

constexpr float kWhite = 255;  // the largest unsigned byte

struct Order {
  Indices train, valid, test;
};

// Takes `count` indices from the front of `order`.
Indices take_front(Indices& order, std::int64_t count) {
  Indices front(order.begin(), order.begin() + count);
  order.erase(order.begin(), order.begin() + count);
  return front;
}

Indices limited(Indices indices, const DataSpec& spec) {
  if (spec.limit && *spec.limit < static_cast<std::int64_t>(indices.size()))
    indices.resize(static_cast<std::size_t>(*spec.limit));
  return indices;
}

// The examples of each part, of `count` in all of which `test` go to the test part.
Order split(const DataSpec& spec, std::uint64_t seed, std::int64_t count, std::int64_t test) {
  if (spec.limit && *spec.limit < 1)
    throw SpecError(cat("/data/limit: ", *spec.limit, " examples cannot be kept; 1 or more can"));
  if (test >= count)
    throw SpecError(cat("/data/test: ", test, " test examples are asked for, ", count,
                        " examples are there; at least one must be left to train on"));
  if (spec.valid < 0 || spec.valid >= count - test)
    throw SpecError(cat("/data/valid: ", spec.valid, " validation examples are asked for, ",
                        count - test, " examples are there; 0 to ", count - test - 1,
                        " are allowed, so that at least one is left to train on"));
  Indices order = permutation(seed, "split", count);
  Order parts;
  parts.test = limited(take_front(order, test), spec);
  parts.valid = limited(take_front(order, spec.valid), spec);
  parts.train = limited(std::move(order), spec);
  return parts;
}

// The number of test examples that "test" asks for: a fraction below 1, else a count.
std::int64_t test_count(const DataSpec& spec, std::int64_t count) {
  const double test = spec.test;
  if (!(test >= 0) || test > static_cast<double>(Shape::kMaxElements) ||
      (test >= 1 && test != std::floor(test)))
    throw SpecError(cat("/data/test: ", test,
                        " is no part of a set; a fraction from 0 to below 1 or a whole number of ",
                        "examples is"));
  return test < 1 ? std::llround(test * static_cast<double>(count))
                  : static_cast<std::int64_t>(test);
}

template <class From>
Tensor<float> take_rows(const From* rows, Shape shape, const Indices& indices, float divisor) {
  std::vector<std::int64_t> sizes = shape.sizes();
  const std::int64_t row =
      std::accumulate(sizes.begin() + 1, sizes.end(), std::int64_t{1}, std::multiplies<>());
  sizes[0] = static_cast<std::int64_t>(indices.size());
  Tensor<float> taken{Shape(std::move(sizes))};
  auto to = taken.data.begin();
  for (const std::int64_t index : indices)
    to = std::transform(rows + index * row, rows + (index + 1) * row, to,
                        [divisor](From value) { return static_cast<float>(value) / divisor; });
  return taken;
}

DataSet take(const DataSet& whole, const Indices& indices) {
  DataSet part{whole.name, {}, whole.image};
  for (const auto& [name, values] : whole.arrays)
    part.arrays[name] = take_rows(values.data.data(), values.shape, indices, 1);
  return part;
}

// Images and labels of one official part, still as bytes.
struct IdxPair {
  IdxArray images;  // [count, height, width]
  IdxArray labels;  // [count]
};

IdxPair read_pair(const std::filesystem::path& images, const std::filesystem::path& labels) {
  IdxPair pair{read_idx(images), read_idx(labels)};
  if (pair.images.sizes.size() != 3)
    throw SpecError(cat("data ", in_quotes(images), ": ", pair.images.sizes.size(),
                        " sizes are declared; images have 3"));
  if (pair.labels.sizes.size() != 1)
    throw SpecError(cat("data ", in_quotes(labels), ": ", pair.labels.sizes.size(),
                        " sizes are declared; labels have 1"));
  if (pair.images.sizes[0] != pair.labels.sizes[0])
    throw SpecError(cat("data ", in_quotes(images), ": ", pair.images.sizes[0], " images, but ",
                        pair.labels.sizes[0], " labels in ", in_quotes(labels)));
  return pair;
}

DataSet take(const IdxPair& pair, const Indices& indices, const DataSpec& spec) {
  const std::vector<std::int64_t>& sizes = pair.images.sizes;
  const auto* const pixels = reinterpret_cast<const unsigned char*>(pair.images.bytes.data());
  const auto* const labels = reinterpret_cast<const unsigned char*>(pair.labels.bytes.data());
  DataSet part{spec.set, {}, {sizes[1], sizes[2]}};
  part.arrays["x"] =
      take_rows(pixels, {sizes[0], sizes[1] * sizes[2]}, indices, spec.scale ? kWhite : 1);
  part.arrays["labels"] = take_rows(labels, {sizes[0]}, indices, 1);
  return part;
}

Splits load_idx_set(const IdxSet& set, const DataSpec& spec, std::uint64_t seed) {
  if (spec.test != 0)
    throw SpecError(cat("/data/test: ", in_quotes(set.name), " has a test part of its own; leave ",
                        "'test' out"));
  const auto files = locate(set);
  Splits splits;
  {
    const IdxPair pair = read_pair(files[kTrainImages], files[kTrainLabels]);
    const Order order = split(spec, seed, pair.images.sizes[0], 0);
    splits.train = take(pair, order.train, spec);
    splits.valid = take(pair, order.valid, spec);
  }
  const IdxPair pair = read_pair(files[kTestImages], files[kTestLabels]);
  Indices all(static_cast<std::size_t>(pair.images.sizes[0]));
  std::iota(all.begin(), all.end(), 0);
  splits.test = take(pair, limited(std::move(all), spec), spec);
  return splits;
}

std::filesystem::path user_path(const DataSpec& spec) {
  if (spec.file.empty())
    throw SpecError(cat("/data/file: ", in_quotes(spec.set), " needs the name of a file"));
  return spec.folder / spec.file;  // an absolute file stays as it is
}

NamedArrays<float> read_arrays(const DataSpec& spec) {
  const std::filesystem::path path = user_path(spec);
  if (spec.set == "npz") return read_npz<float>(path);
  NamedArrays<float> arrays = {read_npy<float>(path)};
  arrays[0].name = "x";
  return arrays;
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

DataSet read_user_file(const DataSpec& spec) {
  const std::filesystem::path path = user_path(spec);
  NamedArrays<float> arrays = read_arrays(spec);
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

bool is_user_file(const DataSpec& spec) { return spec.set == "npy" || spec.set == "npz"; }

Splits split_whole(const DataSet& whole, const DataSpec& spec, std::uint64_t seed) {
  const Order order = split(spec, seed, whole.count(), test_count(spec, whole.count()));
  return {take(whole, order.train), take(whole, order.valid), take(whole, order.test)};
}

[[noreturn]] void refuse_set(const std::string& name) {
  std::string known;
  for (const std::string& set : data_set_names()) known += (known.empty() ? "" : ", ") + set;
  throw SpecError(cat("/data/set: ", in_quotes(name), " is no data set; there are: ", known));
}

}  // namespace

const std::vector<std::string>& data_set_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const IdxSet& set : idx_sets()) all.emplace_back(set.name);
    all.insert(all.end(), {"npy", "npz"});
    for (const GeneratedSet& set : generated_sets()) all.emplace_back(set.name);
    return all;
  }();
  return names;
}

Splits load_data(const DataSpec& spec, std::uint64_t seed) {
  if (const IdxSet* set = find_idx_set(spec.set)) return load_idx_set(*set, spec, seed);
  if (is_user_file(spec)) return split_whole(read_user_file(spec), spec, seed);
  if (const GeneratedSet* set = find_generated_set(spec.set)) {
    check_generated(*set, spec);
    return split_whole(set->generate(spec, seed), spec, seed);
  }
  refuse_set(spec.set);
}

std::map<std::string, Shape> data_inputs(const DataSpec& spec) {
  if (const IdxSet* set = find_idx_set(spec.set)) {
    const std::vector<std::int64_t>& sizes = set->files[kTrainImages].sizes;
    return {{"x", {sizes[1] * sizes[2]}}, {"labels", {}}};
  }
  if (const GeneratedSet* set = find_generated_set(spec.set)) {
    check_generated(*set, spec);
    return {{"x", {set->features(spec)}}};
  }
  if (!is_user_file(spec)) refuse_set(spec.set);
  std::map<std::string, Shape> inputs;
  for (const auto& [name, values] : read_user_file(spec).arrays)
    inputs[name] = Shape(std::vector<std::int64_t>(values.shape.begin() + 1, values.shape.end()));
  return inputs;
}

std::string data_hash(const DataSet& data) {
  uLong hash = ::crc32(0, nullptr, 0);
  const auto add = [&hash](const void* bytes, std::size_t size) {
    if (size > 0) hash = ::crc32_z(hash, static_cast<const Bytef*>(bytes), size);
  };
  const auto add_sizes = [&add](const std::vector<std::int64_t>& sizes) {
    const std::uint64_t rank = sizes.size();
    add(&rank, sizeof rank);
    add(sizes.data(), sizes.size() * sizeof(std::int64_t));
  };
  add_sizes(data.image);
  for (const auto& [name, values] : data.arrays) {
    add(name.c_str(), name.size() + 1);
    add_sizes(values.shape.sizes());
    add(values.data.data(), values.data.size() * sizeof(float));
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text = "crc32:";
  for (int shift = 28; shift >= 0; shift -= 4) text += kDigits[hash >> shift & 15];
  return text;
}

}  // namespace jacquard::experiments
