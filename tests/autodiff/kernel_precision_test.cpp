// The float and double kernels of every op against the same kernel in quad precision.
#include <doctest/doctest.h>

#include <map>
#include <string_view>

#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/op_calls.hpp"
#include "tests/support/ulp.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

// Where an elementwise op is sampled, and how far its kernels may be off, in units in the last
// place. Ops that are not listed are rounded correctly: half a unit.
struct Accuracy {
  double low = -1e3, high = 1e3;
  double float_ulp = 0.5, double_ulp = 0.5;
};

const std::map<std::string_view, Accuracy> kAccuracies = {
    {"exp", {-80, 80, 0.75, 0.75}},
    {"expm1", {-40, 80, 0.95, 0.95}},
    {"log", {1e-30, 1e30, 0.8, 0.8}},
    {"log1p", {-0.999, 1e20, 0.9, 0.9}},
    {"sqrt", {0, 1e30, 0.5, 0.5}},
    {"sin", {-1e3, 1e3, 1, 1}},
    {"cos", {-1e3, 1e3, 1, 1}},
    {"tanh", {-20, 20, 0.8, 0.8}},
    {"erf", {-6, 6, 1.4, 1.4}},
    {"sigmoid", {-80, 80, 0.8, 0.8}},
    {"softplus", {-80, 80, 1.1, 1.1}},
    {"power", {0.05, 12, 1, 1}},
    {"power_constant", {0.01, 1e3, 1, 1}},
};

// Exactly representable as float: both uniform places and tiny magnitudes are tried.
double sample_operand(const Accuracy& accuracy, Random& random) {
  double x = random.between(accuracy.low, accuracy.high);
  if (random.coin()) {
    x = std::exp(random.between(std::log(1e-30), std::log(accuracy.high)));
    if (random.coin()) x = -x;
    if (!(x > accuracy.low && x < accuracy.high)) x = random.between(accuracy.low, accuracy.high);
  }
  return static_cast<double>(static_cast<float>(x));
}

template <class T>
double worst_ulp(const Expr& out, const Feed<Quad>& feed, const Tensor<Quad>& exact) {
  const Tensor<T> got = evaluate<T>(out, testing::cast<T>(feed));
  double worst = 0;
  for (std::int64_t i = 0; i < got.size(); ++i)
    worst = std::max(worst, ulp_error(got[i], exact[i]));
  return worst;
}

// |got - exact| in units of the spacing of T at 1 times the sum of the absolute terms.
template <class T>
double worst_conditioned(const Expr& out, const Feed<Quad>& feed, const Tensor<Quad>& exact,
                         const Tensor<Quad>& sizes) {
  const Tensor<T> got = evaluate<T>(out, testing::cast<T>(feed));
  double worst = 0;
  for (std::int64_t i = 0; i < got.size(); ++i) {
    const Quad error = number::abs(static_cast<Quad>(got[i]) - exact[i]);
    if (error != 0)
      worst = std::max(
          worst, static_cast<double>(
                     error / (sizes[i] * static_cast<Quad>(std::numeric_limits<T>::epsilon()))));
  }
  return worst;
}

Feed<Quad> absolute(Feed<Quad> feed) {
  for (auto& [name, tensor] : feed)
    for (Quad& x : tensor.data) x = number::abs(x);
  return feed;
}

// Quad numbers that float represents, so that only the kernel is measured.
void round_to_float(Feed<Quad>& feed) {
  for (auto& [name, tensor] : feed)
    for (Quad& x : tensor.data) x = static_cast<Quad>(static_cast<float>(x));
}

}  // namespace

