// Errors of float and double results in units in the last place, against the quad value.
#pragma once

#include <cmath>
#include <limits>

#include "autodiff/number.hpp"

namespace jacquard::testing {

// The spacing of numbers of type T at `exact`; that of the subnormal ones near 0.
template <class T>
double spacing(Quad exact) {
  const double size = std::abs(static_cast<double>(exact));
  const int exponent = size == 0 ? std::numeric_limits<int>::min() / 2 : std::ilogb(size);
  const int lowest = std::numeric_limits<T>::min_exponent - 1;  // of the smallest normal number
  return std::ldexp(static_cast<double>(std::numeric_limits<T>::epsilon()),
                    exponent < lowest ? lowest : exponent);
}

// How many units in the last place `got` lies from `exact`. Infinite where one is finite (or not a
// number) and the other, rounded to T, is not.
template <class T>
double ulp_error(T got, Quad exact) {
  const T rounded = static_cast<T>(exact);
  if (got == rounded || (got != got && rounded != rounded)) {
    if (!number::is_finite(exact) || !number::is_finite(rounded)) return 0;
  } else if (!number::is_finite(got) || !number::is_finite(rounded)) {
    return std::numeric_limits<double>::infinity();
  }
  // Divided in quad: the spacing of subnormal doubles is no normal double.
  return static_cast<double>(number::abs(static_cast<Quad>(got) - exact) /
                             static_cast<Quad>(spacing<T>(exact)));
}

}  // namespace jacquard::testing
