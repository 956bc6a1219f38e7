#include "experiments/data.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "autodiff/error.hpp"
#include "experiments/npy.hpp"
#include "experiments/permutation.hpp"
#include "tests/experiments/small_set.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

std::string refusal(const DataSpec& spec) {
  return message_of<SpecError>([&] { load_data(spec, 1); });
}

// The first feature of every example.
std::vector<float> firsts(const DataSet& data) {
  const Tensor<float> x = data.arrays.at("x").values();
  std::vector<float> all;
  for (std::int64_t i = 0; i < x.shape[0]; ++i) all.push_back(x[i * x.shape[1]]);
  return all;
}

TEST_CASE("Fashion-MNIST is read whole, scaled and in its official parts") {
  const Variable own("JACQUARD_DATA", "/dev/null/none");
  DataSpec spec = set_of("fashion_mnist");
  spec.valid = 10000;
  const Splits splits = load_data(spec, 1);
  CHECK(splits.train.name == "fashion_mnist");
  CHECK(splits.train.arrays.at("x").shape() == Shape{50000, 784});
  CHECK(splits.train.arrays.at("labels").shape() == Shape{50000});
  CHECK(splits.valid.arrays.at("x").shape() == Shape{10000, 784});
  CHECK(splits.test.arrays.at("x").shape() == Shape{10000, 784});
  CHECK(splits.train.image == std::vector<std::int64_t>{28, 28});
  const Tensor<float> x = splits.train.arrays.at("x").values();
  CHECK(*std::ranges::min_element(x.data) == 0);
  CHECK(*std::ranges::max_element(x.data) == 1);

  // The first labels of the official files are 9 0 0 3 0 and 9 2 1 1 6.
  const std::vector<std::int64_t> order = permutation(1, "split", 60000);
  const float expected[] = {9, 0, 0, 3, 0};
  for (std::int64_t i = 0; i < 5; ++i) {
    const std::int64_t place = std::ranges::find(order, i) - order.begin();
    const bool is_valid = place < 10000;
    const Tensor<float> labels =
        (is_valid ? splits.valid : splits.train).arrays.at("labels").values();
    CHECK(labels[is_valid ? place : place - 10000] == expected[i]);
  }
  const Tensor<float> labels = splits.test.arrays.at("labels").values();
  CHECK(std::vector<float>(labels.data.begin(), labels.data.begin() + 5) ==
        std::vector<float>{9, 2, 1, 1, 6});
  // Each class has 6000 examples in all.
  std::vector<int> classes(10);
  for (const DataSet* part : {&splits.train, &splits.valid})
    for (const float label : part->arrays.at("labels").values().data)
      ++classes[static_cast<std::size_t>(label)];
  CHECK(classes == std::vector<int>(10, 6000));
}

TEST_CASE("the split is fixed by the seed, and a limit keeps the first of each part") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  put_small_set(folder, "mnist", 10, 4);
  DataSpec spec = set_of("mnist");
  spec.valid = 3;
  spec.scale = false;
  const Splits splits = load_data(spec, 1);
  // permutation(1, "split", 10) = 7 5 6 1 0 8 2 9 4 3
  CHECK(firsts(splits.valid) == std::vector<float>{7, 5, 6});
  CHECK(firsts(splits.train) == std::vector<float>{1, 0, 8, 2, 9, 4, 3});
  CHECK(firsts(splits.test) == std::vector<float>{0, 1, 2, 3});
  CHECK(splits.train.arrays.at("labels").values().data == std::vector<float>{1, 0, 8, 2, 9, 4, 3});
  CHECK(splits.train.image == std::vector<std::int64_t>{2, 3});
  CHECK(splits.train.arrays.at("x").shape() == Shape{7, 6});
  CHECK(splits.train.count() == 7);
  spec.limit = 2;
  const Splits few = load_data(spec, 1);
  CHECK(firsts(few.valid) == std::vector<float>{7, 5});
  CHECK(firsts(few.train) == std::vector<float>{1, 0});
  CHECK(firsts(few.test) == std::vector<float>{0, 1});
  spec.limit = 100;
  CHECK(firsts(load_data(spec, 1).train) == firsts(splits.train));
  CHECK(firsts(load_data(spec, 2).train) != firsts(splits.train));
  spec.scale = true;
  CHECK(firsts(load_data(spec, 1).train)[0] == 1.0F / 255);
  spec.valid = 0;
  CHECK(load_data(spec, 1).valid.arrays.at("x").shape() == Shape{0, 6});
}

TEST_CASE("numbers of examples that cannot be are refused with both numbers") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  put_small_set(folder, "mnist", 10, 4);
  DataSpec spec = set_of("mnist");
  spec.valid = 10;
  CHECK(refusal(spec) ==
        "/data/valid: 10 validation examples are asked for, 10 examples are there; 0 to 9 are "
        "allowed, so that at least one is left to train on");
  spec.valid = -1;
  CHECK(refusal(spec).starts_with("/data/valid: -1 validation examples"));
  spec.valid = 0;
  spec.limit = 0;
  CHECK(refusal(spec) == "/data/limit: 0 examples cannot be kept; 1 or more can");
  spec.limit = {};
  spec.test = 0.5;
  CHECK(refusal(spec) == "/data/test: 'mnist' has a test part of its own; leave 'test' out");
}