TEST_CASE("elementwise kernels are within their stated units in the last place of quad") {
  constexpr std::int64_t kCount = 5000;
  for (const Op* op : all_ops()) {
    if (!op->elementwise) continue;
    const auto listed = kAccuracies.find(op->name);
    const Accuracy accuracy = listed == kAccuracies.end() ? Accuracy{} : listed->second;
    const std::vector<Sample> samples = op->samples ? op->samples() : std::vector<Sample>{{}};
    for (const Sample& sample : samples) {
      const auto operands = static_cast<std::size_t>(op->arity == kAnyArity ? 2 : op->arity);
      const OpCall call = op_call(*op, std::vector<Shape>(operands, {kCount}), sample.attributes);
      Tape tape;
      Random random(17);
      std::vector<Expr> in;
      Feed<Quad> feed;
      for (std::size_t i = 0; i < operands; ++i) {
        in.push_back(tape.input(operand_name(i), {kCount}));
        Tensor<Quad> values({kCount});
        for (Quad& x : values.data)
          x = static_cast<Quad>(call.domains[i].whole ? random.inside(call.domains[i])
                                                      : sample_operand(accuracy, random));
        feed[operand_name(i)] = std::move(values);
      }
      const Expr out = call.apply(in);
      const Tensor<Quad> exact = evaluate<Quad>(out, feed);
      CAPTURE(call.name);
      CHECK_LE(worst_ulp<float>(out, feed, exact), accuracy.float_ulp);
      CHECK_LE(worst_ulp<double>(out, feed, exact), accuracy.double_ulp);
    }
  }
}

TEST_CASE("structured kernels are exact, or within the conditioning of their sums") {
  const std::map<std::string_view, double> sums = {
      {"sum", 1}, {"contract_add", 3}, {"contract", 3}, {"scatter_add", 1}};
  for (const Op* op : all_ops()) {
    if (op->elementwise) continue;
    for (const OpCall& call : calls_of(*op)) {
      Tape tape;
      Random random(23);
      Operands operands = random_operands(tape, call, random);
      round_to_float(operands.feed);
      const Expr out = call.apply(operands.in);
      const Tensor<Quad> exact = evaluate<Quad>(out, operands.feed);
      CAPTURE(call.name);
      // The terms of a difference are not those of the same difference of absolute operands.
      if (call.name.find("negative=1") != std::string::npos) continue;
      if (op->name == "softmax") {  // exp of a rounded difference, a sum and a division
        CHECK_LE(worst_ulp<float>(out, operands.feed, exact), 4);
        CHECK_LE(worst_ulp<double>(out, operands.feed, exact), 4);
        continue;
      }
      if (!sums.contains(op->name)) {
        CHECK(evaluate<float>(out, testing::cast<float>(operands.feed)) ==
              jacquard::cast<float>(exact));
        CHECK(evaluate<double>(out, testing::cast<double>(operands.feed)) ==
              jacquard::cast<double>(exact));
        continue;
      }
      const Tensor<Quad> sizes = evaluate<Quad>(out, absolute(operands.feed));
      CHECK_LE(worst_conditioned<float>(out, operands.feed, exact, sizes), sums.at(op->name));
      CHECK_LE(worst_conditioned<double>(out, operands.feed, exact, sizes), sums.at(op->name));
    }
  }
}

TEST_CASE("long sums lose no more digits than short ones") {
  Tape tape;
  const Expr x = tape.input("x", {300, 70}), y = tape.input("y", {300, 70});
  Feed<Quad> feed = random_feed<Quad>({x + y}, 4, {-1, 1});
  round_to_float(feed);
  for (const Expr& out : {sum(x), sum(x, {0}), sum(x, {1}), contract("ab,ab->", {x, y}),
                          contract("ab,cb->ac", {x, y}), contract("ab,ab->b", {x, y})}) {
    const Tensor<Quad> exact = evaluate<Quad>(out, feed);
    const Tensor<Quad> sizes = evaluate<Quad>(out, absolute(feed));
    // float sums are kept in double: half a unit of the result, whatever the length.
    CHECK_LE(worst_conditioned<float>(out, feed, exact, sizes), 0.51);
    CHECK_LE(worst_conditioned<double>(out, feed, exact, sizes), 3);
  }
}

TEST_CASE("a sum of floats keeps what a float could not") {
  Tape tape;
  const Expr x = tape.input("x", {9});
  const Tensor<float> values({9}, {0x1p24f, 1, 1, 1, 1, 1, 1, 1, 1});
  CHECK_EQ(evaluate<float>(sum(x), {{"x", values}})[0], 0x1p24f + 8);
}
