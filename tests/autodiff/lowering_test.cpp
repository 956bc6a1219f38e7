// Graphs in simpler operations have the values of the graphs that they were made from, in quad
// precision; and products are added in place where this is promised.
#include "autodiff/lowering.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "autodiff/chunks.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/print.hpp"
#include "tests/support/op_calls.hpp"
#include "tests/support/random_program.hpp"
#include "tests/support/run_plan.hpp"
#include "tests/support/same_values.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

std::size_t count(const Tape& tape, std::string_view op) {
  std::size_t n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id)
    n += tape.node(id).op->name == op ? 1 : 0;
  return n;
}

std::int64_t largest(const Tape& tape, std::string_view op) {
  std::int64_t most = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id)
    if (tape.node(id).op->name == op) most = std::max(most, tape.node(id).shape.size());
  return most;
}

// The graph after products were added in place: with the values of the roots, in quad precision and
// in a plan.
Graph in_place(const Tape& tape, const std::vector<Expr>& roots) {
  Graph graph = accumulated(prepare(tape, roots));
  const Feed<double> feed = random_feed<double>(roots, 3, {-1, 1});
  check_same_values(tape, roots, graph, feed);
  const auto exact = Interpreter<Quad>(tape, roots).run(testing::cast<Quad>(feed));
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    const auto got = run_plan<double>(tape, roots, feed, pool, {.poison = true});
    for (std::size_t r = 0; r < roots.size(); ++r) {
      CAPTURE(r);
      CHECK(tensor_error(jacquard::cast<Quad>(Tensor<double>(roots[r].shape(), got[r])), exact[r]) <
            1e-13);
    }
  }
  return graph;
}

// How many products the roots add in place, and how many they form beside that.
struct Products {
  std::size_t added, formed;
  bool operator==(const Products&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Products& p) {
  return out << p.added << " added, " << p.formed << " formed";
}

Products products(const Tape& tape, const std::vector<Expr>& roots) {
  const Graph graph = in_place(tape, roots);
  return {count(*graph.tape, "contract_add"), count(*graph.tape, "contract")};
}

struct Matrices {
  Tape tape;
  Expr W = tape.input("W", {6, 5}, InputKind::kParameter), rate = tape.input("rate", {});
  Expr a = tape.input("a", {6, 4}), b = tape.input("b", {4, 5}), c = tape.input("c", {7, 6}),
       d = tape.input("d", {7, 5}), bias = tape.input("bias", {5});
  Expr P = matmul(a, b), Q = contract("ab,ac->bc", {c, d}), R = contract("ab,ac->bc", {sin(c), d}),
       S = matmul(sin(a), b), Y = matmul(cos(a), b);

  Products of(const std::vector<Expr>& roots) const { return products(tape, roots); }
};

}  // namespace

TEST_CASE("accumulation: an update becomes products that are added to the parameter") {
  const Matrices m;
  CHECK(m.of({m.W - m.rate * (m.P + m.Q)}) == Products{2, 0});
  CHECK(m.of({m.W - m.rate * m.P}) == Products{1, 0});
  CHECK(m.of({m.W + m.P}) == Products{1, 0});
  CHECK(m.of({m.P - m.W}) == Products{1, 0});
  CHECK(m.of({m.W - 0.1 * m.P - 0.2 * m.Q}) == Products{2, 0});
  CHECK(m.of({-(m.rate * (m.P - m.Q)) + m.W}) == Products{2, 0});
  CHECK(m.of({m.W - m.rate * (2.0 * (m.P + 3.0 * -m.Q) + 0.01 * m.W)}) == Products{2, 0});
}

TEST_CASE("accumulation: a sum of products alone forms one of them and adds the others to it") {
  const Matrices m;
  CHECK(m.of({m.P + m.Q}) == Products{1, 1});
  CHECK(m.of({add_all({m.P, m.Q, m.R})}) == Products{2, 1});
  CHECK(m.of({m.P - m.Q}) == Products{1, 1});
  CHECK(m.of({-m.P + m.Q}) == Products{1, 1});
  CHECK(m.of({-m.P - m.Q}).added <= 1);  // there is no positive one to begin with
  CHECK(m.of({m.rate * m.P - m.rate * m.Q}).added <= 1);
}

