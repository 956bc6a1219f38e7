// The most that this machine multiplies and adds: what the rate of products is a share of.
#pragma once

#include <memory>

#include "autodiff/pool.hpp"
#include "tests/benchmarks/harness.hpp"

namespace jacquard::benchmarks {

// Independent multiply-adds in registers on every thread of the pool, with the widest instructions
// that the engine uses here. Named kPeakName; never compared.
Implementation fma_peak(const std::shared_ptr<ThreadPool>& pool);

}  // namespace jacquard::benchmarks
