#include "experiments/data.hpp"

#include <algorithm>
#include <cmath>

#include "autodiff/error.hpp"
#include "experiments/content_hash.hpp"
#include "experiments/data/generated.hpp"
#include "experiments/data/image_sets.hpp"
#include "experiments/data/preparation.hpp"
#include "experiments/data/user_files.hpp"
#include "experiments/file.hpp"
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

DataSet take(const DataSet& whole, const Indices& indices) {
  DataSet part{whole.name, {}, whole.image};
  for (const auto& [name, values] : whole.arrays) part.arrays[name] = values.taken(indices);
  return part;
}

[[noreturn]] void refuse_set(const std::string& name) {
  std::string known;
  for (const std::string& set : data_set_names()) known += (known.empty() ? "" : ", ") + set;
  throw SpecError(cat("/data/set: ", in_quotes(name), " is no data set; there are: ", known));
}

ByteValues byte_values(float divisor) {
  ByteValues values{};
  for (std::size_t byte = 0; byte < values.size(); ++byte)
    values[byte] = static_cast<float>(byte) / divisor;
  return values;
}

DataSet data_set(ImagePart part, const DataSpec& spec) {
  const std::vector<std::int64_t>& sizes = part.images.sizes;
  std::vector<std::int64_t> image(sizes.begin() + 1, sizes.end());
  const Shape x{sizes[0], Shape(image).size()}, labels{sizes[0]};
  DataSet set{spec.set, {}, std::move(image)};
  set.arrays["x"] = {x, std::move(part.images.bytes), byte_values(spec.scale ? kWhite : 1)};
  set.arrays["labels"] = {labels, std::move(part.labels.bytes), byte_values(1)};
  return set;
}

Splits split_images(ImageParts parts, const DataSpec& spec, std::uint64_t seed) {
  const Order order = split(spec, seed, parts.train.count(), 0);
  const DataSet train = data_set(std::move(parts.train), spec);
  DataSet test = data_set(std::move(parts.test), spec);
  for (auto& [name, values] : test.arrays)
    values = values.beginning(spec.limit.value_or(values.count()));
  return {take(train, order.train), take(train, order.valid), std::move(test)};
}

Splits split_whole(const DataSet& whole, const DataSpec& spec, std::uint64_t seed) {
  const Order order = split(spec, seed, whole.count(), test_count(spec, whole.count()));
  return {take(whole, order.train), take(whole, order.valid), take(whole, order.test)};
}

Splits load_unprepared(const DataSpec& spec, std::uint64_t seed) {
  if (const ImageSet* set = find_image_set(spec.set)) {
    if (spec.test != 0)
      throw SpecError(cat("/data/test: ", in_quotes(set->name), " has a test part of its own; ",
                          "leave 'test' out"));
    return split_images(set->read(spec, seed), spec, seed);
  }
  if (const UserSet* set = find_user_set(spec.set)) return split_whole(set->read(spec), spec, seed);
  if (const GeneratedSet* set = find_generated_set(spec.set)) {
    check_generated(*set, spec);
    return split_whole(set->generate(spec, seed), spec, seed);
  }
  refuse_set(spec.set);
}

// Shapes of one example, and the image that x is, before preparation.
struct Unprepared {
  std::map<std::string, Shape> inputs;
  std::vector<std::int64_t> image;
};

Unprepared unprepared_inputs(const DataSpec& spec) {
  if (const ImageSet* set = find_image_set(spec.set)) {
    std::vector<std::int64_t> image = set->image(spec);
    return {{{"x", {Shape(image).size()}}, {"labels", {}}}, std::move(image)};
  }
  if (const GeneratedSet* set = find_generated_set(spec.set)) {
    check_generated(*set, spec);
    return {set->shapes(spec), set->image(spec)};
  }
  const UserSet* set = find_user_set(spec.set);
  if (!set) refuse_set(spec.set);
  const DataSet whole = set->read(spec);
  Unprepared result{{}, whole.image};
  for (const auto& [name, values] : whole.arrays)
    result.inputs[name] =
        Shape(std::vector<std::int64_t>(values.shape().begin() + 1, values.shape().end()));
  return result;
}

}  // namespace

const std::vector<std::string>& data_set_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const ImageSet& set : image_sets()) all.emplace_back(set.name);
    for (const UserSet& set : user_sets()) all.emplace_back(set.name);
    for (const GeneratedSet& set : generated_sets()) all.emplace_back(set.name);
    return all;
  }();
  return names;
}

Splits load_data(const DataSpec& spec, std::uint64_t seed) {
  Splits splits = load_unprepared(spec, seed);
  if (!spec.prepare.empty())
    splits.preparation = std::make_shared<const Preparation>(spec.prepare, seed, splits);
  return splits;
}

std::map<std::string, Shape> data_inputs(const DataSpec& spec) {
  auto [inputs, image] = unprepared_inputs(spec);
  if (!spec.prepare.empty()) {
    const auto x = inputs.find("x");
    if (x == inputs.end() || x->second.rank() != 1)
      throw SpecError("/data/prepare: there is no array x of numbers per example to prepare");
    x->second = {prepared_shape(spec.prepare, {x->second[0], std::move(image)}).features};
  }
  return inputs;
}

std::string data_hash(const DataSet& data) {
  ContentHash hash;
  const std::uint64_t rank = data.image.size();
  hash.add(&rank, sizeof rank);
  hash.add(data.image.data(), data.image.size() * sizeof(std::int64_t));
  for (const auto& [name, values] : data.arrays) {
    hash.add(name.c_str(), name.size() + 1);
    values.add_to(hash);
  }
  return "xxh3:" + hash_text(hash.value());
}

}  // namespace jacquard::experiments
