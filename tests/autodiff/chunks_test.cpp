// Graphs in chunks against the same graphs in quad precision, and what they need of memory.
#include "autodiff/chunks.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "autodiff/algebra/simplify.hpp"
#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/print.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/op_calls.hpp"
#include "tests/support/random_program.hpp"
#include "tests/support/run_plan.hpp"
#include "tests/support/same_values.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

Graph chunked(const Tape& tape, const std::vector<Expr>& roots, std::int64_t bytes) {
  return in_chunks(prepare(tape, roots), {.bytes = bytes, .bytes_per_number = 8});
}

std::size_t count(const Tape& tape, std::string_view op) {
  std::size_t n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id)
    n += tape.node(id).op->name == op ? 1 : 0;
  return n;
}

std::int64_t largest(const Tape& tape) {
  std::int64_t most = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(tape.size()); ++id)
    if (!is_input(tape.node(id))) most = std::max(most, tape.node(id).shape.size());
  return most;
}

// The graph has the values of `roots`; returns whether it is another than the one before chunks.
bool changes_and_keeps(const Tape& tape, const std::vector<Expr>& roots, const Graph& graph,
                       const Feed<Quad>& feed) {
  check_same_values(tape, roots, graph, feed, 1e-26);
  return to_text(*graph.tape) != to_text(*prepare(tape, roots).tape);
}

struct Network {
  Tape tape;
  Expr x, h;
  std::vector<Expr> parameters;

  Network(std::int64_t batch, std::int64_t n, std::int64_t p, std::int64_t q) {
    x = tape.input("x", {batch, n});
    const Expr W = parameter("W", {n, p}), b = parameter("b", {p}), V = parameter("V", {p, q}),
               c = parameter("c", {q});
    h = sigmoid(matmul(sigmoid(matmul(x, W) + b), V) + c);
  }
  Expr parameter(const std::string& name, const Shape& shape) {
    parameters.push_back(tape.input(name, shape, InputKind::kParameter));
    return parameters.back();
  }
  std::vector<Expr> roots(Expr cost) const {
    std::vector<Expr> all = gradient(cost, parameters);
    all.insert(all.begin(), cost);
    return all;
  }
  Program descent(Expr cost) const {
    Program program{{cost}, {}, {cost}};
    const std::vector<Expr> slopes = gradient(cost, parameters);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      program.updates.push_back({parameters[i], parameters[i] - 0.1 * slopes[i]});
    return program;
  }
};

// Costs of the issue: plain, a value per example used again, a total used again, rows as they come.
std::vector<Expr> costs(const Network& net) {
  const Expr J = jacobian(net.h, net.x);
  return {simplified(mean(sqnorm(J))),
          simplified(mean(square(sqnorm(J)))),
          simplified(log(mean(sqnorm(J)))),
          mean(sqnorm(J)),
          mean(square(sqnorm(J))),
          log(mean(sqnorm(J))),
          mean(log(sqnorm(J))) * sum(square(J)),
          mean(sqnorm(jacobian(softmax(net.h), net.x)))};
}

std::int64_t arena(const Network& net, const Program& program, std::int64_t chunk_bytes) {
  ThreadPool pool(1);
  return Plan<double>(net.tape, program, pool, {.chunk_bytes = chunk_bytes})
      .statistics()
      .arena_bytes;
}

template <class T>
bool near(const std::vector<T>& got, const Tensor<double>& want) {
  REQUIRE(static_cast<std::int64_t>(got.size()) == want.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - want.data[i]) <= 1e-12 * (1 + std::abs(want.data[i])))) return false;
  return true;
}

}  // namespace

TEST_CASE("chunks: every op is taken apart along every axis that it carries") {
  Random random(1);
  std::size_t changed = 0;
  for (const Op* op : all_ops())
    for (const OpCall& call : calls_of(*op)) {
      CAPTURE(call.name);
      Tape tape;
      const Operands operands = random_operands(tape, call, random);
      // Operands that are computed, so that parts of them are.
      std::vector<Expr> in;
      for (std::size_t i = 0; i < operands.in.size(); ++i)
        in.push_back(call.domains[i].whole ? operands.in[i] : 1.0 * operands.in[i]);
      const Expr y = call.apply(in);
      for (int axis = 0; axis < y.shape().rank(); ++axis) {
        CAPTURE(axis);
        // The maximum over them leaves no other axis.
        Axes others;
        for (int i = 0; i < y.shape().rank(); ++i)
          if (i != axis) others.push_back(i);
        if (y.shape().size() == 0) continue;
        const Expr rows = others.empty() ? square(y) : max(square(y), others);
        const std::vector<Expr> roots = {sum(rows), rows};
        for (const std::int64_t bytes : {8, 16, 40}) {
          changed +=
              changes_and_keeps(tape, {roots[0]}, chunked(tape, {roots[0]}, bytes), operands.feed);
          changed += changes_and_keeps(tape, roots, chunked(tape, roots, bytes), operands.feed);
        }
      }
    }
  CHECK(changed > 1000);
}

