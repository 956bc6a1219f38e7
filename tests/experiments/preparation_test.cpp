#include "experiments/data/preparation.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autodiff/error.hpp"
#include "autodiff/philox.hpp"
#include "experiments/data/covariance.hpp"
#include "experiments/npy.hpp"
#include "tests/experiments/small_set.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

using Steps = std::vector<nn::Choice>;

DataSet set_with(Tensor<float> x, std::vector<std::int64_t> image = {}) {
  return {"t", {{"x", std::move(x)}}, std::move(image)};
}

// Correlated numbers: a draw times a matrix that is not symmetric, plus an offset.
Tensor<float> correlated(std::int64_t count, std::int64_t features, const char* stream) {
  Tensor<float> draws({count, features}), x({count, features});
  fill_normal<float>(draws.data, 7, stream, 0);
  for (std::int64_t i = 0; i < count; ++i)
    for (std::int64_t j = 0; j < features; ++j) {
      double sum = static_cast<double>(j) - 1;
      for (std::int64_t k = 0; k < features; ++k)
        sum += draws[i * features + k] / static_cast<double>(1 + k + (j > k ? 2 * j : 0));
      x[i * features + j] = static_cast<float>(sum);
    }
  return x;
}

Splits correlated_splits(std::int64_t features, std::vector<std::int64_t> image = {}) {
  return {set_with(correlated(400, features, "train"), image),
          set_with(correlated(50, features, "valid"), image),
          set_with(correlated(60, features, "test"), image)};
}

Tensor<float> x_of(const DataSet& data) { return data.arrays.at("x").values(); }

std::string refusal(const Steps& steps, Splits data) {
  return message_of<SpecError>([&] { Preparation(steps, 1, data); });
}

double largest_difference(const Tensor<float>& a, const Tensor<float>& b) {
  REQUIRE(a.shape == b.shape);
  double worst = 0;
  for (std::int64_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(a[i]) - b[i]));
  return worst;
}

TEST_CASE("scale takes the training range to the one asked for, in all or in each feature") {
  const auto prepared = [](const nn::Choice& step) {
    Splits data{set_with({{3, 2}, {1, 10, 2, 30, 5, 20}}), set_with(Tensor<float>(Shape{0, 2})),
                set_with({{1, 2}, {3, 40}})};
    const Preparation preparation({step}, 1, data);
    std::vector<float> all = x_of(data.train).data;
    const std::vector<float> test = x_of(data.test).data;
    all.insert(all.end(), test.begin(), test.end());
    return all;
  };
  const auto check = [](const std::vector<float>& got, const std::vector<double>& expected) {
    REQUIRE(got.size() == expected.size());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == doctest::Approx(expected[i]));
  };
  check(prepared({"scale"}), {0, 9 / 29.0, 1 / 29.0, 1, 4 / 29.0, 19 / 29.0, 2 / 29.0, 39 / 29.0});
  check(prepared({"scale", {{"each", 1}, {"low", -1}, {"high", 1}}}),
        {-1, -1, -0.5, 1, 1, 0, 0, 2});
}

TEST_CASE("standardise gives mean 0 and deviation 1, as the formula says with its epsilon") {
  Splits data{set_with({{4, 2}, {1, 5, 3, 5, 5, 5, 7, 5}}), set_with(Tensor<float>(Shape{0, 2})),
              set_with({{1, 2}, {9, 6}})};
  Splits together = data;
  Preparation({{"standardise", {{"epsilon", 0}}}}, 1, data);
  const double deviation = std::sqrt(5.0);  // of 1 3 5 7
  for (std::int64_t i = 0; i < 4; ++i) {
    CHECK(x_of(data.train)[2 * i] ==
          doctest::Approx((2.0 * static_cast<double>(i) - 3) / deviation));
    CHECK(x_of(data.train)[2 * i + 1] == 0);  // it never changes
  }
  CHECK(x_of(data.test)[0] == doctest::Approx(5 / deviation));
  CHECK(x_of(data.test)[1] == 1);
  Preparation({{"standardise", {{"epsilon", 0.5}, {"together", 1}}}}, 1, together);
  const double all_mean = 4.5,
               all_deviation = std::sqrt((12.25 + 2.25 + 0.25 + 6.25 + 4 * 0.25) / 8);
  CHECK(x_of(together.test)[0] == doctest::Approx((9 - all_mean) / (all_deviation + 0.5)));
}

