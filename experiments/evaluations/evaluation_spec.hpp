// What a spec asks for of a trained model beside its monitors: "evaluate", name by name.
#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/fields.hpp"
#include "nn/choice.hpp"

namespace jacquard::experiments {

struct EvaluationSpec {
  std::string name;
  std::string of;           // an expression with a value for each example
  std::string target = {};  // the same, of a regression
  std::string set;          // "train", "valid" or "test"; empty: the last of them with examples
  nn::Choice choice{"mean"};

  bool operator==(const EvaluationSpec&) const = default;
};

// The kinds of evaluations and their options:
//   mean               of [batch], with the 95 % interval of the mean: normal, 1.96 s / sqrt(n)
//   k_means            codes [batch, n] in clusters (k_means.hpp); where the set has labels, how
//                      well they agree (partition.hpp)
//   singular_values    of Jacobians [batch, m, n] (spectrum.hpp)
//   contraction_curve  of codes [batch, n]: mean |h(x + r u) - h(x)| / r for random directions u of
//                      length 1, over the radius r (Rifai et al. 2011a, section 5.3)
//   embedding          codes [batch, n] along their two first principal components
//   regression         a target, [batch] or [batch, k], from codes [batch, n]: the best linear map
//                      on the training part (linear_regression.hpp)
std::span<const nn::Kind> evaluation_kinds();

// The rank that `of` must have.
int evaluated_rank(const EvaluationSpec& evaluation);
// Is it a kind with a target?
bool has_target(std::string_view kind);

std::vector<EvaluationSpec> read_evaluations(Fields fields,
                                             std::map<std::string, std::string>& pointers);
nlohmann::ordered_json evaluations_json(const std::vector<EvaluationSpec>& evaluations);

}  // namespace jacquard::experiments
