// Writes a form as nodes of the tape, in the order that was found for it.
#pragma once

#include "autodiff/algebra/form.hpp"

namespace jacquard::algebra {

// A tensor of this shape, whose axes have the labels of form.output. An empty Expr where no order
// was found (too many factors).
Expr emit(Tape& tape, Form form, const Labels& labels, const Shape& shape);

}  // namespace jacquard::algebra
