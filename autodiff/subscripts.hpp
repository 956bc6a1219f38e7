// Subscripts: the named indices of a contraction, "bi,ij->bj" (Einstein's notation).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "autodiff/shape.hpp"

namespace jacquard {

struct Subscripts {
  std::vector<std::string> inputs;  // one letter per axis
  std::string output;

  // Throws ShapeError when the text is not of the form above, or the output repeats an index or
  // has one that no input has.
  static Subscripts parse(std::string_view text);
  std::string text() const;

  // Letters renamed to a, b, c, ... in order of appearance, so that equal contractions are equal.
  Subscripts canonical() const;
  // A contraction of three or more operands as that of its first two, and the rest with the result
  // of the first as its first operand.
  std::pair<Subscripts, Subscripts> split_first_pair() const;
  // A letter that is not in use. Throws ShapeError when all 52 are.
  char unused() const;
};

// The size of an index, checked over all operands. Throws ShapeError.
std::int64_t index_size(const Subscripts& s, const std::vector<const Shape*>& shapes, char index);

// The result's shape; checks ranks and sizes. Throws ShapeError.
Shape contracted_shape(const Subscripts& s, const std::vector<const Shape*>& shapes);

}  // namespace jacquard
