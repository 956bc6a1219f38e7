#include "autodiff/vector_schedule.hpp"

#include <algorithm>

#include "autodiff/error.hpp"

namespace jacquard {
namespace {

using Event = VectorSchedule::Event;
using Place = VectorSchedule::Place;

// All steps as one list of instructions, whose operands are numbers of values: the loads, then what
// the instructions give. ~i is constant number i.
struct Program {
  std::size_t loads;
  std::vector<Recording::Instruction> instructions;
  std::vector<Recording::Constant> constants;
  struct Store {
    std::size_t after;  // so many instructions
    std::int16_t value;
  };
  std::vector<Store> stores;
};

Program program_of(const VectorChain& chain) {
  Program program{chain.loads.size(), {}, {}, {}};
  std::vector<std::int16_t> values;  // of the chain
  for (std::size_t v = 0; v < program.loads; ++v) values.push_back(static_cast<std::int16_t>(v));
  const auto constant = [&](const Recording::Constant& wanted) {
    const auto found = std::ranges::find(program.constants, wanted);
    const auto place = found - program.constants.begin();
    if (found == program.constants.end()) program.constants.push_back(wanted);
    return static_cast<std::int16_t>(~place);
  };
  std::size_t stored = 0;
  for (const VectorChain::Step& step : chain.steps) {
    const Recording& recording = *step.operation;
    const auto first = static_cast<int>(program.loads + program.instructions.size());
    const auto value = [&](std::int16_t v) {
      if (v < 0) return constant(recording.constants[static_cast<std::size_t>(~v)]);
      if (v >= recording.inputs) return static_cast<std::int16_t>(first + v - recording.inputs);
      return values[step.operands[static_cast<std::size_t>(v)]];
    };
    for (Recording::Instruction instruction : recording.instructions) {
      for (std::size_t i = 0; i < instruction.count; ++i)
        instruction.operands[i] = value(instruction.operands[i]);
      program.instructions.push_back(instruction);
    }
    values.push_back(value(recording.result));
    if (stored == chain.stored.size() || chain.stored[stored] + std::size_t{1} != values.size())
      continue;
    program.stores.push_back({program.instructions.size(), values.back()});
    ++stored;
  }
  return program;
}

class Scheduler {
 public:
  Scheduler(const VectorChain& chain, bool doubles, int registers)
      : chain_(chain), doubles_(doubles), registers_(registers), program_(program_of(chain)) {}

  std::optional<VectorSchedule> run() {
    // Numbers are loaded once, or for each vector again where that takes too many registers.
    for (const bool numbers_stay : {true, false}) {
      order(numbers_stay);
      if (!place_all()) continue;
      keep_constants();
      return VectorSchedule{before_, each_, program_.constants};
    }
    return std::nullopt;
  }

 private:
  // Events with the values that they read and give, still without registers.
  struct Draft {
    Event event;
    std::array<std::int16_t, 3> operands{};
    std::int16_t result = -1;
  };

  void order(bool numbers_stay) {
    drafts_.clear();
    std::vector<bool> is_there(program_.loads, false);
    const auto load = [&](std::size_t v) {
      drafts_.push_back(
          {{.kind = Event::Kind::kLoad, .number = v}, {}, static_cast<std::int16_t>(v)});
      is_there[v] = true;
    };
    for (std::size_t v = 0; numbers_stay && v < program_.loads; ++v)
      if (chain_.loads[v]) load(v);
    before_count_ = drafts_.size();
    const auto need = [&](std::int16_t v) {
      const auto number = static_cast<std::size_t>(v);
      if (v >= 0 && number < program_.loads && !is_there[number]) load(number);
    };
    std::size_t stored = 0;
    const auto store_after = [&](std::size_t instructions) {
      for (; stored < program_.stores.size() && program_.stores[stored].after == instructions;
           ++stored) {
        const std::int16_t value = program_.stores[stored].value;
        need(value);
        drafts_.push_back(
            {{.kind = Event::Kind::kStore, .number = stored, .count = 1}, {value}, -1});
      }
    };
    store_after(0);
    for (std::size_t i = 0; i < program_.instructions.size(); ++i) {
      const Recording::Instruction& in = program_.instructions[i];
      for (std::size_t k = 0; k < in.count; ++k) need(in.operands[k]);
      drafts_.push_back({{.kind = Event::Kind::kCompute,
                          .operation = in.operation,
                          .wide = in.wide,
                          .count = in.count,
                          .shift = in.shift},
                         in.operands,
                         static_cast<std::int16_t>(program_.loads + i)});
      store_after(i + 1);
    }
    find_last_uses();
  }

