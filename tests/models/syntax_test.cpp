// What a cost text means: its tree, against an independent reading and by hand.
#include "models/language/syntax.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <clocale>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "models/language/tokens.hpp"

using namespace jacquard::models;

namespace {

// The tree as a fully parenthesised prefix form: "(+ a (* b c))".
std::string prefix_form(const SyntaxTree& tree, int id) {
  const SyntaxNode& node = tree[id];
  std::string head;
  switch (node.kind) {
    case SyntaxKind::kNumber:
      return jacquard::cat(node.number);
    case SyntaxKind::kBoolean:
      return node.number == 1 ? "true" : "false";
    case SyntaxKind::kText:
      return "\"" + node.text + "\"";
    case SyntaxKind::kName:
      return node.text;
    case SyntaxKind::kOmitted:
      return "_";
    case SyntaxKind::kCall:
      head = "call " + node.text;
      break;
    case SyntaxKind::kList:
      head = "list";
      break;
    case SyntaxKind::kIndex:
      head = "index";
      break;
    case SyntaxKind::kSlice:
      head = "slice";
      break;
    case SyntaxKind::kUnary:
    case SyntaxKind::kBinary:
      head = node.text;
      break;
  }
  std::string result = "(" + head;
  const std::size_t named = node.children.size() - node.keywords.size();
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    result += i >= named ? " " + node.keywords[i - named].name + "=" : " ";
    result += prefix_form(tree, node.children[i]);
  }
  return result + ")";
}

std::string read(const std::string& text) {
  const SyntaxTree tree = parse_expression(text);
  return prefix_form(tree, tree.root());
}

// An independent reading of flat texts (names, binary operators, '-' and 'not'): split at the
// loosest operator, at the last one of its level or, for '^', at the first.
const std::vector<std::vector<std::string>> kLevels = {
    {"or"},     {"and"},         {"not"}, {"<", "<=", ">", ">=", "==", "!="},
    {"+", "-"}, {"*", "/", "@"}, {"neg"}, {"^"}};

bool is_in(const std::vector<std::string>& level, const std::string& word) {
  return std::find(level.begin(), level.end(), word) != level.end();
}

std::string split_reading(const std::vector<std::string>& words) {
  if (words.size() == 1) return words[0];
  for (const auto& level : kLevels) {
    const std::string& first = level.front();
    if (first == "not" || first == "neg") {
      if (words.front() != first) continue;
      const std::string shown = first == "not" ? "not" : "-";
      return "(" + shown + " " + split_reading({words.begin() + 1, words.end()}) + ")";
    }
    std::size_t at = words.size();
    for (std::size_t i = 0; i < words.size(); ++i)
      if (is_in(level, words[i]) && (first != "^" || at == words.size())) at = i;
    if (at == words.size()) continue;
    const auto middle = words.begin() + static_cast<std::ptrdiff_t>(at);
    return "(" + words[at] + " " + split_reading({words.begin(), middle}) + " " +
           split_reading({middle + 1, words.end()}) + ")";
  }
  return "no reading";
}

std::string written_out(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (word == "neg" ? "-" : word) + " ";
  return text;
}

const std::vector<std::string> kBinary = {
    "or", "and", "<", "<=", ">", ">=", "==", "!=", "+", "-", "*", "/", "@", "^"};

}  // namespace

TEST_CASE("every pair of binary operators nests as the precedence table says") {
  for (const std::string& first : kBinary) {
    for (const std::string& second : kBinary) {
      const std::string text = "a " + first + " b " + second + " c";
      CAPTURE(text);
      if (is_in(kLevels[3], first) && is_in(kLevels[3], second)) {
        CHECK_THROWS_AS(parse_expression(text), LanguageError);
        CHECK(read("(a " + first + " b) " + second + " c") ==
              "(" + second + " (" + first + " a b) c)");
        continue;
      }
      CHECK(read(text) == split_reading({"a", first, "b", second, "c"}));
      const std::string left = "(a " + first + " b) " + second + " c";
      const std::string right = "a " + first + " (b " + second + " c)";
      const bool is_left = parse_expression(text) == parse_expression(left);
      const bool is_right = parse_expression(text) == parse_expression(right);
      CHECK(is_left != is_right);
    }
  }
}

