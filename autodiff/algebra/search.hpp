// The order in which the factors of a form are multiplied: the least work for value and gradient.
//
// For a square with inner sums the search runs over the undoubled half. A part P of the half is
// formed once (`one`) or together with its mirror image (`two`): squared, sandwiched between a
// further part and its mirror, or multiplied elementwise as a Gram matrix. This contains the
// materialised rows, Gram matrices from below, from above and of any part in the middle.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "autodiff/algebra/form.hpp"

namespace jacquard::algebra {

// One step of the chosen order. Parts are sets of factors; factors of the half come first.
struct Order {
  enum Kind {
    kFactor,    // one factor as it is
    kPair,      // left * right
    kSquare,    // left * its mirror image
    kSandwich,  // right * left * mirror image of right; left stands together with its own mirror
  };
  Kind kind = kFactor;
  std::size_t factor = 0;
  std::shared_ptr<const Order> left, right;
  // What stays open of the result: labels, and those of the mirror image that differ from them.
  std::vector<Label> own, mirrored;
};

struct Found {
  std::shared_ptr<const Order> order;
  double value_flops = 0;     // of the value
  double weighted_flops = 0;  // of value and gradient: what was minimised
};

// No order where the form has more factors or labels than the search takes (128). With `whole_half`
// the half is formed as a whole before it is squared: no Gram matrices, whose terms may cancel.
Found find_order(const Form& form, const Labels& labels, bool whole_half = false);
// The work alone, estimated where the search would be long.
double estimated_flops(const Form& form, const Labels& labels);

// Is the half taken apart, so that sums of terms of both signs stand for a sum of squares?
bool takes_half_apart(const Order& order);

}  // namespace jacquard::algebra
