// The one place that turns what went wrong into a message and the program's exit code.
#pragma once

#include <exception>
#include <iosfwd>

#include "autodiff/error.hpp"
#include "experiments/talk.hpp"

namespace jacquard::experiments {

// What the program returns. 75, 130 and 143 (asked to stop) come from Interrupt.
inline constexpr int kExitFine = 0;
inline constexpr int kExitFailure = 1;  // files, disk, memory, a mistake of Jacquard
inline constexpr int kExitUsage = 2;    // a command line that cannot be understood
inline constexpr int kExitInvalid = 3;  // an invalid spec, override or data
inline constexpr int kExitCheckFailed = 4;
inline constexpr int kExitDiverged = 5;
inline constexpr int kExitRequeue = 75;  // asked to stop, and to be gone on with

// A command line that cannot be understood.
struct UsageError : Error {
  using Error::Error;
};

// Says what is wrong and returns the exit code for it. With `json` the mistakes also go to `out`:
// {"problems": [{"pointer", "line", "column", "message", "hint"}]}, as to_json gives them.
int report_failure(const std::exception& failure, bool json, std::ostream& out, Talk& talk);

}  // namespace jacquard::experiments