TEST_CASE("unary operators stand between the binary ones as the table says") {
  for (const std::string& op : kBinary) {
    CAPTURE(op);
    CHECK(read("-a " + op + " b") == (op == "^" ? "(- (^ a b))" : "(" + op + " (- a) b)"));
    CHECK(read("a " + op + " -b") == "(" + op + " a (- b))");
    const bool looser_than_not = op == "or" || op == "and";
    CHECK(read("not a " + op + " b") ==
          (looser_than_not ? "(" + op + " (not a) b)" : "(not (" + op + " a b))"));
    if (looser_than_not)
      CHECK(read("a " + op + " not b") == "(" + op + " a (not b))");
    else
      CHECK_THROWS_AS(parse_expression("a " + op + " not b"), LanguageError);
    CHECK(read("a " + op + " b.T") == "(" + op + " a (.T b))");
    CHECK(read("a " + op + " b[0]") == "(" + op + " a (index b 0))");
  }
  CHECK(read("-a.T") == "(- (.T a))");
  CHECK(read("-a[0].T[1]") == "(- (index (.T (index a 0)) 1))");
  CHECK(read("x.T.T") == "(.T (.T x))");
  CHECK(read("not not a") == "(not (not a))");
  CHECK(read("not -a") == "(not (- a))");
  CHECK(read("--a") == "(- (- a))");
  CHECK(read("a--b") == "(- a (- b))");
}

TEST_CASE("a minus and a power read as in mathematics") {
  CHECK(read("-a^2") == "(- (^ a 2))");
  CHECK(read("(-a)^2") == "(^ (- a) 2)");
  CHECK(read("exp(-a^2)") == "(call exp (- (^ a 2)))");
  CHECK(read("2^-1") == "(^ 2 (- 1))");
  CHECK(read("a^b^c") == "(^ a (^ b c))");
  CHECK(read("2^-a^b") == "(^ 2 (- (^ a b)))");
  CHECK(read("2^-a*b") == "(* (^ 2 (- a)) b)");
  CHECK(read("2^--a^b+c") == "(+ (^ 2 (- (- (^ a b)))) c)");
  CHECK(read("-a*b") == "(* (- a) b)");
  CHECK(read("x.T^2") == "(^ (.T x) 2)");
  CHECK(read("x^y.T") == "(^ x (.T y))");
}

TEST_CASE("long flat texts agree with a reading by splitting") {
  std::mt19937 random(11);
  const auto pick = [&](std::size_t n) { return static_cast<std::size_t>(random()) % n; };
  for (int round = 0; round < 20000; ++round) {
    std::vector<std::string> words;
    const std::size_t operands = 1 + pick(9);
    bool may_compare = true;
    bool may_not = true;  // not behind anything tighter than itself
    for (std::size_t i = 0; i < operands; ++i) {
      while (may_not && pick(6) == 0) words.push_back("not");
      while (pick(6) == 0) words.push_back("neg");
      words.push_back(std::string(1, static_cast<char>('p' + i)));
      if (i + 1 == operands) break;
      std::string op = kBinary[pick(kBinary.size())];
      while (is_in(kLevels[3], op) && !may_compare) op = kBinary[pick(kBinary.size())];
      may_not = op == "and" || op == "or";
      if (may_not)
        may_compare = true;
      else if (is_in(kLevels[3], op))
        may_compare = false;
      words.push_back(op);
    }
    const std::string text = written_out(words);
    CAPTURE(text);
    REQUIRE(read(text) == split_reading(words));
  }
}

TEST_CASE("calls, lists, slices and leaves have the trees one expects") {
  CHECK(read("f()") == "(call f)");
  CHECK(read("f (a, -1, axis=1, keepdims=true)") == "(call f a (- 1) axis=1 keepdims=true)");
  CHECK(read("sum(t, axis=[0, 1])") == "(call sum t axis=(list 0 1))");
  CHECK(read("f(a == b)") == "(call f (== a b))");
  CHECK(read("[]") == "(list)");
  CHECK(read("[[1], [2, false]]") == "(list (list 1) (list 2 false))");
  CHECK(read("x[:, 0:10]") == "(index x (slice _ _) (slice 0 10))");
  CHECK(read("x[:, 3]") == "(index x (slice _ _) 3)");
  CHECK(read("x[-1]") == "(index x (- 1))");
  CHECK(read("x[1:, :]") == "(index x (slice 1 _) (slice _ _))");
  CHECK(read("x[:n-1]") == "(index x (slice _ (- n 1)))");
  CHECK(read("x[a or b:c]") == "(index x (slice (or a b) c))");
  CHECK(read("f(x)[0].T") == "(.T (index (call f x) 0))");
  CHECK(read("[1, 2][0]") == "(index (list 1 2) 0)");
  CHECK(read("(a + b).T") == "(.T (+ a b))");
  CHECK(read("contract('bi,ij->bj', x, W)") == "(call contract \"bi,ij->bj\" x W)");
  CHECK(read("normal(x, stream=\"e'1\")") == "(call normal x stream=\"e'1\")");
  CHECK(read("''") == "\"\"");
  CHECK(read(" \t\r\n a\n+\nb ") == "(+ a b)");
  CHECK(read("_a1 + T + nota + trueish") == "(+ (+ (+ _a1 T) nota) trueish)");
  CHECK(read("a<-b") == "(< a (- b))");
  CHECK(read("W.T.T @ x .T") == "(@ (.T (.T W)) (.T x))");
}

