// Some numbers as one value: what the bodies of vector kernels are written with.
//
// g++ and clang turn its arithmetic into whatever vector instructions the function is compiled for
// (autodiff/simd.hpp). Only used inside one function, never passed.
#pragma once

#include <cstring>

namespace jacquard {

template <class T, int N>
struct VectorOf {
  typedef T type __attribute__((vector_size(N * sizeof(T))));
};
template <class T, int N>
using Vector = typename VectorOf<T, N>::type;

template <class V, class T>
[[gnu::always_inline]] inline void load(V& v, const T* from) {
  std::memcpy(&v, from, sizeof(V));
}

template <class V, class T>
[[gnu::always_inline]] inline void store(const V& v, T* to) {
  std::memcpy(to, &v, sizeof(V));
}

}  // namespace jacquard