TEST_CASE("a missing set says where it was looked for and what brings it") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  CHECK(refusal(set_of("mnist")) ==
        cat("data 'mnist': the set is not on this machine ('", (folder / "mnist").native(),
            "' has no train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "
            "t10k-labels-idx1-ubyte); run 'jacquard data get mnist'"));
  put_small_set(folder, "mnist", 2, 2);
  std::filesystem::remove(folder / "mnist/t10k-labels-idx1-ubyte");
  CHECK(refusal(set_of("mnist")).find("has no t10k-labels-idx1-ubyte); run 'jacquard data get") !=
        std::string::npos);
  CHECK(refusal(set_of("fashon_mnist")) ==
        "/data/set: 'fashon_mnist' is no data set; there are: fashion_mnist, mnist, mnist_basic, "
        "mnist_rot, mnist_bg_rand, rectangles, cifar10, cifar10_grey, cifar10_patches, npy, npz, "
        "csv, "
        "bars, gaussian, spiral, swiss_roll");
}

TEST_CASE("images and labels that do not fit each other are refused") {
  const TemporaryFolder folder;
  const Variable own("JACQUARD_DATA", folder.path().c_str());
  put_small_set(folder, "mnist", 10, 4);
  folder.put("mnist/train-labels-idx1-ubyte", std::string("\0\0\x08\1\0\0\0\2\1\2", 10));
  CHECK(refusal(set_of("mnist")) ==
        cat("data '", (folder / "mnist/train-images-idx3-ubyte").native(), "': 10 images, but 2 ",
            "labels in '", (folder / "mnist/train-labels-idx1-ubyte").native(), "'"));
  folder.put("mnist/train-labels-idx1-ubyte", std::string("\0\0\x08\2\0\0\0\1\0\0\0\1\1", 13));
  CHECK(refusal(set_of("mnist")).ends_with("2 sizes are declared; labels have 1"));
  folder.put("mnist/train-images-idx3-ubyte", std::string("\0\0\x08\1\0\0\0\2\1\2", 10));
  CHECK(refusal(set_of("mnist")).ends_with("1 sizes are declared; images have 3"));
  put_small_set(folder, "mnist", 10, 4);
  folder.put("mnist/t10k-images-idx3-ubyte", "oops");
  CHECK(refusal(set_of("mnist")).find("magic number") != std::string::npos);
}

TEST_CASE("the arrays of an archive are inputs under their names") {
  const TemporaryFolder folder;
  NamedArrays<float> arrays = {{"x", Tensor<float>({4, 2, 3})},
                               {"labels", Tensor<float>({4}, {0, 1, 2, 3})},
                               {"side", Tensor<float>({4, 1}, {5, 6, 7, 8})}};
  for (std::int64_t i = 0; i < 24; ++i) arrays[0].values[i] = static_cast<float>(i) / 8;
  write_npz(folder / "d.npz", arrays);
  DataSpec spec = set_of("npz");
  spec.file = "d.npz";
  spec.folder = folder.path();
  spec.valid = 1;
  spec.test = 0.25;
  const Splits splits = load_data(spec, 3);
  const std::vector<std::int64_t> order = permutation(3, "split", 4);
  CHECK(splits.test.arrays.at("labels").values().data ==
        std::vector<float>{static_cast<float>(order[0])});
  CHECK(splits.valid.arrays.at("side").values().data ==
        std::vector<float>{static_cast<float>(order[1] + 5)});
  CHECK(splits.train.arrays.at("x").shape() == Shape{2, 6});
  CHECK(firsts(splits.train)[1] == static_cast<float>(order[3] * 6) / 8);
  CHECK(splits.train.image == std::vector<std::int64_t>{2, 3});
  CHECK(data_inputs(spec) ==
        std::map<std::string, Shape>{{"x", {6}}, {"labels", {}}, {"side", {1}}});
  spec.test = 2;
  CHECK(load_data(spec, 3).test.count() == 2);
  spec.test = 3;
  CHECK(refusal(spec) ==
        "/data/valid: 1 validation examples are asked for, 1 examples are there; 0 to 0 are "
        "allowed, so that at least one is left to train on");
  spec.test = 4;
  CHECK(
      refusal(spec) ==
      "/data/test: 4 test examples are asked for, 4 examples are there; at least one must be left "
      "to train on");
  for (const double test : {-1.0, 1.5, double{NAN}, double{INFINITY}}) {
    spec.test = test;
    CHECK(refusal(spec).starts_with(cat("/data/test: ", test, " is no part of a set")));
  }
}

