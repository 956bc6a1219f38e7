// Which vector instructions the processor has: kernels are compiled for three kinds of x86-64 and
// the one to run is chosen at run time, so that one build serves every machine.
//
// A kernel's body is an always_inline function; one wrapper per kind carries a target attribute
// (JACQUARD_TARGET_...) and calls it. Bodies keep to operations that round the same way in every
// form, and are never contracted (-ffp-contract=off): then all kinds give the same bits.
// Elementwise ops are the exception: their vector forms are code made at run time (vector_code.hpp).
// What is written as fused (__builtin_fma) is a call in the baseline: functions of float take a
// hundred times longer there, and a thousand times on processors without such an instruction (those
// before 2013).
#pragma once

#define JACQUARD_TARGET_AVX2 [[gnu::target("avx2,fma")]]
#define JACQUARD_TARGET_AVX512 [[gnu::target("avx512f,avx512vl,avx512dq,fma")]]

// For functions that are to become part of the loops which call them.
#define JACQUARD_INLINE __attribute__((always_inline))

// Elements of a loop do not depend on each other, also where the result is written over an operand.
#if defined(__clang__)
#define JACQUARD_INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define JACQUARD_INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace jacquard {

enum class Simd { kBaseline, kAvx2, kAvx512 };

// The best kind that the processor has and limit_simd allows.
Simd simd();

// Allows no better kind than `most`, for tests that compare the bits of all kinds. Not to be called
// while kernels run.
void limit_simd(Simd most);

}  // namespace jacquard
