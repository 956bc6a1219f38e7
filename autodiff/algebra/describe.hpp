// What the contraction algebra made of a cost, for people: a formula, and the steps that are run.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "autodiff/algebra/simplify.hpp"

namespace jacquard::algebra {

// One node that a plan executes: "s3[j,k] = sum_i W[i,j] W[i,k]".
struct DescribedStep {
  std::string text;
  double flops = 0;
  double bytes = 0;  // of the result
  bool symmetric = false;
};

struct Description {
  // The value, over named indices: b is the example, i, j, k, ... go from the inputs of a chain of
  // layers to its outputs. "0.01 * sum_{b,i,j} d[b,j]^2 W[i,j]^2"
  std::string formula;
  std::vector<std::string> where;    // what stands in the formula without a name of its own
  std::vector<std::string> names;    // labels and inputs of the tape that all of this uses
  std::vector<DescribedStep> steps;  // from what `where` explains to the result, in order
  // Digits may be lost (Simplified::conditions), because terms of both signs are added: those of
  // the square of a sum, of Gram matrices, or of a sum as it stands.
  bool expanded = false;
  bool gram = false;
  bool difference = false;
};

// Of the one root that was simplified; nothing where it was left as it was. Names are the labels of
// the tape. Steps are those after the passes of a plan, with numbers of this many bytes.
std::optional<Description> describe(const Simplified& simplified, std::size_t bytes_per_number);

}  // namespace jacquard::algebra