TEST_CASE("numbers are read to the nearest double in every locale") {
  struct Sample {
    std::string text;
    double value;
  };
  const auto number = [](const std::string& text) { return parse_expression(text)[0].number; };
  const std::vector<Sample> cases = {{"0", 0.0},
                                     {"1e-3", 1e-3},
                                     {".5", 0.5},
                                     {"5.", 5.0},
                                     {"1.e5", 1e5},
                                     {"1E+2", 100.0},
                                     {"007", 7.0},
                                     {"0.1", 0.1},
                                     {"123456789012345678", 123456789012345678.0},
                                     {"1.7976931348623157e308", 1.7976931348623157e308},
                                     {"5e-324", 5e-324},
                                     {"0e999999999999", 0.0},
                                     {"0.000e-999", 0.0}};
  for (const Sample& sample : cases) {
    CAPTURE(sample.text);
    CHECK(number(sample.text) == sample.value);
  }
  // Where a locale with a decimal comma is installed, it must make no difference.
  if (std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr) {
    CHECK(number("1.5") == 1.5);
    std::setlocale(LC_ALL, "C");
  }
}

TEST_CASE("spans cover parentheses, marks point at the operation") {
  const SyntaxTree tree = parse_expression("( a +b) * sum(x[ : , 1], axis = 0).T");
  const auto piece = [&](TextSpan span) { return tree.source.substr(span.begin, span.length); };
  std::vector<std::string> seen;
  for (int id = 0; id <= tree.root(); ++id)
    seen.push_back(std::string(tree.written(id)) + " | " + piece(tree[id].mark));
  CHECK(seen == std::vector<std::string>{
                    "a | a", "b | b", "( a +b) | +", "x | x", " | ", " | ", ": | :", "1 | 1",
                    "x[ : , 1] | [ : , 1]", "0 | 0", "sum(x[ : , 1], axis = 0) | sum",
                    "sum(x[ : , 1], axis = 0).T | .T", "( a +b) * sum(x[ : , 1], axis = 0).T | *"});
  CHECK(piece(tree[10].keywords[0].span) == "axis");
}

TEST_CASE("children stand before their parents, each under one parent") {
  const SyntaxTree tree = parse_expression("f(a, [b, c], k=-d^2).T + x[1:, :] or not true");
  std::vector<int> parents(tree.nodes.size(), 0);
  for (int id = 0; id <= tree.root(); ++id)
    for (const int child : tree[id].children) {
      CHECK(child < id);
      ++parents[static_cast<std::size_t>(child)];
    }
  CHECK(parents.back() == 0);
  parents.pop_back();
  for (const int count : parents) CHECK(count == 1);
}

TEST_CASE("trees are equal when they mean the same, wherever it was written") {
  struct Pair {
    std::string a;
    std::string b;
  };
  const auto same = [](const std::string& a, const std::string& b) {
    return parse_expression(a) == parse_expression(b);
  };
  CHECK(same("a+b*c", " a + ((b) * c)"));
  CHECK(same("f('x', k=1.0)", "f(\"x\",k=1)"));
  for (const Pair& pair : std::vector<Pair>{{"a + b", "b + a"},
                                            {"a", "b"},
                                            {"a", "'a'"},
                                            {"f(a)", "f(k=a)"},
                                            {"f(k=a)", "f(j=a)"},
                                            {"f(a)", "g(a)"},
                                            {"1", "true"},
                                            {"1", "2"},
                                            {"x[1:]", "x[:1]"},
                                            {"x[1]", "x[1:]"},
                                            {"a - b", "a + b"},
                                            {"[a]", "a"},
                                            {"f()", "f"},
                                            {"[a]", "[a, a]"}}) {
    CAPTURE(pair.a);
    CHECK_FALSE(same(pair.a, pair.b));
  }
  CHECK(SyntaxTree{} == SyntaxTree{});
  CHECK_FALSE(SyntaxTree{} == parse_expression("a"));
}

TEST_CASE("names are letters, digits and underscores, and no words of the language") {
  for (const char* name : {"W", "h1", "_", "_x", "log_softmax", "T", "True", "e1"})
    CHECK(is_name(name));
  for (const char* other :
       {"", "1a", "a b", "a-b", "and", "or", "not", "true", "false", "a.T", "\xCE\xBB", "a\n"})
    CHECK_FALSE(is_name(other));
}
