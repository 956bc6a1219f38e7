#include "models/language/print.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "autodiff/error.hpp"
#include "models/language/syntax.hpp"
#include "models/language/tokens.hpp"

using namespace jacquard::models;

namespace {

std::string reprinted(const std::string& text) { return print_expression(parse_expression(text)); }

struct Sample {
  std::string text;
  std::string canonical;
};

// Draws trees of every kind of node that a text can give.
class RandomTree {
 public:
  explicit RandomTree(unsigned seed) : random_(seed) {}

  SyntaxTree draw(int depth) {
    tree_ = {};
    expression(depth);
    return tree_;
  }

 private:
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(random_()) % n; }
  template <class T>
  T one_of(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }
  int add(SyntaxNode node) {
    tree_.nodes.push_back(std::move(node));
    return tree_.root();
  }

  double number() {
    if (below(2) == 0) return static_cast<double>(below(20)) / one_of<double>({1, 2, 10, 1000});
    for (;;) {  // all bit patterns
      const double value = std::abs(std::bit_cast<double>(
          (static_cast<std::uint64_t>(random_()) << 32) | static_cast<std::uint64_t>(random_())));
      if (std::isfinite(value)) return value;
    }
  }

  int leaf() {
    switch (below(4)) {
      case 0:
        return add({.kind = SyntaxKind::kNumber, .number = number()});
      case 1:
        return add({.kind = SyntaxKind::kBoolean, .number = static_cast<double>(below(2))});
      case 2:
        return add({.kind = SyntaxKind::kText,
                    .text = one_of<std::string>({"", "bi,ij->bj", "it's", "say \"x\"", "a\\n(["})});
      default:
        return add({.kind = SyntaxKind::kName,
                    .text = one_of<std::string>({"a", "W", "T", "e1", "_", "nothing", "x_1"})});
    }
  }

  std::vector<int> several(int depth, std::size_t least) {
    std::vector<int> result;
    for (std::size_t n = least + below(3); n > 0; --n) result.push_back(expression(depth));
    return result;
  }

  int index(int depth) {
    std::vector<int> children = {expression(depth)};
    for (std::size_t n = 1 + below(3); n > 0; --n) {
      if (below(2) == 0) {
        children.push_back(expression(depth));
        continue;
      }
      const int begin = below(2) == 0 ? add({}) : expression(depth);
      const int end = below(2) == 0 ? add({}) : expression(depth);
      children.push_back(add({.kind = SyntaxKind::kSlice, .children = {begin, end}}));
    }
    return add({.kind = SyntaxKind::kIndex, .children = children});
  }

  int call(int depth) {
    SyntaxNode node{.kind = SyntaxKind::kCall, .text = one_of<std::string>({"f", "sum", "T"})};
    node.children = several(depth, 0);
    for (const char* name : {"axis", "keepdims"})
      if (below(3) == 0) {
        node.children.push_back(expression(depth));
        node.keywords.push_back({name, {}});
      }
    return add(std::move(node));
  }

  int expression(int depth) {
    if (depth <= 0 || below(8) == 0) return leaf();
    --depth;
    switch (below(8)) {
      case 0:
        return call(depth);
      case 1:
        return index(depth);
      case 2:
        return add({.kind = SyntaxKind::kList, .children = several(depth, 0)});
      case 3:
      case 4: {
        const int child = expression(depth);
        return add({.kind = SyntaxKind::kUnary,
                    .text = one_of<std::string>({"-", "not", ".T"}),
                    .children = {child}});
      }
      default: {
        const int left = expression(depth);
        const int right = expression(depth);
        return add({.kind = SyntaxKind::kBinary,
                    .text = one_of<std::string>({"+", "-", "*", "/", "@", "^", "^", "<", "<=", ">",
                                                 ">=", "==", "!=", "and", "or"}),
                    .children = {left, right}});
      }
    }
  }

  std::mt19937 random_;
  SyntaxTree tree_;
};

bool reads_as(const std::string& text, const SyntaxTree& tree) {
  try {
    return parse_expression(text) == tree;
  } catch (const LanguageError&) {
    return false;
  }
}

// The text without the pair of parentheses that opens at byte `open`.
std::string without_parentheses(const std::string& text, std::size_t open) {
  std::size_t close = open;
  int depth = 0;
  char quote = '\0';
  for (;; ++close) {
    const char c = text[close];
    if (quote != '\0') {
      if (c == quote) quote = '\0';
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(') {
      ++depth;
    } else if (c == ')' && --depth == 0) {
      break;
    }
  }
  return text.substr(0, open) + " " + text.substr(open + 1, close - open - 1) + " " +
         text.substr(close + 1);
}

}  // namespace

