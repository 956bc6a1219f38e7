// Arrays of a training step by name, so that every way to do the step can be given the same start
// and be asked for what it made of it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "autodiff/tape.hpp"

namespace jacquard::benchmarks {

template <class T>
struct NamedArray {
  std::string name;
  // kData and kParameter are filled before the first step; kState begins with zeros, as gradients
  // do that a step leaves behind. All but kData are results.
  InputKind kind;
  std::span<T> values;
  // Relative norm of the difference of the changes of the first step that is allowed in float.
  double tolerance = 1e-5;
};

// What data and parameters begin with.
template <class T>
using Start = std::function<void(const std::string& name, InputKind kind, std::span<T> values)>;

template <class T>
void fill(const std::vector<NamedArray<T>>& arrays, const Start<T>& start) {
  for (const NamedArray<T>& a : arrays)
    if (a.kind != InputKind::kState) start(a.name, a.kind, a.values);
}

inline std::string gradient_name(const std::string& parameter) {
  return "gradient of " + parameter;
}

// A program by hand may leave out everything but its products, to show what those take.
enum class Work { kAll, kProducts };

}  // namespace jacquard::benchmarks