TEST_CASE("contrast normalisation is the ancestor's formula, example by example") {
  const auto prepared = [](const nn::Choice& step) {
    Splits data{set_with({{2, 3}, {1, 2, 6, 4, 4, 4}}), set_with(Tensor<float>(Shape{0, 3})),
                set_with(Tensor<float>(Shape{0, 3}))};
    const Preparation preparation({step}, 1, data);
    return x_of(data.train).data;
  };
  // 1 2 6 has mean 3, squares round it 4 + 1 + 9 = 14, variance with Bessel's correction 7.
  const auto check = [&](const nn::Choice& step, double mean, double divisor, double flat) {
    const std::vector<float> x = prepared(step);
    const double raw[] = {1, 2, 6};
    for (std::size_t j = 0; j < 3; ++j) {
      CHECK(x[j] == doctest::Approx((raw[j] - mean) / divisor));
      CHECK(x[3 + j] == doctest::Approx(flat));
    }
  };
  const std::string kind = "contrast_normalisation";
  check({kind}, 3, std::sqrt(14.0), 0);
  check({kind, {{"deviation", 1}}}, 3, std::sqrt(7.0), 0);
  check({kind, {{"deviation", 1}, {"bias", 10}}}, 3, std::sqrt(17.0), 0);
  check({kind, {{"scale", 5}, {"bias", 2}}}, 3, std::sqrt(16.0) / 5, 0);
  check({kind, {{"subtract_mean", 0}}}, 0, std::sqrt(41.0), 4 / std::sqrt(48.0));
  check({kind, {{"subtract_mean", 0}, {"deviation", 1}}}, 0, std::sqrt(7.0), 4);
  check({kind, {{"least_divisor", 3.75}}}, 3, 1, 0);
}

TEST_CASE("the directions of pca are those of largest variance, and its sign is fixed") {
  // Points on a line through (1, 1) with a little across it.
  Splits data{set_with({{4, 2}, {3, 3, -1, -1, 1.5F, 0.5F, 0.5F, 1.5F}}),
              set_with(Tensor<float>(Shape{0, 2})), set_with({{1, 2}, {2, 1}})};
  const Preparation preparation({{"pca", {{"components", 1}}}}, 1, data);
  CHECK(x_of(data.train).shape == Shape{4, 1});
  const double root = std::sqrt(2.0);
  const double expected[] = {2 * root, -2 * root, 0, 0};
  for (std::int64_t i = 0; i < 4; ++i)
    CHECK(x_of(data.train)[i] == doctest::Approx(expected[i]).epsilon(1e-6));
  CHECK(x_of(data.test)[0] == doctest::Approx(1 / root));
  // The best that one component can do.
  const Tensor<float> back = preparation.inverse(x_of(data.test), nullptr);
  CHECK(back[0] == doctest::Approx(1.5));
  CHECK(back[1] == doctest::Approx(1.5));
}

TEST_CASE("eigenvectors are those of the matrix, the largest value first") {
  const Tensor<float> x = correlated(300, 9, "eigen");
  const Tensor<double> mean = mean_of(x);
  const Tensor<double> covariance = covariance_of(x, mean);
  for (std::int64_t j = 0; j < 9; ++j)
    for (std::int64_t k = 0; k < 9; ++k) {
      double sum = 0;
      for (std::int64_t i = 0; i < 300; ++i)
        sum += (x[i * 9 + j] - mean[j]) * (x[i * 9 + k] - mean[k]) / 300;
      CHECK(covariance[j * 9 + k] == doctest::Approx(sum).epsilon(1e-12));
    }
  const Eigen eigen = symmetric_eigen(covariance);
  for (std::int64_t k = 0; k < 9; ++k) {
    if (k > 0) CHECK(eigen.values[k] <= eigen.values[k - 1]);
    double largest = 0;
    for (std::int64_t j = 0; j < 9; ++j) {
      double product = 0;
      for (std::int64_t i = 0; i < 9; ++i)
        product += covariance[j * 9 + i] * eigen.vectors[i * 9 + k];
      CHECK(std::abs(product - eigen.values[k] * eigen.vectors[j * 9 + k]) < 1e-12);
      if (std::abs(eigen.vectors[j * 9 + k]) > std::abs(largest))
        largest = eigen.vectors[j * 9 + k];
    }
    CHECK(largest > 0);
  }
}

