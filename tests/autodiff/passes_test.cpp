#include "autodiff/passes.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "autodiff/gradient.hpp"
#include "autodiff/jacobian.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/random_program.hpp"
#include "tests/support/same_values.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

std::vector<std::string> all_but(std::string_view name) {
  std::vector<std::string> others;
  for (const Pass& pass : all_passes())
    if (pass.name != name) others.emplace_back(pass.name);
  return others;
}

std::size_t count(const Graph& graph, std::string_view op) {
  std::size_t n = 0;
  for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id)
    n += graph.tape->node(id).op->name == op ? 1 : 0;
  return n;
}

// An op whose shape rule gives [2] for some calls and then [3]: a rule that does not stay the same
// is what a broken pass looks like from outside.
int shifty_calls = 0, shifty_steady_calls = 0;

constinit const Op shifty_op{
    .name = "shifty",
    .arity = 0,
    .shape = [](const Op&, std::span<const Shape* const>,
                const Attributes&) { return Shape{shifty_calls++ < shifty_steady_calls ? 2 : 3}; },
};

std::string error_of_shifty(int steady_calls) {
  shifty_calls = 0;
  shifty_steady_calls = steady_calls;
  Tape tape;
  const Expr e = tape.append(shifty_op, {});
  try {
    prepare(tape, std::vector<Expr>{e});
  } catch (const InternalError& error) {
    return error.what();
  }
  return "no internal error";
}

}  // namespace

TEST_CASE("passes: each alone, and all together, keep the values and shapes of random programs") {
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    CAPTURE(seed);
    Tape tape;
    const RandomProgram p = random_program(tape, seed);
    std::vector<Expr> roots = gradient(p.cost, p.parameters);
    roots.push_back(p.cost);
    roots.insert(roots.end(), p.values.begin(), p.values.end());
    check_same_values(tape, roots, prepare(tape, roots), p.feed);
    for (const Pass& pass : all_passes()) {
      CAPTURE(pass.name);
      check_same_values(tape, roots, prepare(tape, roots, all_but(pass.name)), p.feed);
      check_same_values(tape, roots, prepare(tape, roots, {std::string(pass.name)}), p.feed);
    }
  }
}

TEST_CASE("passes: they keep the values of a Jacobian penalty's gradient") {
  Tape tape;
  const Expr x = tape.input("x", {3, 4}), W = tape.input("W", {4, 2}, InputKind::kParameter);
  const Expr cost = mean(sqnorm(jacobian(sigmoid(matmul(x, W)), x)));
  const std::vector<Expr> roots = {cost, gradient(cost, {W})[0]};
  check_same_values(tape, roots, prepare(tape, roots), random_feed(roots, 3));
}

TEST_CASE("passes: nodes that no root needs are dropped, labels and inputs stay") {
  Tape tape;
  const Expr x = tape.input("x", {3}), y = tape.input("y", {3});
  const Expr h = square(x), dead = exp(y);
  tape.label(h, "h");
  const Graph graph = prepare(tape, std::vector<Expr>{h, h});
  CHECK(graph.tape->size() == 2);
  CHECK(graph.roots[0] == graph.roots[1]);
  CHECK(graph.tape->label(graph.roots[0].id) == "h");
  CHECK(input_name(graph.tape->node(0)) == "x");
  CHECK(tape.size() == 4);
  CHECK(dead.id == 3);
}

TEST_CASE(
    "passes: 'pairs' leaves no contraction of three operands and takes the cheap pair first") {
  Tape tape;
  // (ab bc) cd costs 2*50*50 + 2*50*3, ab (bc cd) 50*50*3 + 2*50*3 products.
  const Expr a = tape.input("a", {2, 50}), b = tape.input("b", {50, 50}),
             c = tape.input("c", {50, 3});
  const std::vector<Expr> roots = {contract("ab,bc,cd->ad", {a, b, c}),
                                   contract("ab,ab,cb,dc->d", {a, a, b, transpose(c)}),
                                   contract("ab,cd,bc->", {a, c, b})};
  const Graph graph = prepare(tape, roots);
  for (NodeId id = 0; id < static_cast<NodeId>(graph.tape->size()); ++id) {
    const Node& node = graph.tape->node(id);
    if (node.op->name == "contract") CHECK(node.inputs.size() <= 2);
    CHECK(node.shape.size() <= 2500);
  }
  const Node& last = graph.tape->node(graph.roots[0]);
  CHECK(graph.tape->node(last.inputs[0]).shape == Shape{2, 50});
  check_same_values(tape, roots, graph, random_feed(roots, 4));
  CHECK(count(prepare(tape, {roots.begin(), 1}, {"pairs"}), "contract") == 1);
}

