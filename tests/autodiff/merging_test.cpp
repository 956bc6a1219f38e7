// Networks of contractions and the pass that merges equal ones, against the interpreter.
#include <doctest/doctest.h>

#include "autodiff/algebra/merge.hpp"
#include "autodiff/algebra/network.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/passes.hpp"
#include "tests/support/same_values.hpp"

using namespace jacquard;
using namespace jacquard::testing;
using algebra::Networks;

namespace {

struct Fixture {
  Tape tape;
  Expr a = tape.input("a", {4, 5}), s = tape.input("s", {5, 5}), x = tape.input("x", {3, 5, 6});
};

void check_same(const Tape& tape, const std::vector<Expr>& roots, const Graph& graph) {
  check_same_values(tape, roots, graph, random_feed<Quad>(roots, 3));
}

std::size_t contractions(const Graph& graph) {
  std::size_t n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
    n += graph.tape->node(id).op->name == "contract" ? 1 : 0;
  return n;
}

}  // namespace

TEST_CASE("network: products in another order are one network") {
  Fixture f;
  Networks networks(f.tape);
  const Expr b = transpose(f.a);
  const Expr left = matmul(matmul(f.a, f.s), b), right = matmul(f.a, matmul(f.s, b));
  CHECK(networks.axes_as(left.id, right.id) == Axes{0, 1});
  CHECK(networks.hash(left.id) == networks.hash(right.id));
  const Expr turned = contract("ij,kj,li->lk", {f.s, f.a, f.a});
  CHECK(networks.axes_as(left.id, turned.id) == Axes{0, 1});
  CHECK(networks.axes_as(left.id, transpose(turned).id) == Axes{1, 0});
  CHECK(networks.axes_as(left.id, matmul(f.a, transpose(matmul(f.a, f.s))).id) == Axes{1, 0});
  CHECK(!networks.axes_as(left.id, matmul(matmul(f.a, f.s), matmul(f.s, b)).id));
  CHECK(!networks.axes_as(left.id, contract("ij,kj,li->kl", {f.s + 1.0, f.a, f.a}).id));
}

TEST_CASE("network: a number, a sum and an elementwise product belong to it") {
  Fixture f;
  Networks networks(f.tape);
  const Expr two = constant(f.tape, 2.0), t = f.s * f.s;
  const Expr first = two * contract("ab,ab,bc->c", {f.s, f.s, f.s});
  const Expr second = sum(matmul(t * two, f.s), {0});
  CHECK(networks.axes_as(first.id, second.id) == Axes{0});
}

TEST_CASE("network: symmetry of products, and of what is made of symmetric operands") {
  Fixture f;
  Networks networks(f.tape);
  const auto symmetric = [&](Expr e, int p, int q) { return networks.symmetric(e.id, p, q); };
  const Expr gram = matmul(transpose(f.a), f.a), other = matmul(f.s, transpose(f.s));
  CHECK(symmetric(gram, 0, 1));
  CHECK(symmetric(gram * other, 0, 1));
  CHECK(symmetric(exp(gram) + 2.0 * other, 0, 1));
  CHECK(symmetric(matmul(matmul(f.a, gram), transpose(f.a)), 0, 1));
  CHECK(symmetric(matmul(matmul(f.a, exp(gram)), transpose(f.a)), 0, 1));
  const Expr stack = contract("bij,bkj->bik", {f.x, f.x});
  CHECK(symmetric(stack, 1, 2));
  CHECK(!symmetric(stack, 0, 1));
  CHECK(symmetric(stack + gram, 1, 2));
  CHECK(symmetric(eye(f.tape, 4), 0, 1));
  CHECK(symmetric(broadcast_to(constant(f.tape, 1.0), {4, 4}), 0, 1));

  CHECK(!symmetric(f.s, 0, 1));
  CHECK(!symmetric(matmul(f.s, f.s), 0, 1));
  CHECK(!symmetric(gram * f.s, 0, 1));
  CHECK(!symmetric(matmul(gram, other), 0, 1));
  CHECK(!symmetric(gram + f.tape.input("row", {5}), 0, 1));
  CHECK(!symmetric(matmul(matmul(f.s, gram), f.s), 0, 1));
}

TEST_CASE("merging: the gradient of sum((X X') * S) forms one product, twice") {
  Fixture f;
  const Expr gram = matmul(f.s, transpose(f.s)), q = contract("bij,bkj->ik", {f.x, f.x});
  const Expr cost = sum(gram * q);
  const std::vector<Expr> roots{cost, gradient(cost, {f.x})[0], gradient(cost, {f.s})[0]};
  const Graph graph = prepare(f.tape, roots);
  check_same(f.tape, roots, graph);
  // gram, q, gram X, q S
  CHECK(contractions(graph) == 4);
  int marked = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
    for (const auto& [name, value] : graph.tape->node(id).attributes.entries())
      if (name == "symmetric") {
        CHECK(value == AttributeValue(std::vector<std::int64_t>{0, 1}));
        ++marked;
      }
  CHECK(marked == 2);
}

TEST_CASE("merging: what the forward pass formed serves the reverse sweep") {
  Fixture f;
  const Expr gram = matmul(f.s, transpose(f.s));
  const Expr y = contract("bij,ik->bkj", {f.x, gram});
  const Expr cost = sum(f.x * y);
  const std::vector<Expr> roots{cost, gradient(cost, {f.x})[0]};
  const Graph graph = prepare(f.tape, roots);
  check_same(f.tape, roots, graph);
  CHECK(contractions(graph) == 2);  // gram and y; the adjoint of x is 2 y
}

TEST_CASE("merging: equal terms of a sum are counted") {
  Fixture f;
  const std::vector<Expr> roots{add_all({f.a, exp(f.a), f.a, f.a})};
  const Graph graph = prepare(f.tape, roots);
  check_same(f.tape, roots, graph);
  CHECK(graph.roots[0].tape->node(graph.roots[0]).inputs.size() == 2);
}

TEST_CASE("merging: transpositions next to contractions become names of indices") {
  Fixture f;
  const std::vector<Expr> roots{transpose(matmul(transpose(f.s), transpose(f.a)))};
  const Graph graph = prepare(f.tape, roots);
  check_same(f.tape, roots, graph);
  CHECK(graph.tape->size() == 3);  // a, s and one contraction
}
