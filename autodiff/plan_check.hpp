// Compares compiled plans with the plain interpreter, by conditioning.
#pragma once

#include <string>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/pool.hpp"

namespace jacquard {

// How far each root moves, in Euclidean length, when every operation that rounds is perturbed by up
// to half a unit in the last place of float (2^-24): the most of three samples. The response is
// linear, so that the same figure scaled down serves other precisions.
std::vector<double> moved_by_rounding(const Tape& tape, const std::vector<Expr>& roots,
                                      const Feed<Quad>& feed, const RunContext& context = {});

// For each root: the distance between the plan's value and the reference, in units of how far the
// value moves when every operation rounds to the plan's type (2^-24, 2^-53). A right plan stays
// within a small multiple of 1.
struct PlanDeviations {
  std::vector<double> in_float, in_double;
};

// `feed` must hold values that float has exactly. `without` names passes that are left out.
PlanDeviations compare_plans_with(const Tape& tape, const std::vector<Expr>& roots,
                                  const std::vector<Tensor<Quad>>& reference,
                                  const Feed<Quad>& feed, const RunContext& context,
                                  ThreadPool& pool, const std::vector<std::string>& without = {});

// What is wrong with plans that disagree.
struct PlanBlame {
  // The numbers themselves leave the range of float: `text` names the first operation that does.
  bool not_finite = false;
  // Else "pass 'pairs'" if the plans agree without this pass; else the first operation whose plan,
  // alone, disagrees: "op 'contract' (%12 'h', shape [2, 3])"; else "the plan's memory".
  std::string text;
};
PlanBlame blame_plan(const Tape& tape, const std::vector<Expr>& roots,
                     const std::vector<Tensor<Quad>>& reference, const Feed<Quad>& feed,
                     const RunContext& context, ThreadPool& pool, double allowed);

}  // namespace jacquard
