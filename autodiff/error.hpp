// The errors of Jacquard and the one function that builds their messages.
//
// Form of a message: `where: what is wrong, with every value involved; what is allowed or what to
// do`, lower case, no full stop, quotes round the user's text. Four kinds, told apart by type:
// shape, gradient and spec errors are the user's to mend, internal errors are ours.
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace jacquard {

// Joins the text of its arguments: cat("shape ", shape, " has rank ", 3).
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Operands whose shapes do not fit an operation.
struct ShapeError : Error {
  using Error::Error;
};

// A derivative that does not exist, or that was asked for in vain.
struct GradientError : Error {
  using Error::Error;
};

// A spec, a cost text or a data file that is not valid (exit code 3 of the program).
struct SpecError : Error {
  using Error::Error;
};

// A mistake of Jacquard itself; never the user's to mend.
struct InternalError : Error {
  using Error::Error;
};

}  // namespace jacquard