TEST_CASE("chunks: random programs and their gradients keep their values") {
  int changed = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    std::vector<Expr> roots = gradient(p.cost, p.parameters);
    roots.push_back(p.cost);
    if (seed % 3 == 0) roots.insert(roots.end(), p.values.begin(), p.values.end());
    for (const std::int64_t bytes : {16, 64, 256})
      changed +=
          changes_and_keeps(tape, roots, chunked(tape, roots, bytes), testing::cast<Quad>(p.feed));
  }
  CHECK(changed > 100);
}

TEST_CASE("chunks: penalties on Jacobians and their gradients keep their values") {
  for (const std::int64_t batch : {7, 1, 2}) {
    Network net(batch, 5, 4, 3);
    for (const Expr cost : costs(net)) {
      CAPTURE(cost.id);
      const std::vector<Expr> roots = net.roots(cost);
      const Feed<Quad> feed = random_feed<Quad>(roots, 3);
      for (const std::int64_t bytes : {16, 100, 300, 500})
        changes_and_keeps(net.tape, roots, chunked(net.tape, roots, bytes), feed);
    }
  }
}

TEST_CASE("chunks: plans compute and update what the interpreter says, whatever the threads") {
  Network net(7, 12, 9, 8);
  for (const Expr cost : costs(net)) {
    const Program program = net.descent(cost);
    std::vector<Expr> values = {cost};
    for (const Update& u : program.updates) values.push_back(u.value);
    const Feed<double> feed = random_feed<double>(values, 7);
    const auto want = Interpreter<double>(net.tape, values).run(feed);
    // Fusion spares much of what chunks spare; at this size their sums take more than they save.
    ThreadPool one(1);
    const std::int64_t whole =
        Plan<double>(net.tape, program, one, {.chunk_bytes = 0, .without_passes = {"fusion"}})
            .statistics()
            .arena_bytes;
    for (const std::int64_t bytes : {300, 1000, 2500}) {
      CAPTURE(cost.id);
      CAPTURE(bytes);
      std::vector<std::vector<double>> first;
      for (const int threads : {1, 2}) {
        ThreadPool pool(threads);
        BoundPlan<double> plan(net.tape, program, feed, pool,
                               {.chunk_bytes = bytes, .poison = true});
        CHECK(plan.plan().statistics().arena_bytes < whole);
        REQUIRE(plan.run());
        std::vector<std::vector<double>> got = plan.outputs();
        for (const Expr& p : net.parameters)
          got.push_back(plan.input(input_name(net.tape.node(p))));
        for (std::size_t i = 0; i < got.size(); ++i) CHECK(near(got[i], want[i]));
        if (threads == 1) first = got;
        CHECK(got == first);
      }
    }
  }
}

