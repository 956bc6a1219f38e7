#include "autodiff/print.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "autodiff/gradient.hpp"
#include "autodiff/ops.hpp"
#include "autodiff/work.hpp"
#include "tests/support/golden.hpp"

using namespace jacquard;
using jacquard::testing::golden;

namespace {

// A tied autoencoder 20-5-20 on a batch of 4, its mean squared error and the gradients.
struct TiedAutoencoder {
  Tape tape;
  Expr cost;
  std::vector<Expr> roots;

  TiedAutoencoder() {
    const Expr x = tape.input("x", {4, 20});
    const Expr W = tape.input("W", {20, 5}, InputKind::kParameter);
    const Expr b = tape.input("b", {5}, InputKind::kParameter);
    const Expr c = tape.input("c", {20}, InputKind::kParameter);
    const Expr h = sigmoid(matmul(x, W) + b), y = matmul(h, transpose(W)) + c;
    tape.label(h, "h");
    tape.label(y, "y");
    cost = mean(sqnorm(y - x));
    tape.label(cost, "cost");
    roots = gradient(cost, {W, b, c});
    roots.insert(roots.begin(), cost);
  }
};

}  // namespace

TEST_CASE("print: a tape reads one node a line, in order") {
  const TiedAutoencoder a;
  const std::string text = to_text(a.tape, a.roots);
  CHECK(text == golden("tied_autoencoder_tape.txt", text));
}

TEST_CASE("print: a tape as a graph for dot") {
  const TiedAutoencoder a;
  const std::string text = to_dot(a.tape, std::vector<Expr>{a.cost});
  CHECK(text == golden("tied_autoencoder_cost.dot.txt", text));
}

TEST_CASE("print: only what the roots need is shown, and everything without roots") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3}), s = sum(x, {1}), unread = exp(x);
  tape.label(s, "row sums");
  const std::string first = "%0 = input(\"x\") [2, 3]\n",
                    second = "%1 = sum(%0; axes=[-1], keepdims=0) [2]  # row sums\n";
  CHECK(to_text(tape, std::vector<Expr>{s}) == first + second);
  CHECK(to_text(tape) == first + second + "%2 = exp(%0) [2, 3]\n");
  CHECK(to_text(Tape{}).empty());
  CHECK(to_dot(Tape{}) == "digraph tape {\n  node [shape=box];\n}\n");
  CHECK(node_text(tape, unread.id) == "%2 = exp(%0) [2, 3]");
}

TEST_CASE("print: attributes are shown as they are written") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3});
  const auto text = [&](Expr e) { return node_text(tape, e.id).substr(5); };
  CHECK(text(constant(tape, 0.1)) == "constant(value=0.1) []");
  CHECK(text(constant(tape, -1e300)) == "constant(value=-1e+300) []");
  CHECK(text(power(x, 1.5)) == "power_constant(%0; exponent=1.5) [2, 3]");
  CHECK(text(contract("bi,bj->ij", {x, x})) == "contract(%0, %0; subscripts=\"ab,ac->bc\") [3, 3]");
  CHECK(text(normal(tape, {2}, "noise")) == "normal(stream=\"noise\", shape=[2]) [2]");
  CHECK(text(iota(tape, 0)) == "iota(n=0) [0]");
}

TEST_CASE("print: quotes and backslashes in labels do not break the graph's text") {
  Tape tape;
  const Expr x = tape.input("x", {});
  const Expr e = exp(x);
  tape.label(e, R"(a "b" \n)");
  CHECK(to_dot(tape) ==
        "digraph tape {\n  node [shape=box];\n"
        "  n0 [label=\"x: input\\n[]\"];\n"
        "  n1 [label=\"a \\\"b\\\" \\\\n: exp\\n[]\"];\n"
        "  n0 -> n1;\n}\n");
}

TEST_CASE("print: amounts have decimal prefixes and one digit behind the point") {
  CHECK(with_prefix(0, "B") == "0 B");
  CHECK(with_prefix(999, "B") == "999 B");
  CHECK(with_prefix(1000, "B") == "1.0 kB");
  CHECK(with_prefix(3249, "B") == "3.2 kB");
  CHECK(with_prefix(999'949, "B") == "999.9 kB");
  CHECK(with_prefix(999'950, "B") == "1.0 MB");
  CHECK(with_prefix(1.5e9, "FLOP") == "1.5 GFLOP");
  CHECK(with_prefix(8.0 * (1 << 30), "B") == "8.6 GB");
  CHECK(with_prefix(2e18, "FLOP") == "2000.0 PFLOP");
}

TEST_CASE("work: floating-point operations follow from the definitions") {
  Tape tape;
  const Expr x = tape.input("x", {4, 20}), W = tape.input("W", {20, 5}), b = tape.input("b", {5});
  const auto work = [&](Expr e) { return flops(tape, e.id); };
  const Expr h = matmul(x, W);
  CHECK(work(h) == 2 * 4 * 20 * 5);
  CHECK(work(contract("bi,ij,j->b", {x, W, b})) == 4 * 4 * 20 * 5);
  CHECK(work(contract("bi,bj->bij", {x, h})) == 4 * 20 * 5);
  CHECK(work(contract("bi->b", {x})) == 4 * 20);
  CHECK(work(h + b) == 20);
  CHECK(work(add_all({h, b, h, b})) == 60);
  CHECK(work(where(h, h, b)) == 20);
  CHECK(work(sum(x)) == 80);
  CHECK(work(max(x, {1})) == 80);
  CHECK(work(transpose(x)) == 0);
  CHECK(work(x) == 0);
  CHECK(work(matmul(tape.input("none", {0, 20}), W)) == 0);
}
