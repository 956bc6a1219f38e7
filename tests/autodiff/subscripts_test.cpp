#include "autodiff/subscripts.hpp"

#include <doctest/doctest.h>

#include <map>

#include "autodiff/error.hpp"
#include "autodiff/ops.hpp"
#include "tests/support/numeric.hpp"
#include "tests/support/op_check.hpp"

using namespace jacquard;
using namespace jacquard::testing;

namespace {

using Inputs = std::vector<std::string>;

// A random contraction and operands that fit it.
struct RandomContraction {
  Subscripts subscripts;
  std::vector<Shape> shapes;
};

RandomContraction random_contraction(Random& random, std::int64_t most_operands) {
  constexpr std::string_view kLetters = "abcdeXYZ";
  std::map<char, std::int64_t> sizes;
  for (const char c : kLetters) sizes[c] = 1 + random.below(3);
  RandomContraction result;
  std::string seen;
  const std::int64_t operands = 1 + random.below(most_operands);
  for (std::int64_t k = 0; k < operands; ++k) {
    std::string indices;
    std::vector<std::int64_t> shape;
    const std::int64_t rank = random.below(4);
    for (std::int64_t i = 0; i < rank; ++i) {
      const char c = kLetters[static_cast<std::size_t>(random.below(std::ssize(kLetters)))];
      indices += c;
      shape.push_back(sizes[c]);
      if (seen.find(c) == seen.npos) seen += c;
    }
    result.subscripts.inputs.push_back(indices);
    result.shapes.emplace_back(shape);
  }
  while (!seen.empty()) {  // some of the indices, in any order, stay
    const auto at = static_cast<std::size_t>(random.below(std::ssize(seen)));
    if (random.coin()) result.subscripts.output += seen[at];
    seen.erase(at, 1);
  }
  return result;
}

// The definition: for every assignment of all indices, add the product to its place.
Tensor<Quad> brute_force(const Subscripts& s, const std::vector<Tensor<Quad>>& operands) {
  std::map<char, std::int64_t> sizes, place;
  for (std::size_t k = 0; k < operands.size(); ++k)
    for (std::size_t i = 0; i < s.inputs[k].size(); ++i)
      sizes[s.inputs[k][i]] = operands[k].shape[static_cast<int>(i)];
  for (const auto& [index, size] : sizes) place[index] = 0;
  const auto offset = [&](const std::string& indices) {
    std::int64_t at = 0;
    for (const char c : indices) at = at * sizes[c] + place[c];
    return at;
  };
  std::vector<std::int64_t> shape;
  for (const char c : s.output) shape.push_back(sizes[c]);
  Tensor<Quad> result((Shape(shape)));
  for (;;) {
    Quad product = 1;
    for (std::size_t k = 0; k < operands.size(); ++k) product *= operands[k][offset(s.inputs[k])];
    result[offset(s.output)] += product;
    auto it = place.begin();
    while (it != place.end() && ++it->second == sizes[it->first]) it++->second = 0;
    if (it == place.end()) return result;
  }
}

}  // namespace

TEST_CASE("subscripts are parsed, written and made canonical") {
  const Subscripts s = Subscripts::parse(" bi, ij ->bj");
  CHECK_EQ(s.inputs, Inputs{"bi", "ij"});
  CHECK_EQ(s.output, "bj");
  CHECK_EQ(s.text(), "bi,ij->bj");
  CHECK_EQ(s.canonical().text(), "ab,bc->ac");
  CHECK_EQ(Subscripts::parse("->").inputs, Inputs{""});
  CHECK_EQ(Subscripts::parse(",a->a").inputs, Inputs{"", "a"});
  CHECK_EQ(Subscripts::parse("Zz->z").canonical().text(), "ab->b");
  CHECK_EQ(s.unused(), 'a');
  CHECK_EQ(Subscripts::parse("abc->a").unused(), 'd');
  std::string all;
  for (char c = 'a'; c <= 'z'; ++c) all += c;
  for (char c = 'A'; c <= 'Z'; ++c) all += c;
  CHECK_THROWS_WITH_AS((void)Subscripts::parse(all + "->").unused(),
                       ("contract: '" + all + "->' needs more than 52 indices").c_str(),
                       ShapeError);
}

