#include "autodiff/plan_check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unordered_map>

#include "autodiff/blame.hpp"
#include "autodiff/error.hpp"
#include "autodiff/passes.hpp"
#include "autodiff/philox.hpp"
#include "autodiff/plan.hpp"

namespace jacquard {
namespace {

constexpr int kSamples = 3;
const double kHalfUlpFloat = std::ldexp(1.0, -24);
const double kFloatToDouble = std::ldexp(1.0, -29);

double distance(const std::vector<double>& a, const std::vector<double>& b) {
  double total = 0;
  for (std::size_t i = 0; i < a.size(); ++i) total += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(total);
}

// x rounded to the 24 bits of a float after a relative change of up to half a unit in the last
// place; numbers that float has exactly stay as they are, so that operations which only choose or
// move numbers do not change them. The range is that of double but for float's smallest numbers.
double rounded_with_noise(double x, double noise) {
  if (!std::isfinite(x)) return x;
  if (std::abs(x) < std::numeric_limits<float>::min())
    return static_cast<double>(static_cast<float>(x));
  const auto round = [](double y) {
    int exponent = 0;
    const double mantissa = std::frexp(y, &exponent);
    return std::ldexp(std::nearbyint(std::ldexp(mantissa, 24)), exponent - 24);
  };
  return round(x) == x ? x : round(x * (1 + kHalfUlpFloat * (2 * noise - 1)));
}

template <class T>
std::vector<double> deviations(const Tape& tape, const std::vector<Expr>& roots,
                               const std::vector<Tensor<Quad>>& reference, const Feed<Quad>& feed,
                               const RunContext& context, ThreadPool& pool,
                               const std::vector<std::string>& without,
                               const std::vector<double>& allowed) {
  PlanOptions options;
  options.without_passes = without;
  Plan<T> plan(tape, {roots, {}, {}}, pool, options);
  std::vector<Tensor<T>> values;
  values.reserve(feed.size());
  for (const auto& [name, value] : feed) {
    values.push_back(cast<T>(value));
    plan.bind_constant(name, values.back());
  }
  plan.run(context.seed, context.step);
  std::vector<double> result;
  for (std::size_t r = 0; r < roots.size(); ++r) {
    Quad off(0), size(0);
    const std::span<const T> value = plan.output(r);
    for (std::size_t i = 0; i < value.size(); ++i) {
      const Quad d = static_cast<Quad>(value[i]) - reference[r].data[i];
      off += d * d;
      size += reference[r].data[i] * reference[r].data[i];
    }
    // A value that moves under no perturbation still may be rounded once.
    const double least = static_cast<double>(number::sqrt(size) * number::epsilon<T>());
    const double unit = std::max({allowed[r], least, 1e-300});
    const double moved = static_cast<double>(number::sqrt(off));
    result.push_back(std::isfinite(moved) ? moved / unit : number::infinity<double>());
  }
  return result;
}

}  // namespace

// Measured in double, whose own rounding is far below.
std::vector<double> moved_by_rounding(const Tape& tape, const std::vector<Expr>& roots,
                                      const Feed<Quad>& feed, const RunContext& context) {
  Feed<double> values;
  for (const auto& [name, value] : feed) values.emplace(name, cast<double>(value));
  const Interpreter<double> interpreter(tape, roots);
  const std::vector<Tensor<double>> base = interpreter.run(values, context);
  std::vector<double> result(roots.size(), 0);
  for (int sample = 0; sample < kSamples; ++sample) {
    std::vector<double> noise;
    const auto moved = interpreter.run(values, context, [&](NodeId id, Tensor<double>& value) {
      noise.resize(value.data.size());
      fill_uniform(std::span<double>(noise), 1, cat("perturb/", id),
                   static_cast<std::uint64_t>(sample));
      for (std::size_t i = 0; i < noise.size(); ++i)
        value.data[i] = rounded_with_noise(value.data[i], noise[i]);
    });
    for (std::size_t r = 0; r < roots.size(); ++r) {
      const double d = distance(moved[r].data, base[r].data);
      // Where roundings lead to no number, nothing is asked of the plan.
      result[r] = std::isfinite(d) ? std::max(result[r], d) : number::infinity<double>();
    }
  }
  return result;
}

PlanDeviations compare_plans_with(const Tape& tape, const std::vector<Expr>& roots,
                                  const std::vector<Tensor<Quad>>& reference,
                                  const Feed<Quad>& feed, const RunContext& context,
                                  ThreadPool& pool, const std::vector<std::string>& without) {
  const std::vector<double> in_float = moved_by_rounding(tape, roots, feed, context);
  std::vector<double> in_double = in_float;
  for (double& s : in_double) s *= kFloatToDouble;
  return {deviations<float>(tape, roots, reference, feed, context, pool, without, in_float),
          deviations<double>(tape, roots, reference, feed, context, pool, without, in_double)};
}

namespace {

bool agree(const PlanDeviations& d, double allowed) {
  const auto fine = [allowed](double x) { return x <= allowed; };
  return std::ranges::all_of(d.in_float, fine) && std::ranges::all_of(d.in_double, fine);
}

// Does a plan of this node alone, at the values it really has, give its value?
bool kernel_agrees(const Tape& tape, const Node& node,
                   const std::unordered_map<NodeId, Tensor<Quad>>& values,
                   const RunContext& context, ThreadPool& pool, double allowed) {
  Tape local;
  std::vector<Expr> in;
  Feed<Quad> feed;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    const std::string name = cat("in", i);
    in.push_back(local.input(name, tape.node(node.inputs[i]).shape));
    feed[name] = cast<Quad>(cast<float>(values.at(node.inputs[i])));
  }
  const Expr out = local.append(*node.op, in, node.attributes);
  const Tensor<Quad> reference = evaluate<Quad>(out, feed, context);
  return agree(compare_plans_with(local, {out}, {reference}, feed, context, pool), allowed);
}

// The first operation that is not finite in float, if a root is not.
std::string out_of_range(const Tape& tape, const std::vector<Expr>& roots, const Feed<Quad>& feed,
                         const RunContext& context) {
  Feed<float> values;
  for (const auto& [name, value] : feed) values.emplace(name, cast<float>(value));
  const auto results = Interpreter<float>(tape, roots).run(values, context);
  const bool finite = std::ranges::all_of(results, [](const Tensor<float>& r) {
    return std::ranges::all_of(r.data, number::is_finite<float>);
  });
  return finite ? "" : first_not_finite(tape, roots, values, context);
}

}  // namespace

PlanBlame blame_plan(const Tape& tape, const std::vector<Expr>& roots,
                     const std::vector<Tensor<Quad>>& reference, const Feed<Quad>& feed,
                     const RunContext& context, ThreadPool& pool, double allowed) {
  if (const std::string op = out_of_range(tape, roots, feed, context); !op.empty())
    return {true, op};
  for (const Pass& pass : all_passes())
    if (agree(compare_plans_with(tape, roots, reference, feed, context, pool,
                                 {std::string(pass.name)}),
              allowed))
      return {false, cat("pass '", pass.name, "'")};
  std::unordered_map<NodeId, Tensor<Quad>> values;
  const Interpreter<Quad> interpreter(tape, roots);
  interpreter.run(feed, context, [&](NodeId id, Tensor<Quad>& v) { values[id] = v; });
  for (const NodeId id : interpreter.order())
    if (!is_input(tape.node(id)) &&
        !kernel_agrees(tape, tape.node(id), values, context, pool, allowed))
      return {false, operation_text(tape, id)};
  return {false, "the plan's memory"};
}

}  // namespace jacquard