TEST_CASE("whitened training data has the identity as its covariance") {
  for (const nn::Choice& step : {nn::Choice{"pca", {{"components", 5}, {"whiten", 1}}},
                                 nn::Choice{"pca", {{"components", 3}, {"whiten", 1}}},
                                 nn::Choice{"zca", {{"epsilon", 0}}}}) {
    Splits data = correlated_splits(5);
    Preparation({step}, 1, data);
    const Tensor<float> x = x_of(data.train);
    const Tensor<double> covariance = covariance_of(x, mean_of(x));
    const std::int64_t n = x.shape[1];
    for (std::int64_t i = 0; i < n * n; ++i)
      CHECK(std::abs(covariance[i] - (i % (n + 1) == 0 ? 1 : 0)) < 1e-5);
  }
}

TEST_CASE("zca leaves x where it is when it is white, and shrinks by its epsilon") {
  // Variances 1 and 1/4 along the axes: y = x / sqrt(variance + epsilon), without turning.
  Splits data{set_with({{4, 2}, {1, 0.5F, -1, 0.5F, 1, -0.5F, -1, -0.5F}}),
              set_with(Tensor<float>(Shape{0, 2})), set_with({{1, 2}, {3, 4}})};
  Preparation({{"zca", {{"epsilon", 0.75}}}}, 1, data);
  CHECK(x_of(data.test)[0] == doctest::Approx(3 / std::sqrt(1.75)));
  CHECK(x_of(data.test)[1] == doctest::Approx(4));
  // The map is symmetric: what x_i does to y_j, x_j does to y_i.
  Splits other = correlated_splits(4);
  other.test = set_with(Tensor<float>(Shape{5, 4}));
  for (std::int64_t i = 0; i < 4; ++i) other.test.arrays.at("x").floats()[(i + 1) * 4 + i] = 1;
  Preparation({{"zca"}}, 1, other);
  const Tensor<float> y = x_of(other.test);
  for (std::int64_t i = 0; i < 4; ++i)
    for (std::int64_t j = 0; j < 4; ++j)
      CHECK(std::abs((y[(i + 1) * 4 + j] - y[j]) - (y[(j + 1) * 4 + i] - y[i])) < 1e-5);
}

TEST_CASE("the inverse of every step gives back what it was applied to") {
  const Steps all = {{"scale", {{"each", 1}}},
                     {"standardise"},
                     {"contrast_normalisation", {{"deviation", 1}, {"bias", 0.5}}},
                     {"contrast_normalisation", {{"subtract_mean", 0}}},
                     {"zca", {{"epsilon", 0.01}}},
                     {"pca", {{"components", 6}, {"whiten", 1}, {"epsilon", 0.01}}}};
  std::vector<Steps> cases = {all};
  for (const nn::Choice& step : all) cases.push_back({step});
  for (const Steps& steps : cases) {
    CAPTURE(steps[0].kind);
    const Splits before = correlated_splits(6);
    Splits data = before;
    const Preparation preparation(steps, 1, data);
    const auto parts = {std::pair(&data.train, &before.train),
                        std::pair(&data.valid, &before.valid), std::pair(&data.test, &before.test)};
    for (const auto& part : parts)
      CHECK(largest_difference(preparation.inverse(x_of(*part.first), &part.first->removed),
                               x_of(*part.second)) < 2e-5);
  }
}

TEST_CASE("directions go back as differences of examples do") {
  for (const nn::Choice& step : {nn::Choice{"scale"}, nn::Choice{"standardise"},
                                 nn::Choice{"pca", {{"components", 3}}}, nn::Choice{"zca"}}) {
    Splits data = correlated_splits(4);
    const Preparation preparation({step}, 1, data);
    const Tensor<float> y = x_of(data.test);
    const std::int64_t k = y.shape[1];
    Tensor<float> difference({1, k});
    for (std::int64_t j = 0; j < k; ++j) difference[j] = y[j] - y[k + j];
    const Tensor<float> whole = preparation.inverse(y, nullptr);
    const Tensor<float> back = preparation.inverse_directions(difference);
    for (std::int64_t j = 0; j < 4; ++j)
      CHECK(back[j] == doctest::Approx(whole[j] - whole[4 + j]).epsilon(1e-4));
  }
}

