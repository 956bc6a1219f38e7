// Other frameworks' rows, as peers/run.py finds them.
#pragma once

#include <vector>

#include "tests/benchmarks/harness.hpp"

namespace jacquard::benchmarks {

// The workloads of `rows` that peers can do, each peer with its best setting of at most so many
// threads; ratios are to the fastest row of the floor. A peer that is not installed has no rows,
// and what would bring it is printed. Throws Error when the script fails.
std::vector<Row> peer_rows(const std::vector<Row>& rows, int threads, double seconds);

}  // namespace jacquard::benchmarks
