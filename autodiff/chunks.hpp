// Chunks: what is too large to be kept for all examples is computed for a few of them at a time.
//
// A node of a Jacobian's penalty such as X[b,k,j] = e[b,k] V[j,k] d[b,j] has a row for every
// example, and its readers need it row by row, or sum over the rows. So the nodes around it are
// written once per chunk of the rows; the sums of the chunks are added in order, other results are
// joined. What needs such a sum and the rows again is a later stage, in which the rows are computed
// a second time. Nothing here knows what an example is: any axis that the ops of a region carry
// (Op::examples) will do, and the one with the least to copy is taken.
#pragma once

#include <limits>

#include "autodiff/passes.hpp"

namespace jacquard {

struct ChunkOptions {
  // What lives at one time of a chunk's intermediates should be at most this, in bytes. Nodes
  // below it are left alone. 0 or less: no chunks at all.
  std::int64_t bytes = 0;
  std::int64_t bytes_per_number = 4;
  // What is computed a second time must not make the work of the whole larger than this many times
  // itself.
  double most_work = std::numeric_limits<double>::infinity();
};

// The same roots up to rounding, in an order of nodes that is to be kept. Draws, and every other
// node without inputs, are computed whole and then cut. A graph without anything large is copied
// as it is, and so is what cannot be taken apart: where an op needs all rows and does not sum them,
// or where a large value is needed whole.
Graph in_chunks(const Graph& graph, const ChunkOptions& options);

}  // namespace jacquard
