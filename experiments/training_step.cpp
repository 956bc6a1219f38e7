#include "experiments/training_step.hpp"

#include <numeric>
#include <optional>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/guarded_plan.hpp"
#include "experiments/batches.hpp"
#include "experiments/minimizers.hpp"
#include "experiments/permutation.hpp"
#include "experiments/step_program.hpp"

namespace jacquard::experiments {
namespace {

// Calls `act`; what the tape refuses to differentiate is the spec's to mend.
template <class Act>
auto with_gradient_problems(Problems& problems, Act act) {
  try {
    return act();
  } catch (const GradientError& error) {
    problems.add("/cost", error.what());
    problems.throw_if_any();
    throw;
  }
}

// ---------------------------------------------------------------- optimizers
class BatchStep : public TrainingStep {
 public:
  explicit BatchStep(const StepContext& context)
      : c_(context),
        batch_(c_.spec.train->batch),
        recording_(record(c_.spec, c_.inputs, batch_, c_.problems)) {
    c_.problems.throw_if_any();
    const auto write = [this](Care care) {
      return with_gradient_problems(c_.problems, [&] {
        StepProgram program = step_program(c_.spec, recording_, care);
        for (const nn::StateVariable& v : program.state)
          if (!c_.values.contains(v.name))
            c_.values.add(v.name, Tensor<float>(v.shape, static_cast<float>(v.initial)));
        return program.program;
      });
    };
    plan_.emplace(*recording_.tape, write, c_.pool, plan_options(c_.spec));
    c_.values.bind_to(*plan_);
    plan_->bind_constant("epoch", std::span<const float>(&epoch_, 1));
    plan_->bind_constant("step", std::span<const float>(&step_, 1));
    plan_->bind_constant(kAdjustedRate, std::span<const float>(&rate_, 1));
    feeder_.emplace(c_.data, batch_, *plan_, c_.pool);
  }

  std::int64_t per_epoch() const override { return c_.data.count() / batch_; }

  void prepare(const TrainingState& state) override {
    const std::int64_t epoch = state.epoch + 1;
    if (order_of_ != epoch) {
      order_ = permutation(c_.spec.seed, cat("epoch/", epoch), c_.data.count());
      order_of_ = epoch;
    }
    feeder_->gather(std::span(order_).subspan(static_cast<std::size_t>(state.batch * batch_),
                                              static_cast<std::size_t>(batch_)));
    epoch_ = static_cast<float>(epoch);
    step_ = static_cast<float>(state.stage_step);
    rate_ = static_cast<float>(state.rate);
  }

  bool make(TrainingState& state) override {
    prepare(state);
    const std::int64_t careful = plan_->careful_runs();
    const bool finite = plan_->run(c_.spec.seed, state.step);
    state.careful_steps += plan_->careful_runs() - careful;
    return finite;
  }

  double cost() const override { return static_cast<double>(plan_->scalar(0)); }
  PlanStatistics statistics() const override { return plan_->statistics(); }
  const Recording& recording() const override { return recording_; }
  Feed<float> feed() const override {
    Feed<float> feed;
    for (const auto& [name, value] : c_.values.all()) feed.emplace(name, value);
    feeder_->add_to(feed);
    feed.emplace("epoch", Tensor<float>(Shape{}, epoch_));
    feed.emplace("step", Tensor<float>(Shape{}, step_));
    feed.emplace(kAdjustedRate, Tensor<float>(Shape{}, rate_));
    return feed;
  }

 private:
  StepContext c_;
  std::int64_t batch_;
  Recording recording_;
  std::optional<GuardedPlan<float>> plan_;
  std::optional<BatchFeeder> feeder_;
  std::vector<std::int64_t> order_;  // of the examples in the epoch `order_of_`
  std::int64_t order_of_ = -1;
  float epoch_ = 0, step_ = 0, rate_ = 0;
};

// ---------------------------------------------------------------- minimizers
// The cost of the whole training part, computed in T. Its point lives here in double; the values
// are rounded copies of it. Noise is drawn once for the whole stage, since a line search needs one
// cost.
template <class T>
class WholeStep : public TrainingStep {
 public:
  explicit WholeStep(const StepContext& context)
      : c_(context),
        recording_(record(c_.spec, c_.inputs, c_.data.count(), c_.problems)),
        parameters_(checked(trained_parameters(c_.spec, recording_))) {
    const auto write = [this](Care care) {
      return with_gradient_problems(c_.problems, [&] {
        const Simplified s = simplify({recording_.cost}, care);
        std::vector<Expr> outputs{s.roots[0]};
        for (const Expr& g : gradient(s.roots[0], parameters_)) outputs.push_back(g);
        return ConditionalProgram{{outputs, {}, {}}, s.conditions};
      });
    };
    plan_.emplace(*recording_.tape, write, c_.pool, plan_options(c_.spec));
    for (const auto& [name, value] : c_.values.all()) values_[name] = cast<T>(value);
    for (const auto& [name, array] : c_.data.arrays)
      if (plan_->has_input(name)) values_[name] = cast<T>(array.values());
    for (auto& [name, value] : values_) plan_->bind(name, std::span<T>(value.data));
    plan_->bind_constant("epoch", std::span<const T>(&epoch_, 1));
    plan_->bind_constant("step", std::span<const T>(&step_, 1));
    for (const Expr& p : parameters_) {
      const std::vector<T>& data = values_.at(parameter_name(p)).data;
      point_.insert(point_.end(), data.begin(), data.end());
    }
    minimizer_.emplace(c_.spec.train->optimizer, point_.size());
  }