TEST_CASE("canonical text has the needed parentheses and blanks only") {
  for (const Sample& sample :
       std::vector<Sample>{{"((a))+(b*c)", "a + b * c"},
                           {"(a+b)*c", "(a + b) * c"},
                           {"a-(b-c)", "a - (b - c)"},
                           {"(a-b)-c", "a - b - c"},
                           {"(a^b)^c", "(a^b)^c"},
                           {"a^(b^c)", "a^b^c"},
                           {"-(a^2)", "-a^2"},
                           {"(-a)^2", "(-a)^2"},
                           {"2^(-1)", "2^-1"},
                           {"2^(-(a*b))", "2^-(a * b)"},
                           {"a*(-b)", "a * -b"},
                           {"(-a)*b", "-a * b"},
                           {"-(a*b)", "-(a * b)"},
                           {"-(-a)", "--a"},
                           {"(a<b)==c", "(a < b) == c"},
                           {"not(a==b)", "not a == b"},
                           {"(not a)==b", "(not a) == b"},
                           {"not(a and b)", "not (a and b)"},
                           {"(a and b)or c", "a and b or c"},
                           {"a and(b or c)", "a and (b or c)"},
                           {"(a@b).T", "(a @ b).T"},
                           {"(-a).T", "(-a).T"},
                           {"(5).T", "(5).T"},
                           {"((a.T))[ 0 ]", "a.T[0]"},
                           {"x[ : ,1 :,:-1, (a+b):c]", "x[:, 1:, :-1, a + b:c]"},
                           {"f( a,k = (1+2) )", "f(a, k=1 + 2)"},
                           {"[ ( a ) , [ ] ]", "[a, []]"},
                           {"f(\"x\")", "f('x')"},
                           {"\"it's\"", "\"it's\""},
                           {"true or  false", "true or false"},
                           {"mean((h < 0.05) or (h > 0.95))", "mean(h < 0.05 or h > 0.95)"}}) {
    CAPTURE(sample.text);
    CHECK(reprinted(sample.text) == sample.canonical);
    CHECK(reprinted(sample.canonical) == sample.canonical);
  }
}

TEST_CASE("numbers are written with the fewest digits that give them back") {
  for (const Sample& sample : std::vector<Sample>{{"0.10", "0.1"},
                                                  {"1e-3", "0.001"},
                                                  {"5.", "5"},
                                                  {"100", "100"},
                                                  {"100000.0", "1e5"},
                                                  {"0.00001", "1e-5"},
                                                  {"1e22", "1e22"},
                                                  {"1.5e300", "1.5e300"},
                                                  {"10e-324", "1e-323"},
                                                  {"0.1000000000000000055", "0.1"},
                                                  {"123456789.25", "123456789.25"}}) {
    CAPTURE(sample.text);
    CHECK(reprinted(sample.text) == sample.canonical);
  }
}

TEST_CASE("reading a printed tree gives the tree back") {
  RandomTree random(17);
  std::size_t nodes = 0;
  for (int round = 0; round < 20000; ++round) {
    const SyntaxTree tree = random.draw(1 + round % 6);
    const std::string text = print_expression(tree);
    if (text.size() > kMaxTextLength) continue;
    CAPTURE(text);
    const SyntaxTree again = parse_expression(text);
    REQUIRE(again == tree);
    REQUIRE(print_expression(again) == text);
    nodes += tree.nodes.size();
  }
  CHECK(nodes > 100000);
}

TEST_CASE("no pair of parentheses in a printed tree can be left out") {
  RandomTree random(23);
  int pairs = 0;
  for (int round = 0; round < 3000; ++round) {
    const SyntaxTree tree = random.draw(3);
    const std::string text = print_expression(tree);
    CAPTURE(text);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool in_quotes = (std::count(text.begin(), text.begin() + static_cast<int>(i), '\'') +
                              std::count(text.begin(), text.begin() + static_cast<int>(i), '"')) >
                             0;  // texts with quotes are left to the other tests
      const char before = i > 0 ? text[i - 1] : ' ';
      if (text[i] != '(' || in_quotes || std::isalnum(before) != 0 || before == '_') continue;
      // (5).T without parentheses but with the blanks put in their place would be read.
      if (text.find(").T", i) != std::string::npos) continue;
      REQUIRE_FALSE(reads_as(without_parentheses(text, i), tree));
      ++pairs;
    }
  }
  CHECK(pairs > 1000);
}

TEST_CASE("trees that no text can give are refused") {
  const auto printed = [](SyntaxNode node) { return print_expression({"", {std::move(node)}}); };
  CHECK_THROWS_WITH_AS(
      printed({.kind = SyntaxKind::kNumber, .number = -1}),
      "print_expression: number -1 cannot be written; a unary minus makes negative "
      "numbers",
      jacquard::InternalError);
  for (const double value :
       {-0.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(printed({.kind = SyntaxKind::kNumber, .number = value}),
                    jacquard::InternalError);
  CHECK_THROWS_WITH_AS(printed({.kind = SyntaxKind::kText, .text = "'\""}),
                       "print_expression: text '\" holds both kinds of quotes",
                       jacquard::InternalError);
  CHECK_THROWS_WITH_AS(printed({.kind = SyntaxKind::kList, .children = {0}}),
                       "print_expression: node 0 has child 0; children stand before their parents",
                       jacquard::InternalError);
  CHECK_THROWS_WITH_AS(
      print_expression({"",
                        {{.kind = SyntaxKind::kName, .text = "a"},
                         {.kind = SyntaxKind::kBinary, .text = "%", .children = {0, 0}}}}),
      "syntax tree: unknown operator '%'", jacquard::InternalError);
  CHECK(print_expression({}) == "");
}

TEST_CASE("the highest tree prints and reads back") {
  std::string text = "a";
  for (int i = 1; i < kMaxTreeHeight; ++i) text += i % 2 == 0 ? " - a" : " + b";
  CHECK(reprinted(text) == text);
}
