// One step of the preparation of data. Inside of preparation.hpp.
//
// Formulas, of an example x with d features; means, variances (without Bessel's correction) and
// covariances are those of the training part:
//   affine: scale, standardise, pca, zca    y = ((x - offset) V * factors) [V']
//     scale        factors = (high - low) / (largest - smallest), over all features or each
//     standardise  factors = 1 / (deviation + epsilon), over each feature or all
//     pca          V the first `components` eigenvectors of the covariance; factors 1, or
//                  1 / sqrt(eigenvalue + epsilon) with "whiten"
//     zca          the same with all eigenvectors, whitened, and turned back by V'
//   contrast_normalisation (pylearn2's global_contrast_normalize)
//     divisor = sqrt(bias + sum of squares) / scale, or with "deviation" sqrt(bias + variance) /
//     scale, with Bessel's correction; below least_divisor it is 1. y = (x - mean of x) / divisor.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "experiments/data.hpp"
#include "experiments/safetensors.hpp"
#include "nn/choice.hpp"

namespace jacquard::experiments {

struct PreparedShape {
  std::int64_t features = 0;
  std::vector<std::int64_t> image = {};  // empty if x is no image
};

// What a step is fitted on.
struct FitContext {
  const nn::Choice& choice;
  ExampleArray& x;  // of the training part, [count, features]
  std::uint64_t seed;
  std::string where;  // for messages: /data/prepare/0
};

class PreparationStep {
 public:
  virtual ~PreparationStep() = default;
  // Changes data's x, and image, count and removed where the step says so.
  virtual void apply(DataSet& data, const std::string& part) const = 0;
  // How many numbers an example loses, 0 for most steps.
  virtual std::int64_t removes() const { return 0; }
  // `removed` [at least as many examples, removes()], or null.
  virtual Tensor<float> inverse(const Tensor<float>& y, const Tensor<float>* removed) const = 0;
  virtual Tensor<float> inverse_directions(const Tensor<float>& y) const = 0;
  // Adds what was fitted, under names that begin with `prefix`.
  virtual void save(const std::string& prefix, SafeTensors& file) const = 0;
};
using Step = std::unique_ptr<const PreparationStep>;

// The steps by kind: what is after them, how they are fitted and read back.
struct StepKind {
  nn::Kind kind;
  PreparedShape (*shape)(const nn::Choice& choice, const std::string& where, PreparedShape x);
  Step (*fit)(const FitContext& context);
  Step (*load)(const nn::Choice& choice, const std::string& prefix, const SafeTensors& file);
};

std::vector<StepKind> affine_step_kinds();
StepKind contrast_step_kind();
StepKind patches_step_kind();

const std::vector<StepKind>& step_kinds();

// The number of an option of a step, given or by default.
double step_option(const nn::Choice& choice, std::string_view name);
inline bool step_flag(const nn::Choice& choice, std::string_view name) {
  return step_option(choice, name) != 0;
}

}  // namespace jacquard::experiments
