#include "experiments/failure.hpp"

#include <new>
#include <nlohmann/json.hpp>
#include <ostream>

#include "experiments/json_dump.hpp"
#include "experiments/problem.hpp"

namespace jacquard::experiments {
namespace {

template <class T>
bool is(const std::exception& failure) {
  return dynamic_cast<const T*>(&failure) != nullptr;
}

int exit_code_of(const std::exception& failure) {
  if (is<UsageError>(failure)) return kExitUsage;
  // Shapes and derivatives are the user's to mend, as specs are.
  if (is<SpecError>(failure) || is<ShapeError>(failure) || is<GradientError>(failure))
    return kExitInvalid;
  return kExitFailure;
}

std::string message_of(const std::exception& failure) {
  if (is<std::bad_alloc>(failure)) return "there is not enough memory";
  if (is<InternalError>(failure) || !is<Error>(failure))
    return cat(failure.what(), "; this is a mistake of Jacquard itself, please report it together ",
               "with the spec");
  return failure.what();
}

}  // namespace

int report_failure(const std::exception& failure, bool json, std::ostream& out, Talk& talk) {
  std::vector<Problem> problems;
  if (const auto* invalid = dynamic_cast<const InvalidSpec*>(&failure)) {
    problems = invalid->problems;
    talk.say(invalid->what());  // says itself that these are errors, and where
  } else {
    problems.emplace_back().message = message_of(failure);
    talk.error(problems.back().message);
  }
  if (json) out << dump_strict({{"problems", to_json(problems)}}) << '\n';
  return exit_code_of(failure);
}

}  // namespace jacquard::experiments