TEST_CASE("a single array is the input x, and unsigned bytes are pixels") {
  const TemporaryFolder folder;
  DataSpec spec = set_of("npy");
  spec.file = folder.put(
      "d.npy", std::string("\x93NUMPY\1\0\x46\0", 10) +
                   "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 1, 2, 1), }    \n" +
                   std::string("\0\xff\x33\x66", 4));
  DataSpec unscaled = spec;
  unscaled.scale = false;
  std::vector<float> pixels = load_data(spec, 1).train.arrays.at("x").values().data;
  std::ranges::sort(pixels);
  CHECK(pixels == std::vector<float>{0, 51.0F / 255, 102.0F / 255, 1});
  pixels = load_data(unscaled, 1).train.arrays.at("x").values().data;
  std::ranges::sort(pixels);
  CHECK(pixels == std::vector<float>{0, 51, 102, 255});
  CHECK(load_data(spec, 1).train.image == std::vector<std::int64_t>{1, 2, 1});
  write_npy(folder / "flat.npy", Tensor<float>({3}, {1, 2, 3}));
  spec.file = folder / "flat.npy";
  CHECK(load_data(spec, 1).train.arrays.at("x").shape() == Shape{3, 1});
}

TEST_CASE("user files that are no data set are refused") {
  const TemporaryFolder folder;
  DataSpec spec = set_of("npz");
  CHECK(refusal(spec) == "/data/file: 'npz' needs the name of a file");
  const auto refusal_of = [&](const NamedArrays<float>& arrays) {
    write_npz(folder / "d.npz", arrays);
    spec.file = folder / "d.npz";
    std::string text = refusal(spec);
    const std::string start = cat("data '", spec.file.native(), "': ");
    return text.starts_with(start) ? text.substr(start.size()) : text;
  };
  CHECK(refusal_of({}) == "there is no array in it");
  CHECK(refusal_of({{"x", {}}}) ==
        "array 'x' is a single number; its first axis must be the examples");
  CHECK(refusal_of({{"x", Tensor<float>({3, 2})}, {"labels", Tensor<float>({2})}}) ==
        "array 'labels' has 2 examples, 'x' has 3; all must have the same number");
  CHECK(refusal_of({{"x", Tensor<float>({2, 2}, {0, 1, 2, NAN})}}) ==
        "array 'x' holds nan in example 1; finite numbers are needed, within the range of 32-bit "
        "floating point");
  CHECK(refusal_of({{"x", Tensor<float>({0, 2})}}).starts_with("/data/test: 0 test examples"));
  spec.file = "none.npz";
  spec.folder = folder.path();
  CHECK(refusal(spec) ==
        cat("read '", (folder / "none.npz").native(), "': opening: No such file or directory"));
}

TEST_CASE("a table of the user is x and its labels") {
  const TemporaryFolder folder;
  DataSpec spec = set_of("csv");
  spec.folder = folder.path();
  spec.file = folder.put("t.csv", "a;kind;b\n1;cat;2\n3;ant;4\n5;cat;6\n");
  spec.separator = ";";
  spec.labels = "kind";
  const Splits splits = load_data(spec, 1);
  const std::vector<std::int64_t> order = permutation(1, "split", 3);
  for (std::int64_t i = 0; i < 3; ++i) {
    const auto line = order[static_cast<std::size_t>(i)];
    CHECK(splits.train.arrays.at("x").values()[2 * i] == static_cast<float>(2 * line + 1));
    CHECK(splits.train.arrays.at("x").values()[2 * i + 1] == static_cast<float>(2 * line + 2));
    CHECK(splits.train.arrays.at("labels").values()[i] == (line == 1 ? 0.0F : 1.0F));
  }
  CHECK(data_inputs(spec) == std::map<std::string, Shape>{{"x", {2}}, {"labels", {}}});
  spec.separator = ", ";
  CHECK(refusal(spec) ==
        "/data/separator: ', ' does not separate fields; one character does, such as ',' or ';'");
}

TEST_CASE("the inputs of a set are known without the set") {
  const Variable own("JACQUARD_DATA", "/dev/null/none");
  CHECK(data_inputs(set_of("mnist")) == std::map<std::string, Shape>{{"x", {784}}, {"labels", {}}});
  CHECK(data_inputs(set_of("bars")) == std::map<std::string, Shape>{{"x", {64}}});
  CHECK(message_of<SpecError>([] { data_inputs(set_of("")); }).starts_with("/data/set: '' is no"));
}

TEST_CASE("the hash of a set changes with its numbers, names and shapes") {
  const DataSet data{"a", {{"x", Tensor<float>({2, 2}, {1, 2, 3, 4})}}, {}};
  const std::string hash = data_hash(data);
  CHECK(hash.size() == 21);
  CHECK(hash.starts_with("xxh3:"));
  std::set<std::string> hashes = {hash};
  DataSet other = data;
  other.arrays["x"].floats()[3] = 5;
  hashes.insert(data_hash(other));
  hashes.insert(data_hash({"a", {{"y", Tensor<float>({2, 2}, {1, 2, 3, 4})}}, {}}));
  hashes.insert(data_hash({"a", {{"x", Tensor<float>({4, 1}, {1, 2, 3, 4})}}, {}}));
  hashes.insert(data_hash({"a", {{"x", Tensor<float>({2, 2}, {1, 2, 3, 4})}}, {2, 1}}));
  hashes.insert(data_hash({}));
  CHECK(hashes.size() == 6);
  CHECK(data_hash(data) == hash);
}

}  // namespace
}  // namespace jacquard::experiments
