// Minimizers of a whole cost: L-BFGS and nonlinear conjugate gradients with a line search.
//
// Unlike optimizers they look at the cost several times in a step, so they are no expressions on
// the tape. What they carry from step to step is named tensors, saved like those of an optimizer.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "autodiff/tensor.hpp"
#include "nn/choice.hpp"

namespace jacquard::experiments {

// "lbfgs" (Nocedal and Wright 2006, algorithm 7.4) and "conjugate_gradient" (Polak and Ribiere, the
// factor at least 0; section 5.2).
std::span<const nn::Kind> minimizer_kinds();
bool is_minimizer(const nn::Choice& optimizer);

// The cost at `point`; `gradient` receives its gradient there. Both are flat.
using Evaluate = std::function<double(std::span<const double> point, std::span<double> gradient)>;

enum class Minimized {
  kMoved,      // to a point of lower cost
  kConverged,  // the gradient is 0, or the line search finds nothing better: the point stays
  kNotFinite,  // the cost at the point itself is not finite
};

class Minimizer {
 public:
  Minimizer(nn::Choice choice, std::size_t size);

  // One step from `point`, which is moved. Costs that are not finite on the way make the line
  // search step back.
  Minimized step(const Evaluate& evaluate, std::span<double> point);

  // The cost at the point where the last step ended.
  double cost() const { return cost_; }
  std::int64_t evaluations() const { return evaluations_; }

  // What the next step needs, by name; restore() takes what state() gave.
  std::map<std::string, Tensor<double>> state() const;
  void restore(const std::map<std::string, Tensor<double>>& state);

 private:
  struct Pair {
    std::vector<double> s, y;  // differences of points and of gradients
  };
  std::vector<double> direction(std::span<const double> gradient);
  bool search(const Evaluate& evaluate, std::span<double> point, const std::vector<double>& d,
              double first);

  nn::Choice choice_;
  std::size_t size_;
  std::size_t memory_ = 0;  // pairs that are kept
  double cost_ = 0;
  bool started_ = false;  // cost_ and gradient_ belong to the point
  std::vector<double> gradient_;
  std::vector<Pair> pairs_;                             // lbfgs: the oldest first
  std::vector<double> last_direction_, last_gradient_;  // conjugate_gradient
  double last_slope_ = 0, last_step_ = 0;  // for the first guess of the next line search
  std::int64_t evaluations_ = 0;
};

}  // namespace jacquard::experiments