TEST_CASE("passes: 'broadcasts' drops stretched copies unless they give the result its shape") {
  Tape tape;
  const Expr x = tape.input("x", {3}), y = tape.input("y", {2, 3}), s = tape.input("s", {});
  const Expr wide = broadcast_to(x, {2, 3});
  const auto left = [&](Expr e) {
    const Graph graph = prepare(tape, std::vector<Expr>{e});
    check_same_values(tape, {e}, graph, random_feed<double>({e}, 6));
    return count(graph, "broadcast_to");
  };
  CHECK(left(wide * y) == 0);
  CHECK(left(exp(wide)) == 1);
  CHECK(left(wide + broadcast_to(s, {2, 3})) == 1);  // one of them must stay
  CHECK(left(where(broadcast_to(s, {2, 3}), wide, y)) == 0);
  CHECK(left(add_all({wide, broadcast_to(s, {1, 3}), y, wide})) == 0);
  CHECK(left(sum(wide)) == 1);
  CHECK(left(broadcast_to(s, {0, 3}) * broadcast_to(x, {0, 3})) == 1);
}

TEST_CASE("passes: 'transposes' turns elementwise work whose operands can all be turned") {
  Tape tape;
  const Expr a = tape.input("a", {3, 4, 5}), b = tape.input("b", {3, 2}),
             x = tape.input("x", {5, 3, 4}), s = tape.input("s", {});
  const Axes turn = {2, 0, 1}, back = {1, 2, 0};
  const auto product = [&] {
    return contract("de,abc->cab",
                    {contract("dd->d", {matmul(transpose(b), b)}) * matmul(transpose(b), b), a});
  };
  const auto left = [&](Expr e) {
    const Graph graph = prepare(tape, std::vector<Expr>{e});
    check_same_values(tape, {e}, graph, random_feed<double>({e}, 6));
    return count(graph, "transpose");
  };
  // x and the product are [5,3,4], what is read [3,4,5].
  CHECK(left(transpose(transpose(a, turn) + product(), back)) == 0);
  CHECK(left(transpose(s * transpose(a, turn), back)) == 0);
  CHECK(left(transpose(add_all({product(), s, transpose(a, turn)}), back)) == 0);
  CHECK(left(transpose(transpose(a, turn) + x, back)) == 2);  // x cannot be turned for nothing
  CHECK(left(transpose(product() + s, back)) == 0);
  const Expr y = tape.input("y", {4, 5, 3});
  CHECK(left(transpose(transpose(y, back) * product(), back)) == 2);  // not back, but on
  const Expr shared = transpose(a, turn) + product();
  CHECK(left(sum(transpose(shared, back)) + sum(exp(shared))) == 2);  // needed as it is as well
  const Expr read = product();
  CHECK(left(sum(transpose(transpose(a, turn) + read, back)) + sum(exp(read))) == 2);
}

TEST_CASE("passes: an unknown name is an error that lists the known ones") {
  Tape tape;
  const std::vector<Expr> roots = {constant(tape, 1)};
  std::string names;
  for (const Pass& pass : all_passes()) names += cat("'", pass.name, "', ");
  names += "'accumulation', 'fusion', 'following', 'in_place'";
  CHECK(error_of([&] {
          prepare(tape, roots, {"pairs", "fusion of horses"});
        }) == "plan: there is no pass 'fusion of horses'; the passes are " + names);
  CHECK_THROWS_AS(prepare(tape, roots, {""}), Error);
}

TEST_CASE("passes: one that breaks the tape or a root's shape is an internal error that names it") {
  const std::string first = cat("pass '", all_passes()[0].name, "': ");
  // Calls: the tape, the copy, then per pass the rewriting, the copy behind it, the verifier.
  CHECK(error_of_shifty(2) == first + "root 0 had shape [2] and has [3]");
  CHECK(error_of_shifty(4) == first + "verify: %0 shifty has shape [2], its op gives [3]");
  CHECK(error_of_shifty(1'000'000) == "no internal error");
  const int calls = shifty_calls;
  for (int steady = 2; steady < calls; ++steady)
    CHECK(error_of_shifty(steady).starts_with("pass '"));
}
