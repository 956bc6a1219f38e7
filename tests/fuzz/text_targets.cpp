// Targets for what people write: specs and expressions of the cost language.
#include <nlohmann/json.hpp>
#include <optional>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "experiments/json_text.hpp"
#include "experiments/problem.hpp"
#include "experiments/spec.hpp"
#include "models/language/print.hpp"
#include "models/language/syntax.hpp"
#include "models/model.hpp"
#include "tests/fuzz/targets.hpp"

namespace jacquard::fuzz {
namespace {

using namespace experiments;

// The spec as config.json has it; nothing if it has mistakes, which are then shown.
std::optional<std::string> config_of(std::string_view text) {
  try {
    const LocatedJson document = load_json(text, "spec.json");
    Problems problems(document);
    const Spec spec = read_spec("/data", problems);
    problems.throw_if_any();
    return spec_json(spec).dump();
  } catch (const InvalidSpec& error) {
    require(!error.problems.empty(), "an error says what is wrong");
    to_json(error.problems);
    return std::nullopt;
  }
}

void print_and_parse(std::string_view text) {
  const models::SyntaxTree tree = models::parse_expression(text);
  const std::string printed = models::print_expression(tree);
  require(models::parse_expression(printed) == tree, "what is printed is the same expression");
}

// The cost of a small model, and its derivatives of two orders.
void record(const std::string& text) {
  Tape tape;
  models::Declarations declarations;
  declarations.parameters = {{"W", Shape{3, 2}}, {"b", Shape{2}}};
  declarations.define = {{"h", "sigmoid(x @ W + b)"}};
  declarations.functions = {{"f(p, q)", "p * q + p^2"}};
  std::vector<models::EvaluationError> errors;
  models::Model model(tape, declarations, {{"x", Shape{2, 3}}, {"labels", Shape{2}}}, &errors);
  const Expr cost = model.scalar(text, "cost/a");
  require(static_cast<bool>(cost) == errors.empty(), "an expression is there, or an error");
  if (!cost) return;
  constexpr std::size_t kMostNodes = 3000;  // of a derivative that is worth another
  Expr value = cost;
  for (int order = 1; order <= 2 && tape.size() < kMostNodes; ++order) {
    std::vector<Expr> squares;
    for (const Expr& slope : gradient(value, model.parameters(), Unused::kZero))
      squares.push_back(sum(square(slope)));
    value = add_all(squares);
  }
}

}  // namespace

void spec(std::string_view bytes) {
  try {
    const std::optional<std::string> config = config_of(bytes);
    if (config) require(config_of(*config) == config, "a config gives the same spec");
  } catch (const SpecError&) {
  }
}

void expression(std::string_view bytes) {
  bool is_expression = true;
  try {
    print_and_parse(bytes);
  } catch (const models::LanguageError&) {
    is_expression = false;
  }
  // A model takes longer than a text, and what becomes of one that is none is soon known.
  if (!is_expression && bytes.size() % 16 != 0) return;
  try {
    record(std::string(bytes));
  } catch (const GradientError&) {
  }
}

}  // namespace jacquard::fuzz