  std::int64_t per_epoch() const override { return 1; }

  void prepare(const TrainingState& state) override {
    epoch_ = static_cast<T>(state.epoch + 1);
    step_ = static_cast<T>(state.stage_step);
    noise_step_ = state.step - state.stage_step;  // the first of the stage
    put_point(point_);
  }

  bool make(TrainingState& state) override {
    prepare(state);
    const std::int64_t careful = plan_->careful_runs();
    const auto evaluate = [this](std::span<const double> point, std::span<double> gradient) {
      return this->evaluate(point, gradient);
    };
    const Minimized result = minimizer_->step(evaluate, point_);
    state.careful_steps += plan_->careful_runs() > careful ? 1 : 0;
    if (result == Minimized::kNotFinite) return false;
    converged_ = result == Minimized::kConverged;
    show_point();
    return true;
  }

  double cost() const override { return minimizer_->cost(); }
  bool converged() const override { return converged_; }
  PlanStatistics statistics() const override { return plan_->statistics(); }
  const Recording& recording() const override { return recording_; }

  Feed<float> feed() const override {
    Feed<float> feed;
    for (const auto& [name, value] : values_) feed.emplace(name, cast<float>(value));
    feed.emplace("epoch", Tensor<float>(Shape{}, static_cast<float>(epoch_)));
    feed.emplace("step", Tensor<float>(Shape{}, static_cast<float>(step_)));
    return feed;
  }

  std::vector<SavedTensor> saved() const override {
    std::vector<SavedTensor> saved{
        {"minimizer/point",
         Tensor<double>(Shape{static_cast<std::int64_t>(point_.size())}, point_)}};
    for (auto& [name, value] : minimizer_->state()) saved.push_back({name, value});
    return saved;
  }

  void restore(const SafeTensors& file) override {
    std::map<std::string, Tensor<double>> state;
    for (const SavedTensor& saved : file.tensors)
      if (saved.name.starts_with("minimizer/"))
        state[saved.name] = tensor<double>(file, saved.name);
    const auto point = state.find("minimizer/point");
    if (point == state.end() || point->second.data.size() != point_.size())
      throw Error("the checkpoint lacks the point of the minimizer");
    point_ = point->second.data;
    minimizer_->restore(state);
  }

 private:
  std::vector<Expr> checked(std::vector<Expr> parameters) const {
    c_.problems.throw_if_any();
    return parameters;
  }

  void put_point(std::span<const double> point) {
    std::size_t at = 0;
    for (const Expr& p : parameters_) {
      std::vector<T>& data = values_.at(parameter_name(p)).data;
      for (T& number : data) number = static_cast<T>(point[at++]);
    }
  }

  double evaluate(std::span<const double> point, std::span<double> gradient) {
    put_point(point);
    plan_->run(c_.spec.seed, noise_step_);
    std::size_t at = 0;
    for (std::size_t i = 0; i < parameters_.size(); ++i) {
      const std::span<const T> g = plan_->output(i + 1);
      for (const T number : g) gradient[at++] = static_cast<double>(number);
    }
    return static_cast<double>(plan_->scalar(0));
  }

  void show_point() {
    put_point(point_);
    for (const Expr& p : parameters_)
      c_.values.set(parameter_name(p), cast<float>(values_.at(parameter_name(p))));
  }

  StepContext c_;
  Recording recording_;
  std::vector<Expr> parameters_;
  std::optional<GuardedPlan<T>> plan_;
  std::map<std::string, Tensor<T>> values_;  // of every input of the plan
  std::vector<double> point_;
  std::optional<Minimizer> minimizer_;
  T epoch_ = 0, step_ = 0;
  std::uint64_t noise_step_ = 0;
  bool converged_ = false;
};

}  // namespace

std::unique_ptr<TrainingStep> make_training_step(const StepContext& context) {
  const TrainSpec& train = *context.spec.train;
  if (!is_minimizer(train.optimizer)) return std::make_unique<BatchStep>(context);
  if (train.precision == Precision::kFloat) return std::make_unique<WholeStep<float>>(context);
  return std::make_unique<WholeStep<double>>(context);
}

}  // namespace jacquard::experiments
