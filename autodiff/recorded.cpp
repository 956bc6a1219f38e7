#include "autodiff/recorded.hpp"

#include <algorithm>

#include "autodiff/error.hpp"

namespace jacquard {
namespace {

RecordedTruth combined(Lane operation, const RecordedTruth& a, const RecordedTruth& b) {
  if (a.wide != b.wide) throw InternalError("recorded: comparisons of two widths in one");
  return {a.recording, a.recording->add({operation, a.wide, 2, {a.value, b.value}}), a.wide};
}

}  // namespace

std::int16_t Recording::add(const Instruction& instruction) {
  instructions.push_back(instruction);
  return static_cast<std::int16_t>(inputs + static_cast<int>(instructions.size()) - 1);
}

std::int16_t Recording::constant(const Constant& wanted) {
  const auto found = std::ranges::find(constants, wanted);
  const auto place = static_cast<std::int16_t>(found - constants.begin());
  if (found == constants.end()) constants.push_back(wanted);
  return static_cast<std::int16_t>(~place);
}

RecordedTruth operator&&(const RecordedTruth& a, const RecordedTruth& b) {
  return combined(Lane::kAnd, a, b);
}
RecordedTruth operator||(const RecordedTruth& a, const RecordedTruth& b) {
  return combined(Lane::kOr, a, b);
}

}  // namespace jacquard
