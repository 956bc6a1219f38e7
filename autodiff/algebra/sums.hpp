// Sums of forms, and what becomes of them when they are multiplied or squared: kept apart, or
// formed as one factor.
#pragma once

#include <optional>
#include <vector>

#include "autodiff/algebra/form.hpp"

namespace jacquard::algebra {

// A tensor as a sum of forms, whose outputs correspond axis by axis.
struct Sum {
  std::vector<Form> terms;
  double formed = 0;      // FLOPs, for value and gradient, of the factors that were formed for it
  bool expanded = false;  // the square of a sum, written as squares and cross terms
  bool loses_digits = false;  // its terms differ in sign

  // What is known of an operand holds for what is made of it.
  void takes_over(const Sum& operand) {
    formed += operand.formed;
    expanded = expanded || operand.expanded;
    loses_digits = loses_digits || operand.loses_digits;
  }
};

// More terms than this are formed: their square has ten.
constexpr std::size_t kMostTerms = 4;

// Adds a term. Where it differs from one that is there in one factor over the same labels, the two
// are joined: u*W - t*W = (u - t)*W, so that nothing is lost where u is near t.
void add_term(Sum& sum, const Form& term, Labels& labels);

// Single forms that are equal to a sum of several, with what the terms do not have in common formed
// as one factor: never large terms that cancel afterwards. They differ in how much is formed.
// Labels of identities are put between the terms and a common factor where this makes the formed
// one smaller: W[r,i] - p[k] W[k,i] = (delta[r,k] - p[k]) W[k,i].
std::vector<Sum> formed(Tape& tape, const Sum& sum, Labels& labels);

// The square of a sum, expanded if it has several terms; nothing if a term is a square already.
std::optional<Sum> squared(const Sum& sum, Labels& labels);

// FLOPs for value and gradient of a sum, as the search would order it. Expanded squares of terms
// that differ in sign are dearer than they count: they lose digits.
double cost(const Sum& sum, const Labels& labels);

// The same for the sum of all squares, by which alternatives are compared before it is known what
// they are used for.
double cost_of_square(const Sum& sum, Labels& labels);

}  // namespace jacquard::algebra