TEST_CASE("accumulation: terms that are read elsewhere stay what they are") {
  const Matrices m;
  CHECK(m.of({m.W + m.P, m.P}) == Products{0, 1});
  CHECK(m.of({m.W + m.P, exp(m.P)}) == Products{0, 1});
  const Expr scaled = m.rate * m.P, both = m.P + m.Q;
  CHECK(m.of({m.W - scaled, tanh(scaled)}) == Products{0, 1});
  CHECK(m.of({m.W - both, tanh(both)}).formed == 1);
  CHECK(m.of({m.W + m.P + m.P}).formed <= 1);
  CHECK(m.of({m.W + both, m.W - both}).formed == 1);
}

TEST_CASE("accumulation: terms that broadcast are no products of the sum's shape") {
  const Matrices m;
  Tape& tape = *m.W.tape;
  const Expr row = contract("a,ab->b", {tape.input("v", {4}), m.b});
  m.of({m.P + m.bias});
  m.of({m.W + (m.P + m.bias)});
  m.of({m.P + (m.Q + m.bias)});
  m.of({m.W - m.rate * (m.P + row)});
  m.of({m.P + (m.Q + row)});
  m.of({m.P - (m.bias - (m.Q - m.rate * row))});
  m.of({m.W + (row + m.bias)});
  const Expr column = reshape(contract("ab->a", {m.a}), Shape{6, 1});
  m.of({m.P + (column + m.bias)});
  m.of({m.P + (m.Q + (column + row))});
  m.of({m.rate + (m.rate - m.P)});
  m.of({m.W + (m.rate + m.rate * m.P)});
}

TEST_CASE("accumulation: scales of scales, also where everything is a scalar") {
  const Matrices m;
  CHECK(m.of({m.W + m.rate * (sin(m.rate) * (m.rate * m.P))}) == Products{1, 0});
  CHECK(m.of({m.W + -(-(m.rate * -m.P))}) == Products{1, 0});
  const Expr s = contract("ab,ab->", {m.a, sin(m.a)}), t = contract("ab,ab->", {m.d, sin(m.d)});
  m.of({s + t});
  m.of({m.rate - m.rate * (s + t)});
  m.of({m.rate * s - s * t});
  m.of({m.W * (s + m.rate * t)});
}

TEST_CASE("accumulation: symmetric products are added to symmetric values alone") {
  Tape tape;
  for (const std::int64_t n : {5, 40}) {
    const auto square_of = [&](const char* name) {
      const Expr x = tape.input(cat(name, n), {n, 7});
      return contract("ab,cb->ac", {x, x});
    };
    const Expr A = square_of("a"), B = square_of("b"), C = square_of("c");
    const Expr K = tape.input(cat("K", n), {n, 7}), L = tape.input(cat("L", n), {7, n});
    const Expr P = matmul(K, L), Q = matmul(sin(K), L), W = tape.input(cat("W", n), {n, n});
    in_place(tape, {A + B});
    in_place(tape, {A - 0.5 * B});
    in_place(tape, {W + A});
    in_place(tape, {W - 0.1 * (A + B)});
    in_place(tape, {A + P});
    in_place(tape, {P + A});
    in_place(tape, {P - A});
    in_place(tape, {add_all({A, B, P})});
    in_place(tape, {add_all({P, A, B})});
    in_place(tape, {A + B - P});
    in_place(tape, {add_all({A, P, B, Q})});
    in_place(tape, {A - P + (B - Q)});
    in_place(tape, {W - 0.3 * add_all({A, B, C, P})});
    in_place(tape, {-A - B - P + C});
  }
}

TEST_CASE("accumulation: of many products, each stays with the sum that it was written in") {
  // A sum of chunks: their factors would all have to be there at its end.
  Tape tape;
  std::vector<Expr> x, parts;
  for (int i = 0; i < 6; ++i) {
    x.push_back(tanh(tape.input(cat("x", i), {8, 6})));
    parts.push_back(contract("ab,ac->bc", {x[static_cast<std::size_t>(i)], sin(x.back())}));
  }
  Expr total = parts[0];
  for (int i = 1; i < 6; ++i) total = total + parts[static_cast<std::size_t>(i)];
  const Expr W = tape.input("W", {6, 6}, InputKind::kParameter);
  const std::vector<Expr> roots = {W - 0.1 * total};
  const Graph graph = in_place(tape, roots);
  CHECK(count(*graph.tape, "contract") == 1);
  CHECK(count(*graph.tape, "contract_add") == 5);
  // Each is added to the sum of those before it.
  std::vector<NodeId> added;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
    if (graph.tape->node(id).op->name.starts_with("contract")) added.push_back(id);
  REQUIRE(added.size() == 6);
  for (std::size_t i = 0; i + 1 < added.size(); ++i)
    CHECK(std::ranges::count_if(graph.tape->node(added[i + 1]).inputs,
                                [&](NodeId in) { return in == added[i]; }) == 1);
}