TEST_CASE("chunks: the arena holds one chunk of what is large, and what is small") {
  Network net(40, 50, 40, 30);
  // Gradients and their sums; activations and their derivatives.
  std::int64_t small = 12 * 40 * 40 * 8;
  for (const Expr& p : net.parameters) small += 3 * p.shape().size() * 8;
  for (const Expr cost : costs(net)) {
    CAPTURE(cost.id);
    const Program program{net.roots(cost), {}, {}};
    const std::int64_t whole = arena(net, program, 0);
    CHECK(whole > 40 * 30 * 40 * 8 * 2);
    for (const std::int64_t chunk : {40'000, 60'000, 120'000})
      CHECK(arena(net, program, chunk) < 3 * chunk / 2 + small);
  }
}

TEST_CASE("chunks: seven examples are taken in threes, and the parts are joined in order") {
  Tape tape;
  const Expr x = tape.input("x", {7, 50}), rows = max(exp(x), {1});
  tape.label(rows, "rows");
  const Graph graph = chunked(tape, {rows, sum(square(exp(x)))}, 3 * 50 * 8 + 100);
  CHECK(to_text(*graph.tape) ==
        "%0 = input(\"x\") [7, 50]\n"
        "%1 = slice(%0; axis=-2, begin=0, end=3) [3, 50]\n"
        "%2 = exp(%1) [3, 50]\n"
        "%3 = max(%2; axes=[-1], keepdims=0) [3]\n"
        "%4 = square(%2) [3, 50]\n"
        "%5 = sum(%4; axes=[-2, -1], keepdims=0) []\n"
        "%6 = slice(%0; axis=-2, begin=3, end=6) [3, 50]\n"
        "%7 = exp(%6) [3, 50]\n"
        "%8 = max(%7; axes=[-1], keepdims=0) [3]\n"
        "%9 = square(%7) [3, 50]\n"
        "%10 = sum(%9; axes=[-2, -1], keepdims=0) []\n"
        "%11 = add(%5, %10) []\n"
        "%12 = slice(%0; axis=-2, begin=6, end=7) [1, 50]\n"
        "%13 = exp(%12) [1, 50]\n"
        "%14 = max(%13; axes=[-1], keepdims=0) [1]\n"
        "%15 = square(%13) [1, 50]\n"
        "%16 = sum(%15; axes=[-2, -1], keepdims=0) []\n"
        "%17 = add(%11, %16) []\n"
        "%18 = concat(%3, %8, %14; axis=-1) [7]  # rows\n");
}

TEST_CASE("chunks: what needs a sum of the rows again is a second stage with rows of its own") {
  Tape tape;
  const Expr x = tape.input("x", {6, 50}), y = tape.input("y", {6, 50});
  const Expr wide = sin(x) * y, share = wide / sum(wide);
  const std::vector<Expr> roots = {sum(square(share)), max(share, {1})};
  const Graph graph = chunked(tape, roots, 2 * 2 * 50 * 8);
  changes_and_keeps(tape, roots, graph, random_feed<Quad>(roots, 1));
  CHECK(count(*graph.tape, "sin") == 2 * 3);
  CHECK(largest(*graph.tape) == 2 * 50);
  CHECK(to_text(*graph.tape).find("stage=1") != std::string::npos);
}

TEST_CASE("chunks: none where too much would be computed a second time") {
  Tape tape;
  const Expr x = tape.input("x", {16, 50}), w = tape.input("w", {50, 50});
  const auto chunks_of = [&](Expr e, double most_work) {
    const Graph before = prepare(tape, std::vector<Expr>{e});
    const Graph after =
        in_chunks(before, {.bytes = 2 * 2 * 50 * 8, .bytes_per_number = 8, .most_work = most_work});
    return to_text(*after.tape) != to_text(*before.tape);
  };
  // The rows are needed again once their sum is known: a second product, and half as much work.
  const Expr rows = exp(matmul(x, w)), again = sum(square(rows - sum(rows, {0}, true)));
  CHECK(chunks_of(again, 2.5));
  CHECK_FALSE(chunks_of(again, 1.5));
  CHECK(chunks_of(sum(square(rows)), 1.02));
}

TEST_CASE("chunks: small values between large ones need no stage") {
  Tape tape;
  const Expr x = tape.input("x", {64, 50}), scale = log(sum(exp(x), {1}, true));
  const std::vector<Expr> roots = {sum(square(sin(x) * scale))};
  const Graph graph = chunked(tape, roots, 16 * 50 * 8);
  CHECK(changes_and_keeps(tape, roots, graph, random_feed<Quad>(roots, 1)));
  CHECK(to_text(*graph.tape).find("stage") == std::string::npos);
  CHECK(count(*graph.tape, "concat") == 0);
}

TEST_CASE("chunks: small values of an earlier stage are kept, and not computed again") {
  Tape tape;
  const Expr x = tape.input("x", {64, 50}), scale = log(sum(exp(x), {1}, true));
  const Expr wide = sin(x) * scale, share = wide / sum(wide);
  const std::vector<Expr> roots = {sum(square(share))};
  const Graph graph = chunked(tape, roots, 16 * 50 * 8);
  changes_and_keeps(tape, roots, graph, random_feed<Quad>(roots, 1));
  CHECK(largest(*graph.tape) <= 16 * 50);
  CHECK(count(*graph.tape, "exp") >= 4);
  CHECK(count(*graph.tape, "sin") == 2 * count(*graph.tape, "exp"));
}

TEST_CASE("chunks: a graph without anything large stays as it is") {
  Network net(7, 5, 4, 3);
  for (const Expr cost : costs(net)) {
    const std::vector<Expr> roots = net.roots(cost);
    const Graph before = prepare(net.tape, roots);
    const std::string text = to_text(*before.tape);
    const std::int64_t bytes = 8 * largest(*before.tape);
    for (const std::int64_t b : {bytes, std::int64_t{0}, std::int64_t{-1}}) {
      const Graph after = in_chunks(before, {.bytes = b, .bytes_per_number = 8});
      CHECK(to_text(*after.tape) == text);
      CHECK(after.roots.size() == roots.size());
    }
    CHECK(to_text(*in_chunks(before, {.bytes = bytes - 1, .bytes_per_number = 8}).tape) != text);
  }
}

TEST_CASE("chunks: what cannot be taken apart stays as it is") {
  Tape tape;
  const Expr x = tape.input("x", {50, 40}), K = tape.input("K", {50, 50});
  const auto stays = [&](const std::vector<Expr>& roots) {
    const Graph before = prepare(tape, roots);
    const Graph after = in_chunks(before, {.bytes = 8'000, .bytes_per_number = 8});
    return to_text(*after.tape) == to_text(*before.tape);
  };
  CHECK(stays({exp(x)}));                                       // all of it is wanted
  CHECK(stays({sum(exp(reshape(x, Shape{50, 40, 1})), {2})}));  // as large as what is summed
  CHECK(stays({max(exp(x))}));                                  // no sum
  CHECK(stays({min(exp(x), {0}), max(exp(x), {1})}));           // rows and columns
  CHECK(stays({sum(square(contract("aa->a", {exp(K)})))}));     // a diagonal
  CHECK(stays({max(scatter_add(exp(x), iota(tape, 50), 0, 50)), max(exp(x), {1})}));
  CHECK(!stays({max(exp(x), {1})}));
}

TEST_CASE("chunks: draws are made whole and keep their values") {
  Tape tape;
  const Expr x = tape.input("x", {9, 4}), n = normal(tape, {9, 4, 30}, "n"),
             u = uniform(tape, {9, 30}, "u");
  const Expr wide = exp(insert_axis(sin(x), 2) * n) * insert_axis(u, 1);
  const std::vector<Expr> roots = {sum(square(wide)), sum(wide, {1, 2})};
  const Graph graph = chunked(tape, roots, 4'000);
  CHECK(changes_and_keeps(tape, roots, graph, random_feed<Quad>(roots, 1)));
  CHECK(count(*graph.tape, "normal") == 1);
  CHECK(count(*graph.tape, "uniform") == 1);
  CHECK(count(*graph.tape, "sin") == 1);  // so are small operands
  CHECK(count(*graph.tape, "exp") >= 3);
}

TEST_CASE("chunks: a row that is still too large is taken apart along another axis") {
  Tape tape;
  const Expr a = tape.input("a", {3, 40}), b = tape.input("b", {3, 50});
  const Expr wide = exp(contract("ij,ik->ijk", {a, b}));
  const std::vector<Expr> roots = {sum(square(wide)), sum(wide, {1, 2})};
  const Graph graph = chunked(tape, roots, 4'000);
  changes_and_keeps(tape, roots, graph, random_feed<Quad>(roots, 1));
  CHECK(8 * largest(*graph.tape) <= 4'000);
}

TEST_CASE("chunks: a product is marked as symmetric where that of the part is") {
  Tape tape;
  const Expr a = tape.input("a", {60, 9});
  const Expr X = exp(a);
  const auto marks = [&](Expr e) {
    const Graph before = prepare(tape, std::vector<Expr>{e});
    REQUIRE(before.tape->node(before.roots[0]).attributes.entries().size() == 2);
    const Graph graph = in_chunks(before, {.bytes = 2'000, .bytes_per_number = 8});
    CHECK(changes_and_keeps(tape, {e}, graph, random_feed<Quad>({e}, 1)));
    std::size_t products = 0, marked = 0;
    for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id) {
      const Node& node = graph.tape->node(id);
      if (node.op->name != "contract" || !(node.shape == Shape{9, 9})) continue;
      ++products;
      marked += node.attributes.entries().size() - 1;
    }
    CHECK(products >= 3);
    CHECK(count(*graph.tape, "concat") == 0);  // all of X is needed, and cut
    CHECK((marked == 0 || marked == products));
    return marked > 0;
  };
  CHECK(marks(contract("bi,bj->ij", {X, X})));
  // X' K X is symmetric as K is; with some of the rows of X and K it is not.
  const Expr K = contract("bi,ci->bc", {sin(a), sin(a)});
  CHECK(!marks(contract("bi,bj->ij", {X, contract("bc,cj->bj", {K, X})})));
}

TEST_CASE("chunks: a plan takes smaller ones before it is refused") {
  Network net(40, 50, 40, 30);
  const Program program{net.roots(costs(net)[0]), {}, {}};
  const std::int64_t whole = arena(net, program, 0), parts = arena(net, program, 50'000);
  REQUIRE(parts < whole / 2);
  ThreadPool pool(1);
  const Plan<double> plan(net.tape, program, pool, {.memory_limit = parts});
  CHECK(plan.statistics().arena_bytes <= parts);
  CHECK(arena(net, program, 16 << 20) == whole);
  const auto refusal = [&](std::int64_t chunk_bytes) -> std::string {
    try {
      Plan<double>(net.tape, program, pool, {.memory_limit = 40'000, .chunk_bytes = chunk_bytes});
    } catch (const SpecError& error) {
      return error.what();
    }
    return "no error";
  };
  CHECK(refusal(0).starts_with(
      cat("plan: ", with_prefix(static_cast<double>(whole), "B"), " are needed")));
  CHECK(refusal(1 << 20).starts_with("plan: "));
  CHECK(refusal(1 << 20) != refusal(0));
}