  void find_last_uses() {
    last_use_.assign(program_.loads + program_.instructions.size(), 0);
    for (std::size_t e = 0; e < drafts_.size(); ++e) {
      const Draft& draft = drafts_[e];
      if (draft.result >= 0) last_use_[static_cast<std::size_t>(draft.result)] = e;
      for (std::size_t k = 0; k < draft.event.count; ++k)
        if (draft.operands[k] >= 0) last_use_[static_cast<std::size_t>(draft.operands[k])] = e;
    }
    for (std::size_t e = 0; e < before_count_; ++e)  // for the next vector
      last_use_[static_cast<std::size_t>(drafts_[e].result)] = drafts_.size();
  }

  // ---- registers
  bool place_all() {
    places_.assign(last_use_.size(), {});
    free_.clear();
    for (int r = kVectorRegisters; r-- > 0;) free_.push_back(r);
    before_.clear();
    each_.clear();
    for (std::size_t e = 0; e < drafts_.size(); ++e)
      if (!place_event(e)) return false;
    return true;
  }

  bool place_event(std::size_t e) {
    const Draft& draft = drafts_[e];
    Event event = draft.event;
    for (std::size_t k = 0; k < event.count; ++k) event.operands[k] = place(draft.operands[k]);
    if (draft.result >= 0) {
      Place& result = places_[static_cast<std::size_t>(draft.result)];
      const bool twice = event.wide && !doubles_;
      result = inherited(e);
      if (result.low < 0) result.low = taken();
      if (twice && result.high < 0) result.high = taken();
      if (result.low < 0 || (twice && result.high < 0)) return false;
      event.result = result;
    }
    for (std::size_t k = 0; k < event.count; ++k) give_back(draft.operands[k], e, event.result);
    if (draft.result >= 0) give_back(draft.result, e, {});
    (e < before_count_ ? before_ : each_).push_back(event);
    return true;
  }

  Place place(std::int16_t value) const {
    if (value < 0) return {.constant = ~value};
    return places_[static_cast<std::size_t>(value)];
  }

  bool ends(std::int16_t value, std::size_t e) const {
    return value >= 0 && last_use_[static_cast<std::size_t>(value)] == e;
  }

  // The registers of an operand that is not needed any more, for the result. Half of a value lies
  // where the same half of an operand did, or where none did: the first half of the instruction
  // writes before the other one reads. Of a fused operation the last operand is the best one.
  Place inherited(std::size_t e) const {
    const Draft& draft = drafts_[e];
    const bool twice = draft.event.wide && !doubles_;
    for (std::size_t k = draft.event.count; k-- > 0;) {
      if (!ends(draft.operands[k], e)) continue;
      const Place& from = places_[static_cast<std::size_t>(draft.operands[k])];
      if (draft.event.operation == Lane::kWiden || draft.event.operation == Lane::kNarrow)
        return {.low = from.low};
      if ((from.high >= 0) == twice) return from;
    }
    return {};
  }

  int taken() {
    if (free_.empty()) return -1;
    const int r = free_.back();
    free_.pop_back();
    return r;
  }

  void give_back(std::int16_t value, std::size_t e, const Place& to) {
    if (!ends(value, e)) return;
    Place& from = places_[static_cast<std::size_t>(value)];
    for (const int r : {from.low, from.high})
      if (r >= 0 && r != to.low && r != to.high) free_.push_back(r);
    from = {};  // it may be an operand twice
  }

  // Registers that nothing needs hold the constants that are used most.
  void keep_constants() {
    std::vector<int> spare;
    for (int r = 0; r < registers_; ++r) {
      if (r == kVectorRegisters) continue;
      const auto holds = [&](const Event& e) { return e.result.low == r || e.result.high == r; };
      if (std::ranges::none_of(before_, holds) && std::ranges::none_of(each_, holds))
        spare.push_back(r);
    }
    std::vector<int> uses(program_.constants.size(), 0);
    for (const Event& event : each_)
      for (const Place& operand : event.operands)
        if (operand.constant >= 0) ++uses[static_cast<std::size_t>(operand.constant)];
    while (!spare.empty() && std::ranges::any_of(uses, [](int n) { return n > 0; })) {
      const auto most = std::ranges::max_element(uses);
      const auto constant = static_cast<int>(most - uses.begin());
      const int r = spare.back();
      for (Event& event : each_)
        for (Place& operand : event.operands)
          if (operand.constant == constant) operand = {.low = r, .high = r};
      before_.push_back({.kind = Event::Kind::kConstant,
                         .number = static_cast<std::size_t>(constant),
                         .result = {.low = r}});
      spare.pop_back();
      *most = 0;
    }
  }

  const VectorChain& chain_;
  const bool doubles_;
  const int registers_;
  Program program_;
  std::vector<Draft> drafts_;
  std::size_t before_count_ = 0;       // of the drafts
  std::vector<std::size_t> last_use_;  // by value: a draft
  std::vector<Place> places_;          // by value
  std::vector<int> free_;
  std::vector<Event> before_, each_;
};

}  // namespace

std::optional<VectorSchedule> vector_schedule(const VectorChain& chain, bool doubles,
                                              int registers) {
  return Scheduler(chain, doubles, registers).run();
}

}  // namespace jacquard