TEST_CASE("accumulation: chunks of a penalty keep the memory of chunks") {
  Tape tape;
  const Expr x = tape.input("x", {40, 30}), W = tape.input("W", {30, 20}, InputKind::kParameter);
  const Expr wide = tanh(contract("bi,ij->bij", {x, W}));
  const Expr cost = sum(square(wide));
  const Expr g = gradient(cost, {W})[0];
  ThreadPool pool(1);
  const Program program{{cost}, {{W, W - 0.01 * g}}, {cost}};
  const auto arena = [&](std::vector<std::string> without) {
    return Plan<double>(tape, program, pool,
                        {.chunk_bytes = 20'000, .without_passes = std::move(without)})
        .statistics()
        .arena_bytes;
  };
  CHECK(arena({}) <= arena({"accumulation"}));
}

TEST_CASE("accumulation: terms of one scale are added as they come, also beside a product") {
  const auto arena = [](int terms) {
    Tape tape;
    const Expr x = tape.input("x", {2, 64, 32}), a = tape.input("a", {5, 64}),
               b = tape.input("b", {5, 32}), rate = tape.input("rate", {}),
               w = tape.input("w", {64, 32}, InputKind::kParameter);
    std::vector<Expr> gradients;
    Expr e = x;
    for (int t = 0; t < terms; ++t) {
      e = contract("abc,ad->dbc", {e, tape.input("m" + std::to_string(t), {2, 2})});
      gradients.push_back(sum(e, {0}));
    }
    gradients.push_back(matmul(transpose(a), b));
    const Program program{{}, {{w, w - rate * add_all(gradients)}}, {}};
    ThreadPool pool(1);
    return Plan<float>(tape, program, pool).statistics().arena_bytes;
  };
  CHECK(arena(40) == arena(4));
}

TEST_CASE("accumulation: random programs, their gradients and updates keep their values") {
  std::size_t added = 0;
  for (std::uint64_t seed = 0; seed < 150; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    std::vector<Expr> roots = gradient(p.cost, p.parameters);
    for (std::size_t i = 0; i < p.parameters.size(); ++i)
      roots[i] = p.parameters[i] - 0.1 * roots[i];
    roots.push_back(p.cost);
    for (const Expr& v : p.values) {
      if (v.shape().rank() != 2) continue;
      const Expr P = contract("ab,cb,cd->ad", {v, sin(v), v}),
                 Q = contract("ab,cb,cd->ad", {v, v, v});
      roots.push_back(seed % 3 == 0 ? v - 0.1 * (P + 0.5 * Q) : 0.1 * P + (v - Q));
    }
    if (seed % 3 == 0) roots.insert(roots.end(), p.values.begin(), p.values.end());
    Graph before = prepare(tape, roots);
    if (seed % 2 == 1) before = in_chunks(before, {.bytes = 64, .bytes_per_number = 8});
    const Graph graph = accumulated(before);
    check_same_values(tape, roots, graph, p.feed, 1e-26);
    added += count(*graph.tape, "contract_add");
  }
  CHECK(added > 500);
}

TEST_CASE("single additions: no sum of more than two terms is left, and each value stays") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    std::vector<Expr> roots = gradient(p.cost, p.parameters);
    roots.push_back(p.cost);
    const Graph graph = in_single_additions(live_part(tape, roots));
    for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
      if (graph.tape->node(id).op->name == "add") CHECK(graph.tape->node(id).inputs.size() <= 2);
    // With the same bits.
    const RunContext context{.seed = 5, .step = 2};
    const Feed<float> feed = testing::cast<float>(p.feed);
    const auto want = Interpreter<float>(tape, roots).run(feed, context);
    const auto got = Interpreter<float>(*graph.tape, graph.roots).run(feed, context);
    for (std::size_t r = 0; r < roots.size(); ++r) CHECK(got[r] == want[r]);
  }
}

