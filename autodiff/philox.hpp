// Counter-based random draws: pure functions of (seed, stream name, step, element index).
//
// The generator is Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011). Nothing is kept between draws, so replay, resume, double differentiation and
// threads all see the same numbers, and a new stream disturbs no other. The mapping below is a
// promise: the same arguments give the same numbers in every version, on every processor.
//
//   key      k = stream_key(seed, stream), key words {low half, high half}
//   counter  {block low, block high, step low, step high}; normals set the top bit of the second
//            word, so that a stream's uniforms and normals are independent
//   uniform  element i is word w = i mod 4 of block i / 4:
//                u = ((w >> 9) * 2 + 1) * 2^-24
//   normal   element i belongs to the pair of block i / 2 (Box and Muller 1958), words w0 .. w3:
//                u = ((w1:w0 >> 12) * 2 + 1) * 2^-53, r = sqrt(-2 log u)
//                v = w3:w2 >> 12, q = v >> 50, f = ((v mod 2^50) * 2 + 1) * 2^-51 - 1/2
//                angle = (q + f) pi/2; even i: r cos(angle), odd i: r sin(angle)
//            evaluated in double by fixed operations (philox.cpp), rounded once to T
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace jacquard {

// Philox4x32-10 of one counter block.
std::array<std::uint32_t, 4> philox(const std::array<std::uint32_t, 4>& counter,
                                    const std::array<std::uint32_t, 2>& key);

// FNV-1a (64 bit) of the stream's bytes, plus mix(seed + 0x9e3779b97f4a7c15), mixed again; `mix` is
// the finaliser of splitmix64. For a given stream different seeds have different keys.
std::uint64_t stream_key(std::uint64_t seed, std::string_view stream);

// Elements first_index, first_index + 1, ... of a draw. A range may be cut anywhere: an element
// depends on its own index alone. T is float, double or __float128.

// In the open interval (0, 1), each exact in float, so that all precisions see the same numbers.
template <class T>
void fill_uniform(std::span<T> out, std::uint64_t key, std::uint64_t step,
                  std::uint64_t first_index = 0);
template <class T>
void fill_uniform(std::span<T> out, std::uint64_t seed, std::string_view stream, std::uint64_t step,
                  std::uint64_t first_index = 0) {
  fill_uniform(out, stream_key(seed, stream), step, first_index);
}

// Standard normal, |x| < 8.58. The double is the same as the __float128; the float is the double
// rounded.
template <class T>
void fill_normal(std::span<T> out, std::uint64_t key, std::uint64_t step,
                 std::uint64_t first_index = 0);
template <class T>
void fill_normal(std::span<T> out, std::uint64_t seed, std::string_view stream, std::uint64_t step,
                 std::uint64_t first_index = 0) {
  fill_normal(out, stream_key(seed, stream), step, first_index);
}

}  // namespace jacquard