TEST_CASE("steps are fitted on the training part alone") {
  for (const nn::Choice& step : {nn::Choice{"scale"}, nn::Choice{"standardise"},
                                 nn::Choice{"pca", {{"components", 2}}}, nn::Choice{"zca"}}) {
    Splits data = correlated_splits(4), other = data;
    for (float& value : other.valid.arrays.at("x").floats().data) value *= 100;
    for (float& value : other.test.arrays.at("x").floats().data) value -= 100;
    const SafeTensors fitted = Preparation({step}, 1, data).saved();
    CHECK(fitted == Preparation({step}, 1, other).saved());
    CHECK(x_of(data.train) == x_of(other.train));
  }
}

TEST_CASE("a preparation that was saved does the same, to the bit") {
  const Steps steps = {{"patches", {{"size", 2}, {"count", 300}}},
                       {"scale"},
                       {"contrast_normalisation", {{"bias", 1}}},
                       {"zca", {{"epsilon", 0.1}}},
                       {"standardise"},
                       {"pca", {{"components", 3}}}};
  const std::uint64_t seed = 0xfedcba9876543210;
  Splits data = correlated_splits(9, {3, 3}), again = data;
  DataSet fresh = data.test;
  const Preparation preparation(steps, seed, data);
  CHECK(safetensors_bytes(preparation.saved()) ==
        safetensors_bytes(Preparation(steps, seed, again).saved()));
  CHECK(x_of(data.train) == x_of(again.train));
  const SafeTensors file = parse_safetensors(safetensors_bytes(preparation.saved()), "f");
  const Preparation read(file);
  CHECK(safetensors_bytes(read.saved()) == safetensors_bytes(preparation.saved()));
  read.apply(fresh, "test");
  CHECK(x_of(fresh) == x_of(data.test));
  CHECK(fresh.removed == data.test.removed);
  CHECK(read.image() == std::vector<std::int64_t>{2, 2});
  CHECK(read.inverse(x_of(fresh), &fresh.removed) ==
        preparation.inverse(x_of(fresh), &fresh.removed));
  for (const SavedTensor& tensor : file.tensors) CHECK(tensor.values.index() == 1);  // doubles
  SafeTensors damaged = file;
  damaged.tensors.pop_back();
  CHECK(message_of<Error>([&] { Preparation{damaged}; }) != "");
  damaged.metadata.clear();
  CHECK(message_of<Error>([&] {
          Preparation{damaged};
        }).starts_with("preparation: the file does not describe its steps"));
}

TEST_CASE("patches are cut from the images of each part, as many for its size") {
  Splits data = correlated_splits(12, {4, 3});
  const Splits before = data;
  for (DataSet* part : {&data.train, &data.valid, &data.test}) {
    std::vector<float> numbers;
    for (std::int64_t i = 0; i < part->count(); ++i) numbers.push_back(static_cast<float>(i));
    part->arrays["labels"] = Tensor<float>({part->count()}, numbers);
  }
  const Preparation preparation({{"patches", {{"size", 2}, {"count", 1000}}}}, 5, data);
  CHECK(x_of(data.train).shape == Shape{1000, 4});
  CHECK(x_of(data.valid).shape == Shape{125, 4});
  CHECK(x_of(data.test).shape == Shape{150, 4});
  CHECK(data.train.image == std::vector<std::int64_t>{2, 2});
  CHECK(preparation.image() == std::vector<std::int64_t>{2, 2});
  for (std::int64_t i = 0; i < 125; ++i) {
    const auto image = static_cast<std::int64_t>(data.valid.arrays.at("labels").values()[i]);
    bool found = false;
    for (std::int64_t top = 0; top < 3; ++top)
      for (std::int64_t left = 0; left < 2; ++left) {
        bool same = true;
        for (std::int64_t k = 0; k < 4; ++k)
          same = same && x_of(data.valid)[i * 4 + k] ==
                             x_of(before.valid)[image * 12 + (top + k / 2) * 3 + left + k % 2];
        found = found || same;
      }
    CHECK(found);
  }
}

