// A graph that was rewritten has the values of the roots that it was made from.
#pragma once

#include <doctest/doctest.h>

#include <vector>

#include "autodiff/interpreter.hpp"
#include "autodiff/passes.hpp"
#include "tests/support/numeric.hpp"

namespace jacquard::testing {

// In quad precision, as a share of each root's largest element. Draws are those of one seed and
// step.
template <class T>
void check_same_values(const Tape& tape, const std::vector<Expr>& roots, const Graph& graph,
                       const Feed<T>& feed, double tolerance = 1e-28) {
  const Feed<Quad> exact = testing::cast<Quad>(feed);
  const RunContext context{.seed = 5, .step = 2};
  verify(*graph.tape);
  REQUIRE(graph.roots.size() == roots.size());
  const auto want = Interpreter<Quad>(tape, roots).run(exact, context);
  const auto got = Interpreter<Quad>(*graph.tape, graph.roots).run(exact, context);
  for (std::size_t r = 0; r < roots.size(); ++r) {
    CAPTURE(r);
    REQUIRE(graph.roots[r].shape() == roots[r].shape());
    CHECK(tensor_error(got[r], want[r]) < tolerance);
  }
}

}  // namespace jacquard::testing
