// Model: declarations recorded on a tape, and the way to write costs with their names.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/plan.hpp"
#include "models/declarations.hpp"
#include "models/language/evaluation_error.hpp"

namespace jacquard::models {

class Environment;

class Model {
 public:
  // Names and shapes of what is bound at run time: {{"x", {100, 784}}, {"labels", {100}}}. The
  // scalars `epoch` and `step` are always there.
  using Inputs = std::vector<std::pair<std::string, Shape>>;

  // No parameter may have more elements.
  static constexpr std::int64_t kMaxParameterSize = std::int64_t{1} << 32;

  // Throws ModelError with all mistakes at once. Given a place to collect them, it throws for none
  // of them and appends them there, as do expression() and scalar(). The tape must outlive the
  // model; two models of different batch sizes need two tapes.
  Model(Tape& tape, const Declarations& declarations, const Inputs& inputs,
        std::vector<EvaluationError>* errors = nullptr);
  ~Model();
  Model(Model&&) noexcept;

  // A parameter, state, input or definition. Throws SpecError when there is none of that name.
  Expr operator[](std::string_view name) const;

  // From here on mistakes are thrown, also by a model that has collected them.
  void collect_no_more() { collected_ = nullptr; }

  // The value of a text that uses the model's names. `where` names it in errors and in the streams
  // of its draws: "cost/contraction"; without one each call has its own number. Throws
  // EvaluationError, the first mistake; when mistakes are collected, the result is empty for a text
  // that has one or uses a name that has one.
  Expr expression(const std::string& text, std::string where = "");
  // The same, where it must be a scalar.
  Expr scalar(const std::string& text, std::string where = "");

  const std::vector<Expr>& parameters() const { return parameters_; }
  // What becomes of the state after a step; without those that have mistakes.
  const std::vector<Update>& state_updates() const { return state_updates_; }

 private:
  void declare(Tape& tape, const Declarations& declarations, const Inputs& inputs);
  void record_state(const Declarations& declarations);
  void collect_errors();
  Expr failed();  // throws or collects what went wrong; the empty Expr

  std::unique_ptr<Environment> environment_;
  std::vector<Expr> parameters_;
  std::vector<Update> state_updates_;
  std::vector<EvaluationError>* collected_;
  std::size_t seen_ = 0;  // errors of the environment that were collected
  int unnamed_ = 0;
};

// The initial values of parameters and state, by name. Throws SpecError.
Feed<double> initial_values(const Declarations& declarations, std::uint64_t seed);

}  // namespace jacquard::models