TEST_CASE("a contraction splits into its first pair and the rest") {
  const auto [pair, rest] = Subscripts::parse("ab,bc,cd,e->ad").split_first_pair();
  CHECK_EQ(pair.text(), "ab,bc->ac");
  CHECK_EQ(rest.text(), "ac,cd,e->ad");
}

TEST_CASE("random contractions give what the definition says") {
  Random random(31);
  for (int trial = 0; trial < 400; ++trial) {
    const RandomContraction c = random_contraction(random, 4);
    Tape tape;
    std::vector<Expr> in;
    std::vector<Tensor<Quad>> operands;
    Feed<Quad> feed;
    for (std::size_t k = 0; k < c.shapes.size(); ++k) {
      in.push_back(tape.input(operand_name(k), c.shapes[k]));
      operands.push_back(random.tensor<Quad>(c.shapes[k]));
      feed[operand_name(k)] = operands.back();
    }
    const std::string text = c.subscripts.text();
    CAPTURE(text);
    CHECK_LE(
        tensor_error(evaluate<Quad>(contract(text, in), feed), brute_force(c.subscripts, operands)),
        1e-30);
  }
}

TEST_CASE("random contractions have right derivatives and batch rules") {
  Random random(32);
  for (int trial = 0; trial < 100; ++trial) {
    const RandomContraction c = random_contraction(random, 3);
    const std::string text = c.subscripts.text();
    const OpCall call{call_name("contract " + text, c.shapes, {}), c.shapes,
                      std::vector<Domain>(c.shapes.size()),
                      [text](const std::vector<Expr>& in) { return contract(text, in); }};
    CHECK_EQ(check_derivatives(call, 1, 2), "");
    CHECK_EQ(check_batch(call), "");
  }
}

TEST_CASE("matmul is NumPy's, for vectors, matrices and broadcast stacks") {
  struct {
    Shape a, b;
    const char* subscripts;
    Shape a_as, b_as, result;  // the shapes that the subscripts see
  } cases[] = {
      {{3}, {3}, "k,k->", {3}, {3}, {}},
      {{2, 3}, {3}, "ik,k->i", {2, 3}, {3}, {2}},
      {{3}, {3, 4}, "k,kj->j", {3}, {3, 4}, {4}},
      {{2, 3}, {3, 4}, "ik,kj->ij", {2, 3}, {3, 4}, {2, 4}},
      {{5, 2, 3}, {3, 4}, "sik,kj->sij", {5, 2, 3}, {3, 4}, {5, 2, 4}},
      {{2, 3}, {5, 3, 4}, "ik,skj->sij", {2, 3}, {5, 3, 4}, {5, 2, 4}},
      {{5, 2, 3}, {5, 3, 4}, "sik,skj->sij", {5, 2, 3}, {5, 3, 4}, {5, 2, 4}},
      {{1, 2, 3}, {5, 3, 4}, "ik,skj->sij", {2, 3}, {5, 3, 4}, {5, 2, 4}},
      {{6, 1, 2, 3}, {5, 3, 4}, "tik,skj->tsij", {6, 2, 3}, {5, 3, 4}, {6, 5, 2, 4}},
      {{1, 2, 3}, {1, 3, 4}, "sik,skj->sij", {1, 2, 3}, {1, 3, 4}, {1, 2, 4}},
      {{1, 1, 2, 3}, {1, 3, 4}, "tsik,skj->tsij", {1, 1, 2, 3}, {1, 3, 4}, {1, 1, 2, 4}},
      {{5, 2, 3}, {3}, "sik,k->si", {5, 2, 3}, {3}, {5, 2}},
      {{3}, {5, 3, 4}, "k,skj->sj", {3}, {5, 3, 4}, {5, 4}},
  };
  for (const auto& c : cases) {
    Tape tape;
    Random random(33);
    const Expr a = tape.input("a", c.a), b = tape.input("b", c.b);
    Feed<Quad> feed{{"a", random.tensor<Quad>(c.a)}, {"b", random.tensor<Quad>(c.b)}};
    const Expr product = matmul(a, b);
    CHECK(product.shape() == c.result);
    const Tensor<Quad> expected =
        brute_force(Subscripts::parse(c.subscripts),
                    {Tensor<Quad>(c.a_as, feed["a"].data), Tensor<Quad>(c.b_as, feed["b"].data)});
    CHECK_LE(tensor_error(evaluate<Quad>(product, feed), expected), 1e-30);
  }
}