TEST_CASE("spread: contractions that are no products of matrices become sums of products") {
  Tape tape;
  const Expr a = tape.input("a", {30, 40}), b = tape.input("b", {30, 40}),
             v = tape.input("v", {40}), u = tape.input("u", {30}),
             e = tape.input("e", {30, 20, 10}), f = tape.input("f", {30, 10});
  const auto left = [&](std::string_view subscripts, const std::vector<Expr>& operands) {
    const std::vector<Expr> roots = {contract(subscripts, operands)};
    const Graph graph = spread_contractions(live_part(tape, roots));
    check_same_values(tape, roots, graph, random_feed<double>(roots, 4));
    return count(*graph.tape, "contract");
  };
  CHECK(left("ab,ab->a", {a, b}) == 0);
  CHECK(left("ab,ab->b", {a, b}) == 0);
  CHECK(left("ab,ab->", {a, b}) == 0);
  CHECK(left("ab,ab->ab", {a, b}) == 0);
  CHECK(left("ab->b", {a}) == 0);
  CHECK(left("a,b->ab", {u, v}) == 0);
  CHECK(left("abc,ac->ab", {e, f}) == 0);
  CHECK(left("abc,ad->a", {e, f}) == 0);  // each is summed by itself before
  CHECK(left("ab,cd->", {a, b}) == 0);
  CHECK(left("ab,bc->ac", {a, transpose(b)}) == 1);
  CHECK(left("ab,b->a", {a, v}) == 1);
  CHECK(left("aa->a", {contract("ab,cb->ac", {a, b})}) >= 1);
  CHECK(left("ab,ba->a", {a, transpose(b)}) <= 1);
}

TEST_CASE("spread: every call of contract keeps its value, whatever the order of its indices") {
  Tape tape;
  Random random(6);
  std::size_t spread = 0;
  for (int i = 0; i < 1500; ++i) {
    // Random letters with random sizes, 0 and 1 among them; operands of up to four axes.
    const std::string letters = "abcd";
    std::vector<std::int64_t> size;
    for (std::size_t l = 0; l < letters.size(); ++l)
      size.push_back(random.below(30) == 0 ? 0 : 1 + random.below(4));
    std::string text, all;
    std::vector<Expr> operands;
    for (std::int64_t k = 0; k < 1 + random.below(2) + random.below(2); ++k) {
      std::string own;
      std::vector<std::int64_t> sizes;
      for (std::int64_t n = random.below(5); n > 0; --n) {
        const auto l = static_cast<std::size_t>(random.below(4));
        if (own.find(letters[l]) != own.npos && random.below(4) != 0) continue;
        own += letters[l];
        sizes.push_back(size[l]);
        if (all.find(letters[l]) == all.npos) all += letters[l];
      }
      text += (k > 0 ? "," : "") + own;
      const Shape shape(sizes);
      operands.push_back(tape.input(cat("x", shape, k), shape));
    }
    std::string output;
    for (const char c : all)
      if (random.below(2) == 0)
        output.insert(static_cast<std::size_t>(random.below(std::ssize(output) + 1)), 1, c);
    CAPTURE(cat(text, "->", output));
    const std::vector<Expr> roots = {contract(text + "->" + output, operands)};
    const Graph graph = spread_contractions(live_part(tape, roots));
    check_same_values(tape, roots, graph,
                      random_feed<double>(roots, static_cast<std::uint64_t>(i)));
    spread += count(*graph.tape, "contract") == 0 ? 1 : 0;
  }
  CHECK(spread > 300);
}

TEST_CASE("spread: what is summed has no more elements than all indices together") {
  Tape tape;
  const Expr e = tape.input("e", {30, 20, 10}), f = tape.input("f", {30, 50});
  const std::vector<Expr> roots = {contract("abc,ad->a", {e, f})};
  const Graph graph = spread_contractions(live_part(tape, roots));
  CHECK(largest(*graph.tape, "multiply") == 30);
}

TEST_CASE("lowering: random programs keep their values through all of it") {
  for (std::uint64_t seed = 0; seed < 120; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed, {.operations = 16});
    std::vector<Expr> roots = gradient(p.cost, p.parameters);
    roots.push_back(p.cost);
    if (seed % 2 == 0) roots.insert(roots.end(), p.values.begin(), p.values.end());
    Graph graph = prepare(tape, roots);
    if (seed % 3 == 0) graph = in_chunks(graph, {.bytes = 100, .bytes_per_number = 8});
    graph = spread_contractions(in_single_additions(accumulated(graph)));
    check_same_values(tape, roots, graph, p.feed, 1e-26);
  }
}
