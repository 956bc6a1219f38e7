// Machine code of several elementwise operations in one pass over memory, made when a plan is made:
// what one operation gives is an operand of the next in a register.
//
// Each operation becomes the instructions that its scalar function does (recorded.hpp), which IEEE
// 754 rounds in one way: the bits are those of one operation after the other. Private to tile
// programs.
#pragma once

#include <cstdint>

#include "autodiff/vector_schedule.hpp"

namespace jacquard {

// The most places that the code of a chain reads and writes.
constexpr std::size_t kMostPlaces = 32;

// Is there a place for everything at every time, in code for numbers of type T?
template <class T>
bool fits_registers(const VectorChain& chain);

// Computes `count` elements. `places` are the addresses of the loads, then those of what is stored.
// A result may lie where a load does, if no step after the one that gives it reads that load for
// the first time; also a step that only copies a load reads it when it is its turn.
template <class T>
using VectorCode = void (*)(T* const* places, std::int64_t count);

// The code of a chain that fits, made once for each kind of processor; nullptr where the processor
// has no AVX2, limit_simd() forbids it, or the system gives no memory to run code from.
template <class T>
VectorCode<T> vector_code(const VectorChain& chain);

// Can code be made on this machine?
bool has_vector_code();

}  // namespace jacquard
