// Several arithmetic operations in one pass over memory: machine code made when a plan is made, in
// which what one operation gives is an operand of the next in a register.
//
// Each operation is one instruction that IEEE 754 rounds in one way, so that the bits are those of
// one operation after the other. Private to tile programs.
#pragma once

#include <cstdint>
#include <vector>

#include "autodiff/op.hpp"

namespace jacquard {

struct ArithmeticChain {
  struct Step {
    Arithmetic operation;
    std::uint8_t a = 0, b = 0;  // numbers of values: the loads, then what the steps before gave

    bool operator==(const Step&) const = default;
  };
  std::vector<bool> loads;           // whether each is one number that counts for the whole run
  std::vector<Step> steps;           // step i gives value loads.size() + i
  std::vector<std::uint8_t> stored;  // values to be written, ascending, none of them a load

  bool operator==(const ArithmeticChain&) const = default;
};

// The most places that the code of a chain reads and writes.
constexpr std::size_t kMostPlaces = 32;

// Is there a place for everything at every time?
bool fits_registers(const ArithmeticChain& chain);

// Computes `count` elements. `places` are the addresses of the loads, then those of what is stored.
// A result may lie where a load does, if no step after the one that gives it reads that load for
// the first time.
template <class T>
using ArithmeticCode = void (*)(T* const* places, std::int64_t count);

// The code of a chain that fits, made once in a process; nullptr where the processor has no AVX2,
// limit_simd() forbids it, or the system gives no memory to run code from.
template <class T>
ArithmeticCode<T> arithmetic_code(const ArithmeticChain& chain);

}  // namespace jacquard
