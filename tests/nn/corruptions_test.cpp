#include "nn/corruptions.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/interpreter.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/philox.hpp"

using namespace jacquard;

namespace {

constexpr std::int64_t kRows = 40, kColumns = 50;
const Shape kShape{kRows, kColumns};

Tensor<double> some_values() {
  Tensor<double> x(kShape);
  for (std::int64_t i = 0; i < x.size(); ++i) x[i] = 0.1 + 0.0003 * static_cast<double>(i);
  return x;
}

std::vector<double> uniforms(const std::string& stream, std::uint64_t seed, std::uint64_t step) {
  std::vector<double> u(static_cast<std::size_t>(kShape.size()));
  fill_uniform(std::span<double>(u), seed, stream, step);
  return u;
}

std::string error_of(auto&& call) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("masking noise is 0 where the draw lies below p and x elsewhere") {
  Tape tape;
  const Expr x = tape.input("x", kShape);
  const Expr y = nn::masking_noise(x, 0.3, "s");
  const Tensor<double> values = some_values();
  const Tensor<double> got = evaluate<double>(y, {{"x", values}}, {.seed = 5, .step = 9});
  const std::vector<double> u = uniforms("s", 5, 9);
  int zeros = 0;
  for (std::size_t i = 0; i < u.size(); ++i) {
    REQUIRE(got.data[i] == (u[i] < 0.3 ? 0 : values.data[i]));
    zeros += got.data[i] == 0;
  }
  CHECK(zeros > 500);
  CHECK(zeros < 700);
}

TEST_CASE("masking noise passes everything at p = 0 and nothing at p = 1") {
  Tape tape;
  const Expr x = tape.input("x", kShape);
  const Tensor<double> values = some_values();
  CHECK(evaluate<double>(nn::masking_noise(x, 0.0, "s"), {{"x", values}}) == values);
  CHECK(evaluate<double>(nn::masking_noise(x, 1.0, "s"), {{"x", values}}) ==
        Tensor<double>(kShape, 0.0));
}

TEST_CASE("the derivative of masking noise is its mask, and the noise is the same in both") {
  Tape tape;
  const Expr x = tape.input("x", kShape);
  const Expr y = nn::masking_noise(x, 0.5, "s");
  const Feed<double> feed{{"x", some_values()}};
  const Tensor<double> value = evaluate<double>(y, feed);
  const Tensor<double> slope = evaluate<double>(gradient(sum(y), {x})[0], feed);
  for (std::size_t i = 0; i < value.data.size(); ++i)
    REQUIRE(slope.data[i] == (value.data[i] == 0 ? 0 : 1));
}

TEST_CASE("gaussian noise adds s times the normal draw of its stream") {
  Tape tape;
  const Expr x = tape.input("x", kShape);
  const Tensor<double> values = some_values();
  const Tensor<double> got =
      evaluate<double>(nn::gaussian_noise(x, 0.2, "g"), {{"x", values}}, {.seed = 3, .step = 4});
  std::vector<double> z(got.data.size());
  fill_normal(std::span<double>(z), 3, "g", 4);
  for (std::size_t i = 0; i < z.size(); ++i)
    REQUIRE(got.data[i] == doctest::Approx(values.data[i] + 0.2 * z[i]).epsilon(1e-15));
}

TEST_CASE("salt and pepper splits the draws below p into equal halves") {
  Tape tape;
  const Expr x = tape.input("x", kShape);
  const Tensor<double> values = some_values();
  const Tensor<double> got = evaluate<double>(nn::salt_and_pepper(x, 0.4, "s", -2, 3),
                                              {{"x", values}}, {.seed = 8, .step = 0});
  const std::vector<double> u = uniforms("s", 8, 0);
  for (std::size_t i = 0; i < u.size(); ++i)
    REQUIRE(got.data[i] == (u[i] < 0.2 ? 3 : u[i] < 0.4 ? -2 : values.data[i]));
  const Tensor<double> plain = evaluate<double>(nn::salt_and_pepper(x, 1.0, "s"), {{"x", values}});
  for (const double v : plain.data) REQUIRE((v == 0 || v == 1));
}

TEST_CASE("bernoulli draws have the probability given for each element and no derivative") {
  Tape tape;
  const Expr p = tape.input("p", {kColumns});
  const Expr like = tape.input("x", kShape);
  const Expr draw = nn::bernoulli(p, like, "b");
  CHECK(draw.shape() == kShape);
  Tensor<double> probabilities(Shape{kColumns});
  for (std::int64_t i = 0; i < kColumns; ++i)
    probabilities[i] = static_cast<double>(i) / static_cast<double>(kColumns - 1);
  const Tensor<double> got = evaluate<double>(draw, {{"p", probabilities}}, {.seed = 1, .step = 2});
  const std::vector<double> u = uniforms("b", 1, 2);
  for (std::int64_t i = 0; i < kShape.size(); ++i)
    REQUIRE(got[i] == (u[static_cast<std::size_t>(i)] < probabilities[i % kColumns] ? 1 : 0));
  // d (p * draw) / dp is the draw: nothing flows through the comparison with p.
  const Tensor<double> slope = evaluate<double>(gradient(sum(p * draw), {p})[0],
                                                {{"p", probabilities}}, {.seed = 1, .step = 2});
  for (std::int64_t i = 0; i < kColumns; ++i) {
    double ones = 0;
    for (std::int64_t row = 0; row < kRows; ++row) ones += got[row * kColumns + i];
    REQUIRE(slope[i] == ones);
  }
}

TEST_CASE("a rate may be an expression, and then gives the same noise as the number") {
  Tape tape;
  const Expr x = tape.input("x", kShape), rate = tape.input("rate", {});
  const Feed<double> feed{{"x", some_values()}, {"rate", Tensor<double>({}, 0.25)}};
  CHECK(evaluate<double>(nn::masking_noise(x, rate, "s"), feed) ==
        evaluate<double>(nn::masking_noise(x, 0.25, "s"), feed));
  CHECK(evaluate<double>(nn::gaussian_noise(x, rate, "s"), feed) ==
        evaluate<double>(nn::gaussian_noise(x, 0.25, "s"), feed));
  CHECK(evaluate<double>(nn::salt_and_pepper(x, rate, "s"), feed) ==
        evaluate<double>(nn::salt_and_pepper(x, 0.25, "s"), feed));
  // The derivative of the noise with respect to its scale is the draw itself.
  const Expr slope = gradient(sum(nn::gaussian_noise(x, rate, "s")), {rate})[0];
  std::vector<double> z(static_cast<std::size_t>(kShape.size()));
  fill_normal(std::span<double>(z), 0, "s", 0);
  double total = 0;
  for (const double v : z) total += v;
  CHECK(evaluate<double>(slope, feed)[0] == doctest::Approx(total));
}

TEST_CASE("noise of another seed, step or stream is other noise") {
  Tape tape;
  const Expr x = tape.input("x", kShape);
  const Feed<double> feed{{"x", some_values()}};
  const Expr y = nn::gaussian_noise(x, 1.0, "s");
  const Tensor<double> first = evaluate<double>(y, feed, {.seed = 1, .step = 1});
  CHECK(first == evaluate<double>(y, feed, {.seed = 1, .step = 1}));
  CHECK_FALSE(first == evaluate<double>(y, feed, {.seed = 2, .step = 1}));
  CHECK_FALSE(first == evaluate<double>(y, feed, {.seed = 1, .step = 2}));
  CHECK_FALSE(first ==
              evaluate<double>(nn::gaussian_noise(x, 1.0, "t"), feed, {.seed = 1, .step = 1}));
  CHECK(nn::gaussian_noise(x, 1.0, "s") == y);
}

TEST_CASE("rates that are no probabilities and rates of foreign shapes are refused") {
  Tape tape;
  const Expr x = tape.input("x", {4, 3}), row = tape.input("row", {2, 4, 3});
  CHECK(error_of([&] { nn::masking_noise(x, 1.5, "s"); }) ==
        "masking_noise: p = 1.5 is no probability; it must lie in [0, 1]");
  CHECK(error_of([&] { nn::salt_and_pepper(x, -0.1, "s"); }) ==
        "salt_and_pepper: p = -0.1 is no probability; it must lie in [0, 1]");
  CHECK(error_of([&] { nn::bernoulli(std::nan(""), x, "s"); }) ==
        "bernoulli: p = nan is no probability; it must lie in [0, 1]");
  CHECK(error_of([&] { nn::gaussian_noise(x, -1.0, "s"); }) ==
        "gaussian_noise: s = -1 is no standard deviation; it must not be negative");
  CHECK(error_of([&] { nn::masking_noise(x, row, "s"); }) ==
        "masking_noise: a rate of shape [2, 4, 3] does not broadcast to [4, 3]");
}
