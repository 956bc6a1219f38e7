// Compares compiled plans with the plain interpreter, by conditioning.
#pragma once

#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/pool.hpp"

namespace jacquard {

// For each root: the distance between the plan's value and the reference, in units of how far the
// value moves when every operation is perturbed by half a unit in the last place of the plan's
// type (2^-24, 2^-53). A right plan stays within a small multiple of 1.
struct PlanDeviations {
  std::vector<double> in_float, in_double;
};

// `feed` must hold values that float has exactly. Parameters named `without` are passes left out.
PlanDeviations compare_plans_with(const Tape& tape, const std::vector<Expr>& roots,
                                  const std::vector<Tensor<Quad>>& reference,
                                  const Feed<Quad>& feed, const RunContext& context,
                                  ThreadPool& pool, const std::vector<std::string>& without = {});

// "pass 'pairs'": the pass without which the plans agree; "a kernel" when none is to blame.
std::string wrong_pass(const Tape& tape, const std::vector<Expr>& roots,
                       const std::vector<Tensor<Quad>>& reference, const Feed<Quad>& feed,
                       const RunContext& context, ThreadPool& pool, double allowed);

}  // namespace jacquard
