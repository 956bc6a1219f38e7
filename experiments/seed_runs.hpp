// The same spec with several seeds: a run each, and what their results have in common.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include "experiments/commands.hpp"

namespace jacquard::experiments {

// "1..5", "3", "1,4,7..9", in the order written. Throws UsageError for anything else, for a seed
// that is there twice and for more than 1000.
std::vector<std::uint64_t> parse_seeds(const std::string& text);

// Mean and spread of some results.
struct Spread {
  double mean = 0;
  double deviation = 0;  // of the sample, with count - 1; not a number for one result
  std::int64_t count = 0;
  double interval = 0;  // half the width of the 95 % interval of the mean by Student's t
};
Spread spread_of(const std::vector<double>& results);
// The 0.975 quantile of Student's distribution, to 1e-3 relative or better.
double student_quantile(std::int64_t degrees);

// Runs every seed in a folder seed-N of `command.out`, or of runs/<name>/seeds-<hash>, whose hash
// is that of the config without its seed: so the same command finds what is finished and does not
// do it again, and goes on with what was interrupted. Seeds that fail are named and the others go
// on. Writes summary.json there: by metric, of the last and of the best epoch, mean, deviation,
// count and interval; and prints it as a table. Returns 0, 1 if a seed failed, or the code of an
// interruption, which ends everything.
int run_seeds(const RunCommand& command, const std::vector<std::uint64_t>& seeds, std::ostream& out,
              Talk& talk);

}  // namespace jacquard::experiments