TEST_CASE("steps that cannot be are refused with their place") {
  const Splits data = correlated_splits(4);
  CHECK(refusal({{"scale"}, {"pca", {{"components", 5}}}}, data) ==
        "/data/prepare/1/components: 5 components of 4 features are asked for; 1 to 4 are there");
  CHECK(refusal({{"pca", {{"components", 2}}}, {"pca", {{"components", 3}}}}, data)
            .starts_with("/data/prepare/1/components: 3 components of 2 features"));
  CHECK(
      refusal({{"pca"}}, data).starts_with("/data/prepare/0: 'pca' needs the option 'components'"));
  CHECK(refusal({{"pca", {{"components", 1.5}}}}, data) ==
        "/data/prepare/0: components = 1.5; it must be a whole number");
  CHECK(refusal({{"pac"}}, data).starts_with("/data/prepare/0: unknown kind 'pac'; did you mean"));
  CHECK(refusal({{"scale", {{"low", 1}}}}, data) ==
        "/data/prepare/0/low: the range from 1 to 1 is empty");
  CHECK(refusal({{"patches", {{"size", 2}, {"count", 1}}}}, data) ==
        "/data/prepare/0: x is no image, so that no patches can be cut from it");
  CHECK(
      refusal({{"scale"}, {"patches", {{"size", 2}, {"count", 1}}}},
              correlated_splits(4, {2, 2})) ==
      "/data/prepare/1: patches are cut before anything else is done; let this step be the first");
  CHECK(
      refusal({{"patches", {{"size", 3}, {"count", 1}}}}, correlated_splits(4, {2, 2}))
          .starts_with("/data/prepare/0/size: pieces of 3 x 3 cannot be cut from images of 2 x 2"));
  Splits flat{set_with(Tensor<float>(Shape{3, 2}, 1.0F)), set_with(Tensor<float>(Shape{0, 2})),
              set_with(Tensor<float>(Shape{0, 2}))};
  CHECK(refusal({{"zca", {{"epsilon", 0}}}}, flat) ==
        "/data/prepare/0/epsilon: the training part has no variance along its direction 1 of 2, "
        "which cannot be made 1; an epsilon above 0 or fewer components can be");
  CHECK(refusal({{"zca"}}, flat) == "");
  CHECK(refusal({{"scale"}}, flat) == "");
}

TEST_CASE("load_data prepares, and the inputs of a model have the shape that is left") {
  DataSpec spec = set_of("gaussian");
  spec.size = 6;
  spec.count = 500;
  spec.valid = 100;
  spec.prepare = {{"standardise"}, {"pca", {{"components", 2}}}};
  const Splits splits = load_data(spec, 1);
  REQUIRE(splits.preparation);
  CHECK(splits.train.arrays.at("x").shape() == Shape{400, 2});
  CHECK(splits.valid.arrays.at("x").shape() == Shape{100, 2});
  CHECK(data_inputs(spec) == std::map<std::string, Shape>{{"x", {2}}});
  spec.prepare = {};
  CHECK_FALSE(load_data(spec, 1).preparation);
  const TemporaryFolder folder;
  write_npz(folder / "y.npz", NamedArrays<float>{{"y", Tensor<float>({4, 2})}});
  DataSpec file = set_of("npz");
  file.file = folder / "y.npz";
  file.prepare = {{"scale"}};
  CHECK(message_of<SpecError>([&] { load_data(file, 1); }) ==
        "/data/prepare: there is no array x of numbers per example to prepare");
  CHECK(message_of<SpecError>([&] { data_inputs(file); }) ==
        "/data/prepare: there is no array x of numbers per example to prepare");
}

TEST_SUITE("slow") {
  TEST_CASE("thirty principal components of MNIST leave 13.87 of an image's squares") {
    // Hinton and Salakhutdinov 2006, Fig. 2B.
    DataSpec spec = set_of("mnist");
    spec.prepare = {{"pca", {{"components", 30}}}};
    const std::vector<DataListing> sets = data_list();
    const auto found = std::ranges::find(sets, std::string("mnist"), &DataListing::name);
    if (found == sets.end() || found->state != "found") {
      MESSAGE("left out: MNIST is not here; jacquard data get mnist brings it");
      return;
    }
    const Splits prepared = load_data(spec, 1);
    spec.prepare = {};
    const Tensor<float> x = x_of(load_data(spec, 1).test);
    const Tensor<float> back = prepared.preparation->inverse(x_of(prepared.test), nullptr);
    double squares = 0;
    for (std::int64_t i = 0; i < x.size(); ++i) {
      const double difference = static_cast<double>(x[i]) - back[i];
      squares += difference * difference / static_cast<double>(x.shape[0]);
    }
    CHECK(std::abs(squares - 13.866) < 0.001);
  }
}

}  // namespace
}  // namespace jacquard::experiments
