// Writes a form as nodes of the tape, in the order that was found for it.
#pragma once

#include "autodiff/algebra/form.hpp"

namespace jacquard::algebra {

struct Emitted {
  Expr value;                 // empty where no order was found (too many factors)
  double weighted_flops = 0;  // for value and gradient
  bool took_half_apart = false;
};

// A tensor of this shape, whose axes have the labels of form.output.
Emitted emit(Tape& tape, Form form, const Labels& labels, const Shape& shape,
             bool whole_half = false);

// What the form would be if the terms of its inner sums had signs of their own: the sum of the
// squares of all terms. Where its value is far smaller, terms cancel, and a half that was taken
// apart loses as many digits. Empty where no order was found.
Expr incoherent(Tape& tape, const Form& form, const Labels& labels, const Shape& shape);

}  // namespace jacquard::algebra
