#include "autodiff/plan_check.hpp"

#include <algorithm>
#include <cmath>

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

// How far each root moves in Euclidean length when every value is perturbed by half a unit of
// float. Measured in double, whose own rounding is far below; the response is linear, so that the
// same figure scaled down serves double.
std::vector<double> sensitivities(const Tape& tape, const std::vector<Expr>& roots,
                                  const Feed<Quad>& feed, const RunContext& context) {
  Feed<double> values;
  for (const auto& [name, value] : feed) values.emplace(name, cast<double>(value));
  const Interpreter<double> interpreter(tape, roots);
  const std::vector<Tensor<double>> base = interpreter.run(values, context);
  std::vector<double> result(roots.size(), 0);
  for (int sample = 0; sample < kSamples; ++sample) {
    std::vector<double> noise;
    const auto moved =
        interpreter.run(values, context, [&](NodeId id, Tensor<double>& value) {
          if (tape.node(id).inputs.empty() && !is_input(tape.node(id)) &&
              tape.node(id).op->name != "normal")
            return;  // constants and uniform draws are exact in every precision
          noise.resize(value.data.size());
          fill_uniform(std::span<double>(noise), 1, cat("perturb/", id),
                       static_cast<std::uint64_t>(sample));
          for (std::size_t i = 0; i < noise.size(); ++i)
            value.data[i] *= 1 + kHalfUlpFloat * (2 * noise[i] - 1);
        });
    for (std::size_t r = 0; r < roots.size(); ++r)
      result[r] = std::max(result[r], distance(moved[r].data, base[r].data));
  }
  return result;
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

PlanDeviations compare_plans_with(const Tape& tape, const std::vector<Expr>& roots,
                                  const std::vector<Tensor<Quad>>& reference,
                                  const Feed<Quad>& feed, const RunContext& context,
                                  ThreadPool& pool, const std::vector<std::string>& without) {
  const std::vector<double> in_float = sensitivities(tape, roots, feed, context);
  std::vector<double> in_double = in_float;
  for (double& s : in_double) s *= kFloatToDouble;
  return {deviations<float>(tape, roots, reference, feed, context, pool, without, in_float),
          deviations<double>(tape, roots, reference, feed, context, pool, without, in_double)};
}

std::string wrong_pass(const Tape& tape, const std::vector<Expr>& roots,
                       const std::vector<Tensor<Quad>>& reference, const Feed<Quad>& feed,
                       const RunContext& context, ThreadPool& pool, double allowed) {
  for (const Pass& pass : all_passes()) {
    const PlanDeviations d = compare_plans_with(tape, roots, reference, feed, context, pool,
                                                {std::string(pass.name)});
    const auto fine = [&](double x) { return x <= allowed; };
    if (std::ranges::all_of(d.in_float, fine) && std::ranges::all_of(d.in_double, fine))
      return cat("pass '", pass.name, "'");
  }
  return "a kernel or the plan's memory";
}

}  // namespace jacquard
