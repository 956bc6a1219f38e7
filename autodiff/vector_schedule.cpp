#include "autodiff/vector_schedule.hpp"

#include <algorithm>

namespace jacquard {
namespace {

using Event = VectorSchedule::Event;
using Place = VectorSchedule::Place;

// All steps as one, whose inputs are the loads.
struct Program {
  Recording all;
  struct At {
    std::size_t after;  // so many instructions
    std::int16_t value;
  };
  // A step that gives a load as it is reads it when it is its turn, as others do: later something
  // may be stored there.
  std::vector<At> copies = {};
  std::vector<At> stores = {};
};

Program program_of(const VectorChain& chain) {
  Program program{{.inputs = static_cast<int>(chain.loads.size())}};
  std::vector<std::int16_t> values;  // of the chain
  for (std::size_t v = 0; v < chain.loads.size(); ++v)
    values.push_back(static_cast<std::int16_t>(v));
  std::size_t stored = 0;
  for (const VectorChain::Step& step : chain.steps) {
    const Recording& recording = *step.operation;
    const int first = program.all.inputs + static_cast<int>(program.all.instructions.size());
    const auto value = [&](std::int16_t v) {
      if (v < 0) return program.all.constant(recording.constants[static_cast<std::size_t>(~v)]);
      if (v >= recording.inputs) return static_cast<std::int16_t>(first + v - recording.inputs);
      return values[step.operands[static_cast<std::size_t>(v)]];
    };
    for (Recording::Instruction instruction : recording.instructions) {
      for (std::size_t i = 0; i < instruction.count; ++i)
        instruction.operands[i] = value(instruction.operands[i]);
      program.all.add(instruction);
    }
    values.push_back(value(recording.result));
    const Program::At now{program.all.instructions.size(), values.back()};
    if (values.back() < program.all.inputs) program.copies.push_back(now);
    if (stored == chain.stored.size() || chain.stored[stored] + std::size_t{1} != values.size())
      continue;
    program.stores.push_back(now);
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
    const bool has_numbers = std::ranges::find(chain_.loads, true) != chain_.loads.end();
    for (const bool numbers_stay : {true, false}) {
      if (!numbers_stay && !has_numbers) break;  // the same once more
      order(numbers_stay);
      if (!place_all()) continue;
      keep_constants();
      return VectorSchedule{before_, each_, program_.all.constants};
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

  std::size_t loads() const { return chain_.loads.size(); }

  void order(bool numbers_stay) {
    drafts_.clear();
    std::vector<bool> is_there(loads(), false);
    const auto load = [&](std::size_t v) {
      drafts_.push_back(
          {{.kind = Event::Kind::kLoad, .number = v}, {}, static_cast<std::int16_t>(v)});
      is_there[v] = true;
    };
    for (std::size_t v = 0; numbers_stay && v < loads(); ++v)
      if (chain_.loads[v]) load(v);
    before_count_ = drafts_.size();
    const auto need = [&](std::int16_t v) {
      const auto number = static_cast<std::size_t>(v);
      if (v >= 0 && number < loads() && !is_there[number]) load(number);
    };
    std::size_t stored = 0;
    const auto store_after = [&](std::size_t instructions) {
      for (const Program::At& copy : program_.copies)
        if (copy.after == instructions) need(copy.value);
      for (; stored < program_.stores.size() && program_.stores[stored].after == instructions;
           ++stored) {
        const std::int16_t value = program_.stores[stored].value;
        need(value);
        drafts_.push_back(
            {{.kind = Event::Kind::kStore, .number = stored, .count = 1}, {value}, -1});
      }
    };
    store_after(0);
    for (std::size_t i = 0; i < program_.all.instructions.size(); ++i) {
      const Recording::Instruction& in = program_.all.instructions[i];
      for (std::size_t k = 0; k < in.count; ++k) need(in.operands[k]);
      drafts_.push_back({{.kind = Event::Kind::kCompute,
                          .operation = in.operation,
                          .wide = in.wide,
                          .count = in.count,
                          .shift = in.shift},
                         in.operands,
                         static_cast<std::int16_t>(loads() + i)});
      store_after(i + 1);
    }
    find_last_uses();
  }

  void find_last_uses() {
    last_use_.assign(loads() + program_.all.instructions.size(), 0);
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
    std::vector<int> uses(program_.all.constants.size(), 0);
    for (const Event& event : each_)
      for (const Place& operand : event.operands)
        if (operand.constant >= 0) ++uses[static_cast<std::size_t>(operand.constant)];
    while (!spare.empty()) {
      const auto most = std::ranges::max_element(uses);
      if (most == uses.end() || *most == 0) break;
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
