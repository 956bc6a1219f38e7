// A spec file with the overrides of a command line, read, and what is needed to say what else is
// wrong in it.
#pragma once

#include <string>
#include <vector>

#include "experiments/json_text.hpp"
#include "experiments/problem.hpp"
#include "experiments/spec.hpp"

namespace jacquard::experiments {

// A spec as a command line names it.
struct SpecChoice {
  std::string path;
  std::vector<std::string> overrides = {};  // path.to.field=value
};

// Not movable: its parts refer to each other.
class LoadedSpec {
 public:
  // Throws UsageError for an override without '=', SpecError for a file that cannot be read,
  // InvalidSpec with all mistakes of the structure.
  explicit LoadedSpec(const SpecChoice& choice);
  LoadedSpec(const LoadedSpec&) = delete;
  LoadedSpec& operator=(const LoadedSpec&) = delete;

  const Spec& spec() const { return spec_; }
  Problems& problems() { return problems_; }
  const std::string& text() const { return text_; }  // of the file

 private:
  std::string text_;
  LocatedJson document_;
  Problems problems_;
  Spec spec_;
};

inline LoadedSpec load_spec(const SpecChoice& choice) { return LoadedSpec(choice); }

// Throws InvalidSpec if the error, `/path/of/field: message`, names a section of the document.
void throw_if_located(const SpecError& error, Problems& problems);

// Calls `act`; what it throws about a field is thrown as a problem of that field, with its place in
// the file.
template <class Act>
auto with_places(Problems& problems, Act act) {
  try {
    return act();
  } catch (const InvalidSpec&) {
    throw;
  } catch (const SpecError& error) {
    throw_if_located(error, problems);
    throw;
  }
}

}  // namespace jacquard::experiments
