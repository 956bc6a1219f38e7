// Chains of elementwise operations, and what their code does to each vector of elements: in which
// order and in which registers. Private to tile programs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "autodiff/recorded.hpp"

namespace jacquard {

// Several operations in one pass over memory.
struct VectorChain {
  struct Step {
    const Recording* operation;              // an object that lives for ever
    std::array<std::uint8_t, 3> operands{};  // the loads, then what the steps before gave

    bool operator==(const Step&) const = default;
  };
  std::vector<bool> loads;           // whether each is one number that counts for the whole run
  std::vector<Step> steps;           // step i gives value loads.size() + i
  std::vector<std::uint8_t> stored;  // values to be written, ascending, none of them a load

  bool operator==(const VectorChain&) const = default;
};

struct VectorSchedule {
  // Where a value is. Doubles of a vector of floats need two registers, others have high = -1.
  struct Place {
    int low = -1, high = -1;
    int constant = -1;  // its number, of a value that is in no register
  };
  struct Event {
    enum class Kind : std::uint8_t { kLoad, kConstant, kCompute, kStore } kind;
    std::size_t number = 0;  // of the load, the constant, or of what is stored
    Lane operation{};
    bool wide = false;
    std::uint8_t count = 0, shift = 0;
    std::array<Place, 3> operands{};  // of a store the first
    Place result{};
  };
  std::vector<Event> before, each;  // once, and for each vector of elements
  std::vector<Recording::Constant> constants;
};

// Values are in the registers 0 to kVectorRegisters - 1. The next one, the last of a processor with
// AVX2, is left to the code.
constexpr int kVectorRegisters = 15;

// Of a chain of floats or doubles. Nothing if there are not enough registers for its values.
// Constants are in those of the `registers` of the processor that are free.
std::optional<VectorSchedule> vector_schedule(const VectorChain& chain, bool doubles,
                                              int registers = kVectorRegisters + 1);

}  // namespace jacquard
