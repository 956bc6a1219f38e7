#include "models/model.hpp"

#include <map>
#include <optional>

#include "autodiff/closest.hpp"
#include "autodiff/ops.hpp"
#include "models/language/evaluate.hpp"
#include "models/language/tokens.hpp"

namespace jacquard::models {
namespace {

// Declares tensors on the tape, and keeps the mistakes in their names, shapes and initial values.
class Declarer {
 public:
  explicit Declarer(Tape& tape) : tape_(tape) {}

  void declare_input(const std::string& name, const Shape& shape) {
    tensors_.emplace(name, tape_.input(name, shape, InputKind::kData));
  }

  // `section` is the one of the spec: "parameters". Nothing when the name cannot be used; other
  // mistakes leave the tensor there, so that texts that use it are still checked.
  std::optional<Expr> declare(const char* section, const std::string& name, const Shape& shape,
                              const nn::Initializer& initial, InputKind kind) {
    const std::string where = cat(section, '/', name);
    if (!check_name(where, name)) return std::nullopt;
    if (shape.size() > Model::kMaxParameterSize)
      errors_.push_back({{where, "", {}},
                         cat("a tensor of shape ", shape, " has ", shape.size(), " elements"),
                         cat("at most ", Model::kMaxParameterSize, " are allowed")});
    try {
      nn::check_initializer("initial value", initial);
    } catch (const SpecError& error) {
      errors_.push_back({{where, "", {}}, error.what()});
    }
    const Expr tensor = tape_.input(name, shape, kind);
    tensors_.emplace(name, tensor);
    return tensor;
  }

  const std::map<std::string, Expr>& tensors() const { return tensors_; }
  const std::vector<EvaluationError>& errors() const { return errors_; }

 private:
  bool check_name(const std::string& where, const std::string& name) {
    std::string message, hint = "choose another name";
    if (!is_name(name)) {
      message = cat(quoted(name), " is no name");
      hint = "names consist of letters, digits and '_' and begin with no digit";
    } else if (tensors_.contains(name)) {
      message = cat(quoted(name), " is already the name of an input or a parameter");
    }
    if (message.empty()) return true;
    errors_.push_back({{where, name, {0, name.size()}}, message, hint, true});
    return false;
  }

  Tape& tape_;
  std::map<std::string, Expr> tensors_;
  std::vector<EvaluationError> errors_;
};

}  // namespace

Model::Model(Tape& tape, const Declarations& declarations, const Inputs& inputs,
             std::vector<EvaluationError>* errors)
    : collected_(errors) {
  declare(tape, declarations, inputs);
  record_state(declarations);
  if (collected_ == nullptr && !environment_->errors().empty())
    throw ModelError(environment_->take_errors());
  collect_errors();
}

Model::~Model() = default;
Model::Model(Model&&) noexcept = default;

void Model::declare(Tape& tape, const Declarations& declarations, const Inputs& inputs) {
  Declarer declarer(tape);
  for (const auto& [name, shape] : inputs) declarer.declare_input(name, shape);
  for (const char* clock : {"epoch", "step"}) declarer.declare_input(clock, {});
  for (const Parameter& p : declarations.parameters)
    if (const auto tensor =
            declarer.declare("parameters", p.name, p.shape, p.initial, InputKind::kParameter))
      parameters_.push_back(*tensor);
  for (const State& s : declarations.state)
    declarer.declare("state", s.name, s.shape, s.initial, InputKind::kState);
  environment_ = std::make_unique<Environment>(tape, declarer.tensors(), declarations.define,
                                               declarations.functions);
  for (const EvaluationError& error : declarer.errors()) environment_->add_error(error);
}

void Model::record_state(const Declarations& declarations) {
  for (const State& s : declarations.state) {
    const std::string where = "state/" + s.name;
    const std::optional<Expr> next = environment_->expression(s.next, where);
    const Value* target = environment_->find(s.name);
    const Expr* tensor = target == nullptr ? nullptr : target->as<Expr>();
    if (!next || tensor == nullptr) continue;
    if (next->shape() == tensor->shape()) {
      state_updates_.push_back({*tensor, *next});
    } else {
      environment_->add_error(
          {{where, s.next, {0, s.next.size()}},
           cat("the next value has shape ", next->shape(), ", the state ", tensor->shape()),
           "they must be equal"});
    }
  }
}

// In collecting mode the environment keeps what was collected, and so tells a mistake that was
// reported before.
void Model::collect_errors() {
  if (collected_ == nullptr) return;
  const std::vector<EvaluationError>& all = environment_->errors();
  collected_->insert(collected_->end(), all.begin() + static_cast<std::ptrdiff_t>(seen_),
                     all.end());
  seen_ = all.size();
}

Expr Model::failed() {
  collect_errors();
  if (collected_ != nullptr) return {};
  const std::vector<EvaluationError> errors = environment_->take_errors();
  if (errors.empty()) throw InternalError("model: a text failed without an error");
  throw EvaluationError(errors.front());
}

Expr Model::operator[](std::string_view name) const {
  if (const Value* value = environment_->find(name)) {
    const Expr tensor = as_tensor(environment_->tape(), *value);
    if (tensor) return tensor;
    throw SpecError(cat("model: ", quoted(name), " is ", describe(*value), ", not a tensor"));
  }
  const std::string near = closest(name, environment_->names());
  throw SpecError(cat("model: no parameter, input or definition is named ", quoted(name),
                      near.empty() ? "" : cat("; did you mean '", near, "'?")));
}

Expr Model::expression(const std::string& text, std::string where) {
  if (where.empty()) where = cat("expression ", ++unnamed_);
  const std::optional<Expr> result = environment_->expression(text, where);
  return result ? *result : failed();
}

Expr Model::scalar(const std::string& text, std::string where) {
  if (where.empty()) where = cat("expression ", ++unnamed_);
  const Expr result = expression(text, where);
  if (!result || result.shape().rank() == 0) return result;
  environment_->add_error({{where, text, {0, text.size()}},
                           cat("the value has shape ", result.shape(), ", a scalar is needed"),
                           "take mean() or sum() of it"});
  return failed();
}

Feed<double> initial_values(const Declarations& declarations, std::uint64_t seed) {
  Feed<double> values;
  for (const Parameter& p : declarations.parameters)
    values.emplace(p.name, nn::initial_value(p.initial, p.shape, seed, p.name));
  for (const State& s : declarations.state)
    values.emplace(s.name, nn::initial_value(s.initial, s.shape, seed, s.name));
  return values;
}

}  // namespace jacquard::models
