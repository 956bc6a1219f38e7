// Slopes of a function of one number by differences in quad precision.
//
// F is called as Quad f(Quad amount); the slope is wanted at amount 0. Private to the gradient
// check.
#pragma once

#include <algorithm>

#include "autodiff/number.hpp"

namespace jacquard {

// The error of a central difference is about h^2 f''' / 6 + eps f / h: both near 1e-22 relative in
// binary128.
inline const Quad kDifferenceStep = static_cast<Quad>(1e-11);

// A step so short that a kink seen with it stands at the base point, not beside it.
inline const Quad kShortStep = static_cast<Quad>(1e-14);

// One-sided slopes of a smooth function differ by about h f''; more than this share looks like a
// kink.
inline const Quad kKinkShare = static_cast<Quad>(1e-5);

struct Differences {
  Quad middle, left, right;
  Quad gap() const { return number::abs(right - left); }
};

template <class F>
Differences differences(const F& f, Quad step) {
  const Quad minus = f(-step), base = f(Quad(0)), plus = f(step);
  return {(plus - minus) / (step + step), (base - minus) / step, (plus - base) / step};
}

// How far `slope` is from the function's slope. One step may be too long, where the function bends
// sharply or ends nearby, or too short, where it is a small difference of large numbers: a right
// slope agrees at one of several. Infinite where no step gives a number.
template <class F>
Quad disagreement(const F& f, Quad slope) {
  Quad best = number::infinity<Quad>();
  for (const double step : {1e-11, 1e-8, 1e-14, 1e-17}) {
    const Quad h = static_cast<Quad>(step), shorter = h / Quad(8);
    const Quad far = (f(h) - f(-h)) / (h + h);
    const Quad near = (f(shorter) - f(-shorter)) / (shorter + shorter);
    // Richardson's extrapolation: the term of h^2 cancels.
    best = std::min(best, number::abs(slope - (Quad(64) * near - far) / Quad(63)));
  }
  return best;
}

// What a function is at 0, seen at two steps, `near` the shorter. At a kink its one-sided slopes
// keep their distance as the step shrinks, at a jump the slope grows without bound; the sides of a
// sharp bend come together. What is small against `scale` does not count.
enum class Smoothness { kSmooth, kKink, kJump };

inline Smoothness smoothness(const Differences& far, const Differences& near, Quad scale) {
  const Quad least = kKinkShare * scale;
  if (number::abs(near.middle - far.middle) > least &&
      number::abs(near.middle) > static_cast<Quad>(1.5) * number::abs(far.middle))
    return Smoothness::kJump;
  return far.gap() > least && near.gap() > far.gap() / Quad(2) ? Smoothness::kKink
                                                               : Smoothness::kSmooth;
}

template <class F>
Smoothness smoothness(const F& f, Quad scale) {
  return smoothness(differences(f, kShortStep), differences(f, kShortStep / Quad(8)), scale);
}

}  // namespace jacquard
