// Which vector instructions the processor has: kernels are compiled for three kinds of x86-64 and
// the one to run is chosen at run time, so that one build serves every machine.
//
// A kernel's body is an always_inline function; one wrapper per kind carries a target attribute
// (JACQUARD_TARGET_...) and calls it. Bodies keep to operations that round the same way in every
// form, and are never contracted (-ffp-contract=off): then all kinds give the same bits. What is
// written as fused (__builtin_fma) the baseline computes by a call: with it the functions of float
// take a hundred times longer, and a thousand times on processors without such an instruction
// (those before 2013). Kernels of plans are to be compiled for every kind.
#pragma once

#define JACQUARD_TARGET_AVX2 [[gnu::target("avx2,fma")]]
#define JACQUARD_TARGET_AVX512 [[gnu::target("avx512f,avx512vl,avx512dq,fma")]]

namespace jacquard {

enum class Simd { kBaseline, kAvx2, kAvx512 };

// The best kind that the processor has and limit_simd allows.
Simd simd();

// Allows no better kind than `most`, for tests that compare the bits of all kinds. Not to be called
// while kernels run.
void limit_simd(Simd most);

}  // namespace jacquard
