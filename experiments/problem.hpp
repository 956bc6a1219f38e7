// The mistakes of a spec: collected all, sorted by where they stand, shown with the line of the
// file and a caret, thrown together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/error.hpp"

namespace jacquard::experiments {

class LocatedJson;
struct Span;

struct Problem {
  std::string origin;         // spec.json, or: override train.epoch=5
  std::string pointer;        // JSON pointer of the value that is wrong, "" for the whole
  int line = 0, column = 0;   // from 1, columns in characters; 0 for what stands in no file
  std::string message, hint;  // what is wrong; what is allowed or what to do (may be empty)
  std::string note;           // more to know, shown on a line of its own (may be empty)
  std::string source_line;    // ready to print, empty if there is none
  int caret_begin = 0, caret_length = 0;  // columns of source_line
};

//   spec.json:14:42: error at /cost/contraction: unknown function 'sqnrm'; did you mean 'sqnorm'?
//      14 |     "contraction": "0.1 * mean(sqnrm(jacobian(h, x)))"
//         |                                ^~~~~
//         = functions of one argument: abs, sqnorm
// without a last line feed.
std::string to_text(const Problem& problem);
std::string to_text(const std::vector<Problem>& problems);

// [{"pointer", "line", "column", "message", "hint"}], with "note" where there is one, and "origin"
// of what stands in no file.
nlohmann::ordered_json to_json(const std::vector<Problem>& problems);

// A spec that is not valid, with everything that is wrong in it; what() is their text.
struct InvalidSpec : SpecError {
  explicit InvalidSpec(std::vector<Problem> all);
  std::vector<Problem> problems;
};

// A problem at a piece of text.
Problem problem_at(const Span& span, std::string_view pointer, std::string message,
                   std::string hint = {});

// Collects the problems of one document, which must outlive it. Equal ones are kept once, and after
// kMaxProblems they are only counted.
class Problems {
 public:
  static constexpr std::size_t kMaxProblems = 100;

  explicit Problems(const LocatedJson& document) : document_(document) {}
  const LocatedJson& document() const { return document_; }

  // A problem of the value at `pointer`; where there is none, shown at the nearest value round it.
  void add(std::string_view pointer, std::string message, std::string hint = {},
           std::string note = {});
  // A problem of the name of the field at `pointer`.
  void add_at_name(std::string_view pointer, std::string message, std::string hint = {},
                   std::string note = {});
  // A problem of bytes [begin, begin + length) of the text value at `pointer`, counted in the text
  // itself, without quotes and after escapes were read.
  void add_in_text(std::string_view pointer, std::size_t begin, std::size_t length,
                   std::string message, std::string hint = {}, std::string note = {});

  bool empty() const { return entries_.empty(); }
  // Whether further problems are only counted, so that nobody needs to work on their text.
  bool full() const { return entries_.size() >= kMaxProblems; }
  // Counts one more problem if full; otherwise returns false, and the caller adds it.
  bool only_count();
  // By position: those of the file, then those of each override in turn.
  std::vector<Problem> sorted() const;
  // Throws InvalidSpec with all problems, if there are any.
  void throw_if_any() const;

 private:
  struct Entry {
    std::size_t source, offset;
    Problem problem;
  };
  void add_at(const Span& span, bool show_line, std::string_view pointer, std::string message,
              std::string hint, std::string note);

  const LocatedJson& document_;
  std::vector<Entry> entries_;
  std::int64_t more_ = 0;
};

}  // namespace jacquard::experiments
