// Forms: tensors written as products of factors over named indices.
//
// What a structured node (a Jacobian and what is made of it) is kept as until its value is needed;
// only then the order in which its factors are multiplied is chosen (search.hpp).
#pragma once

#include <cstdint>
#include <vector>

#include "autodiff/tape.hpp"

namespace jacquard::algebra {

// An index, by its place in the table of sizes.
using Label = int;
constexpr Label kNoLabel = -1;  // of an axis of size 1

class Labels {
 public:
  Label add(std::int64_t size) {
    sizes_.push_back(size);
    return static_cast<Label>(sizes_.size()) - 1;
  }
  std::int64_t size(Label label) const { return sizes_[static_cast<std::size_t>(label)]; }

 private:
  std::vector<std::int64_t> sizes_;
};

// A node read under labels, one per axis; axes of size 1 have none. The identity matrix is a
// factor too, until one of its labels is summed over and renames the other.
struct Factor {
  Expr node;
  std::vector<Label> labels;
  bool operator==(const Factor&) const = default;
};

// coefficient * scale * product of `factors` * (sum over its own inner labels of the product of
// `half`)^2. A label of `half` is its own where the output, `factors` and `shared` lack it; every
// other label that the output lacks is summed over at the end.
struct Form {
  double coefficient = 1;  // a whole number, so that nothing is rounded here
  Expr scale;              // a scalar; empty: 1
  std::vector<Factor> factors;
  std::vector<Factor> half;
  std::vector<Label> output;  // one per axis of the tensor
  std::vector<Label> shared;  // were outputs when the half was squared, and are summed since
};

bool is_identity(const Factor& factor);
// An identity matrix with one side split into several axes: it ties labels g, p to the label k that
// counts all pairs of them.
bool is_tie(const Factor& factor);
bool has_tie(const Form& form);
bool contains(const std::vector<Label>& labels, Label label);

// The product of two scales, of which either may be missing.
Expr scale_product(Expr a, Expr b);

// All labels of the factors, each once, in order of appearance.
std::vector<Label> labels_of(const std::vector<Factor>& factors);

void rename(Form& form, Label from, Label to);

// Uses identities up: delta[j,k] with j summed over renames j to k everywhere, and what
// nothing else depends on counts its size. Ties are used up in the same way.
void eliminate_identities(Form& form, const Labels& labels);

// To be called when labels were taken out of the output: they are summed over from now on. One that
// no factor has counts its size; one that the half has is shared by both of its copies.
void close(Form& form, const std::vector<Label>& before, const Labels& labels);

// Gives the labels that are summed over fresh names, so that two forms can be multiplied.
void refresh_inner(Form& form, Labels& labels);

// Factors over the same labels become one: their elementwise product.
void merge_factors(Form& form);

// Puts the factors along the chain of labels that they form, so that runs of neighbours are what is
// worth forming.
void put_in_chain_order(Form& form);

// The square of a form without a half. Without inner labels its factors are squared one by one;
// with inner ones they become the half of a doubled network. An identity is its own square, and so
// is a tie of labels to outputs.
Form squared(const Form& form);

}  // namespace jacquard::algebra
