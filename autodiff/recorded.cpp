#include "autodiff/recorded.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "autodiff/error.hpp"

namespace jacquard {
namespace {

RecordedTruth combined(Lane operation, const RecordedTruth& a, const RecordedTruth& b) {
  if (a.wide != b.wide) throw InternalError("recorded: comparisons of two widths in one");
  return {a.recording, a.recording->add({operation, a.wide, 2, {a.value, b.value}}), a.wide};
}

}  // namespace

std::int16_t Recording::add(const Instruction& instruction) {
  const std::size_t number = static_cast<std::size_t>(inputs) + instructions.size();
  if (number > static_cast<std::size_t>(std::numeric_limits<std::int16_t>::max()))
    throw InternalError("recorded: too many instructions");
  instructions.push_back(instruction);
  return static_cast<std::int16_t>(number);
}

std::int16_t Recording::constant(const Constant& wanted) {
  const auto found = std::ranges::find(constants, wanted);
  const auto place = static_cast<std::int16_t>(found - constants.begin());
  if (found == constants.end()) constants.push_back(wanted);
  return static_cast<std::int16_t>(~place);
}

void Recording::drop_unused() {
  const auto first = static_cast<std::size_t>(inputs);
  std::vector<bool> used(first + instructions.size(), false);
  const auto use = [&](std::int16_t v) {
    if (v >= 0) used[static_cast<std::size_t>(v)] = true;
  };
  use(result);
  for (std::size_t i = instructions.size(); i-- > 0;)
    for (std::size_t k = 0; used[first + i] && k < instructions[i].count; ++k)
      use(instructions[i].operands[k]);

  std::vector<std::int16_t> now(used.size());  // the new numbers
  for (std::size_t v = 0; v < first; ++v) now[v] = static_cast<std::int16_t>(v);
  const auto renumber = [&](std::int16_t& v) {
    if (v >= 0) v = now[static_cast<std::size_t>(v)];
  };
  std::vector<Instruction> all = std::exchange(instructions, {});
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!used[first + i]) continue;
    for (std::size_t k = 0; k < all[i].count; ++k) renumber(all[i].operands[k]);
    now[first + i] = add(all[i]);
  }
  renumber(result);
}

RecordedTruth operator&&(const RecordedTruth& a, const RecordedTruth& b) {
  return combined(Lane::kAnd, a, b);
}
RecordedTruth operator||(const RecordedTruth& a, const RecordedTruth& b) {
  return combined(Lane::kOr, a, b);
}

}  // namespace jacquard
