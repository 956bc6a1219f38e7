#include "autodiff/tape.hpp"

#include <doctest/doctest.h>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"

using namespace jacquard;

namespace {

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

using Ids = std::vector<NodeId>;

}  // namespace

TEST_CASE("inputs are one node for each name") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3});
  CHECK(tape.input("x", {2, 3}) == x);
  CHECK_EQ(tape.size(), 1);
  CHECK(is_input(tape.node(x)));
  CHECK_EQ(input_name(tape.node(x)), "x");
  CHECK(input_kind(tape.node(x)) == InputKind::kData);
  CHECK(input_kind(tape.node(tape.input("W", {}, InputKind::kParameter))) == InputKind::kParameter);
  CHECK_EQ(error_of([&] { tape.input("x", {3}); }),
           "tape: input 'x' exists with shape [2, 3] and is declared again with shape [3] or as "
           "another kind; use another name");
  CHECK_NE(error_of([&] { tape.input("x", {2, 3}, InputKind::kState); }), "");
}

TEST_CASE("nodes are described by number and label, the first label stays") {
  Tape tape;
  const Expr x = tape.input("x", {}), y = exp(x);
  CHECK_EQ(tape.describe(x.id), "%0 'x'");
  CHECK_EQ(tape.describe(y.id), "%1");
  CHECK_EQ(tape.label(y.id), "");
  tape.label(y, "h");
  tape.label(y, "g");
  CHECK_EQ(tape.describe(y.id), "%1 'h'");
}

TEST_CASE("equal calls are one node, other attributes and orders are not") {
  Tape tape;
  const Expr x = tape.input("x", {2, 2}), y = tape.input("y", {2, 2});
  const std::size_t before = tape.size();
  CHECK(x + y == y + x);
  CHECK_EQ(tape.size(), before + 1);
  CHECK(x / y != y / x);
  CHECK(slice(x, 0, 0, 1) != slice(x, 0, 1, 2));
  CHECK(uniform(tape, {2}, "a") == uniform(tape, {2}, "a"));
  CHECK(uniform(tape, {2}, "a") != uniform(tape, {2}, "b"));
  CHECK(uniform(tape, {2}, "a") != normal(tape, {2}, "a"));
}

TEST_CASE("calls whose hashes are equal are told apart") {
  const Op op{
      .name = "op",
      .arity = 0,
      .shape = [](const Op&, std::span<const Shape* const>, const Attributes&) { return Shape{}; }};
  const Attributes a{{"a", std::int64_t{0}}}, b{{"b", std::int64_t{0}}}, c{{"a", 0.0}};
  REQUIRE_EQ(a.hash(), b.hash());  // names are not part of it
  Tape tape;
  CHECK(tape.append(op, {}, a) != tape.append(op, {}, b));
  CHECK(tape.append(op, {}, a) != tape.append(op, {}, c));
  CHECK(tape.append(op, {}, a) == tape.append(op, {}, a));
  CHECK_EQ(tape.size(), 3);
}

TEST_CASE("functions that would do nothing append nothing") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3});
  CHECK(reshape(x, Shape{2, 3}) == x);
  CHECK(transpose(x, {0, 1}) == x);
  CHECK(broadcast_to(x, {2, 3}) == x);
  CHECK(slice(x, 1, 0, 3) == x);
  CHECK(pad(x, 1, 0, 0) == x);
  CHECK(concat({x}, 0) == x);
  CHECK(contract("ab->ab", {x}) == x);
  CHECK(add_all({x}) == x);
  CHECK(power(x, 1.0) == x);
  CHECK(sum(tape.input("s", {})) == tape.input("s", {}));
  CHECK_EQ(tape.size(), 2);
}

TEST_CASE("references to nodes stay valid while the tape grows") {
  Tape tape;
  const Expr x = tape.input("x", {});
  const Node& node = tape.node(x);
  Expr y = x;
  for (int i = 0; i < 10'000; ++i) y = y + static_cast<double>(i + 1);
  CHECK_EQ(&node, &tape.node(x));
  CHECK_EQ(input_name(node), "x");
}

TEST_CASE("ancestors are what the roots need, in an order to compute them") {
  Tape tape;
  const Expr a = tape.input("a", {}), b = tape.input("b", {}), unused = exp(b);
  const Expr c = a * b, d = sin(a), e = c + d;
  CHECK_EQ(ancestors(tape, std::vector<Expr>{e}), Ids{a.id, b.id, c.id, d.id, e.id});
  CHECK_EQ(ancestors(tape, std::vector<Expr>{d, c, d}), Ids{a.id, b.id, c.id, d.id});
  CHECK_EQ(ancestors(tape, std::vector<Expr>{}), Ids{});
  CHECK_EQ(ancestors(tape, std::vector<Expr>{unused}), Ids{b.id, unused.id});
}

TEST_CASE("dependents are what the sources reach, themselves included") {
  Tape tape;
  const Expr a = tape.input("a", {}), b = tape.input("b", {});
  const Expr c = sin(a), d = b * b, e = c + d;
  const auto marks = [&](const std::vector<Expr>& sources) {
    Ids ids;
    const std::vector<bool> found = dependents(tape, sources, e.id);
    for (std::size_t i = 0; i < found.size(); ++i)
      if (found[i]) ids.push_back(static_cast<NodeId>(i));
    return ids;
  };
  CHECK_EQ(marks({a}), Ids{a.id, c.id, e.id});
  CHECK_EQ(marks({b}), Ids{b.id, d.id, e.id});
  CHECK_EQ(marks({c, b}), Ids{b.id, c.id, d.id, e.id});
  CHECK_EQ(marks({e}), Ids{e.id});
  CHECK_EQ(marks({exp(e)}), Ids{});  // written later
  CHECK_EQ(marks({}), Ids{});
}

TEST_CASE(
    "a tape as the ops wrote it passes the verifier, one whose op changed its mind does not") {
  Tape tape;
  const Expr x = tape.input("x", {2, 3});
  (void)sum(exp(x), {1});
  CHECK_NOTHROW(verify(tape));
  static Shape answer;
  answer = {3};
  Op fickle{
      .name = "fickle",
      .shape = [](const Op&, std::span<const Shape* const>, const Attributes&) { return answer; }};
  const Expr y = tape.append(fickle, {x});
  CHECK_NOTHROW(verify(tape));
  answer = {4};
  CHECK_EQ(error_of([&] { verify(tape); }),
           "verify: %" + std::to_string(y.id) + " fickle has shape [3], its op gives [4]");
  answer = {3};
  fickle.arity = 2;
  CHECK_EQ(error_of([&] { verify(tape); }),
           "verify: %" + std::to_string(y.id) + " fickle has 1 inputs, its op takes 2");
}
