// The arguments of one call of a function of the language, as its builder reads them: in order of
// the parameters, defaults filled in, each checked for its kind.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "autodiff/ops.hpp"
#include "models/language/functions.hpp"
#include "models/language/value.hpp"

namespace jacquard::models {

class Arguments {
 public:
  // One value per parameter, Absent for those that were not given; the values of a last parameter
  // of kind kRest follow one another. `place` is the stream of a draw that none is given for.
  Arguments(Tape& tape, const Function& function, std::vector<Value> values, std::string place);

  Tape& tape() const { return tape_; }
  const Value& value(int i) const { return values_[static_cast<std::size_t>(i)]; }
  bool given(int i) const { return !value(i).absent(); }

  // All throw ValueError with the argument's number and kind.
  Expr tensor(int i) const;
  Expr variable(int i) const;
  double number(int i) const;
  std::int64_t integer(int i) const;
  bool boolean(int i) const;
  const std::string& text(int i) const;
  Axes axes(int i) const;  // empty: all
  // Whole numbers, none below `least`, their product within what a Shape may have.
  std::vector<std::int64_t> sizes(int i, std::int64_t least) const;
  Axes order(int i) const;  // of axes: a list of whole numbers
  Expr indices(int i) const;
  std::vector<Expr> list(int i) const;
  std::vector<Expr> rest(int i) const;
  JacobianCall jacobian(int i) const;
  std::string stream(int i) const;

 private:
  [[noreturn]] void fail(int i, std::string_view needed) const;
  std::vector<std::int64_t> integers(int i, std::string_view needed) const;

  Tape& tape_;
  const Function& function_;
  std::vector<Value> values_;
  std::string place_;
};

}  // namespace jacquard::models
