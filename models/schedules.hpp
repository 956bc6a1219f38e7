// Numbers that change while a training goes on, by name: each is a formula of `epoch` or `step` in
// the cost language, which a spec may also write out itself.
#pragma once

#include <span>
#include <string>

#include "nn/choice.hpp"

namespace jacquard::models {

// The count t is the number of epochs done before this one, or with the flag "per_step" the number
// of steps; s is t - start, at least 0.
//
//   constant     from
//   exponential  max(to, from * factor^s)
//   linear       from + (to - from) * min(1, s / over)
//   inverse      max(to, from / (1 + s / half))           half as much after `half`
//   annealed     from * min(1, start / (t + 1))           Bergstra and Bengio 2012
//   cosine       to + (from - to) * (1 + cos(pi * min(1, s / over))) / 2      Loshchilov and Hutter
//   2017
using Schedule = nn::Choice;
std::span<const nn::Kind> schedule_kinds();

// The formula as text. Throws SpecError when kind or options are not valid.
std::string schedule_text(const Schedule& schedule);

}  // namespace jacquard::models
