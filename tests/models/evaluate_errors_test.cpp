// Mistakes in names, definitions and functions: what is said, where, and what is left out.
#include <doctest/doctest.h>

#include <ctime>
#include <string>

#include "tests/models/mistakes.hpp"

using namespace jacquard;
using namespace jacquard::models;

TEST_CASE("unknown names and functions are all named at once, with the nearest known one") {
  check_all(
      {
          {"Wx", "0+2: unknown name 'Wx'; did you mean 'W'?"},
          {"sum(w)", "4+1: unknown name 'w'; did you mean 'W'?"},
          {"something", "0+9: unknown name 'something'; known names: M, W, code, epoch, labels, x"},
          {"mean(sqnrm(code))", "5+5: unknown function 'sqnrm'; did you mean 'sqnorm'?"},
          {"frobnicate(x)",
           "0+10: unknown function 'frobnicate'; 'jacquard show --functions' lists all functions"},
          {"x(3)", "0+1: unknown function 'x'; 'x' is a tensor; a product is written with '*'"},
          {"sum + 1",
           "0+3: unknown name 'sum'; it is a function: sum(t, axis=all, keepdims=false)"},
          {"kl + 1", "0+2: unknown name 'kl'; it is a function: kl(p, q)"},
          {"kll(x, x)", "0+3: unknown function 'kll'; did you mean 'kl'?"},
          {"y * y + maen(z) + z",
           "0+1: unknown name 'y'; known names: M, W, code, epoch, labels, x\n"
           "13+1: unknown name 'z'; known names: M, W, code, epoch, labels, x\n"
           "8+4: unknown function 'maen'; did you mean 'mean'?"},
      },
      {{"code", "x @ W"}}, {{"kl(p, q)", "p*log(p/q)"}});
}

TEST_CASE("an error says in which text it is and shows the piece with a caret") {
  CHECK(all_errors({{"h", "sigmoid(x @ V + b)"}, {"y", "h + 1"}}) ==
        "define/h: unknown name 'V'; known names: M, W, epoch, h, labels, x, y\n"
        "  sigmoid(x @ V + b)\n"
        "              ^\n"
        "define/h: unknown name 'b'; known names: M, W, epoch, h, labels, x, y\n"
        "  sigmoid(x @ V + b)\n"
        "                  ^");
  CHECK(all_errors({{"h", "x @ x"}, {"y", "h + 1"}, {"z", "y * h"}}) ==
        "define/h: matmul: [4, 3] @ [4, 3]: the inner sizes differ\n"
        "  x @ x\n"
        "    ^");
  CHECK(all_errors({{"h", "x +"}, {"y", "h"}}) ==
        "define/h: the text ends behind '+'; an operand is missing\n"
        "  x +\n"
        "     ^");
}

TEST_CASE("an error in a function shows the function's text and all calls that led there") {
  const NamedTexts functions = {{"inner(a, b)", "a @ b"}, {"outer(t)", "1 + inner(t, t)"}};
  CHECK(all_errors({{"h", "2 * outer(x)"}}, functions) ==
        "functions/inner(a, b): matmul: [4, 3] @ [4, 3]: the inner sizes differ\n"
        "  a @ b\n"
        "    ^\n"
        "called from functions/outer(t): 'inner(t, t)'\n"
        "called from define/h: 'outer(x)'");
  MistakeSetting s({}, functions);
  // A function that works for some shapes fails where it is called, once for one place.
  CHECK(s.environment.errors().empty());
  CHECK(s.mistakes_in("outer(M)").empty());
  CHECK(s.mistakes_in("outer(x)") == "2+1: matmul: [4, 3] @ [4, 3]: the inner sizes differ");
}

TEST_CASE("the same mistake in a function is reported once for all its calls") {
  CHECK(all_errors({{"a", "f(x)"}, {"b", "f(x) + 1"}, {"c", "a + b"}}, {{"f(t)", "t @ t"}}) ==
        "functions/f(t): matmul: [4, 3] @ [4, 3]: the inner sizes differ\n"
        "  t @ t\n"
        "    ^\n"
        "called from define/a: 'f(x)'");
}

TEST_CASE("functions are checked for unknown names also where nobody calls them") {
  CHECK(all_errors({{"y", "f(x)"}}, {{"f(t)", "t + tt + g(t)"}}) ==
        "functions/f(t): unknown name 'tt'; did you mean 't'?\n"
        "  t + tt + g(t)\n"
        "      ^~\n"
        "functions/f(t): unknown function 'g'; 'jacquard show --functions' lists all functions\n"
        "  t + tt + g(t)\n"
        "           ^");
}

TEST_CASE("signatures that cannot be used are refused at the name") {
  CHECK(all_errors({}, {{"f(a, a)", "a"}}) ==
        "name of functions/f(a, a): argument 'a' is there twice; arguments need different names\n"
        "  f(a, a)\n"
        "       ^");
  CHECK(all_errors({}, {{"exp(t)", "t"}}) ==
        "name of functions/exp(t): 'exp' is a function of the language; choose another name\n"
        "  exp(t)\n"
        "  ^~~");
  CHECK(all_errors({}, {{"f(a)", "a"}, {"f(a, b)", "a + b"}}) ==
        "name of functions/f(a, b): function 'f' is there twice; functions need different names\n"
        "  f(a, b)\n"
        "  ^");
  // Calls of it are no errors of their own.
  CHECK(all_errors({{"y", "f(x)"}}, {{"f(a", "a"}}) ==
        "name of functions/f(a: the text ends in place of ',' or ')' behind the argument; a "
        "function's head is written name(argument, argument)\n"
        "  f(a\n"
        "     ^");
}

TEST_CASE("names of definitions that cannot be used are refused") {
  CHECK(all_errors({{"W", "x"}}) ==
        "name of define/W: 'W' is already a tensor of shape [3, 2], a parameter or an input; "
        "choose another name\n"
        "  W\n"
        "  ^");
  CHECK(all_errors({{"2h", "x"}}) ==
        "name of define/2h: '2h' is no name; names consist of letters, digits and '_' and begin "
        "with no digit\n"
        "  2h\n"
        "  ^~");
  CHECK(all_errors({{"h", "x"}, {"h", "x"}}) ==
        "name of define/h: 'h' is defined twice; definitions need different names\n"
        "  h\n"
        "  ^");
}

TEST_CASE("cycles are named once, through functions as well, and their users are left out") {
  CHECK(all_errors({{"a", "b + 1"}, {"b", "c"}, {"c", "2 * a"}, {"user", "a + 1"}, {"ok", "x"}}) ==
        "define/a: definitions use each other in a cycle: a -> b -> c -> a; one of them must do "
        "without the next\n"
        "  b + 1\n"
        "  ^");
  CHECK(all_errors({{"h", "1 + h"}}) ==
        "define/h: definitions use each other in a cycle: h -> h; one of them must do without the "
        "next\n"
        "  1 + h\n"
        "      ^");
  CHECK(all_errors({{"h", "f(x)"}}, {{"f(t)", "t + h"}}) ==
        "functions/f(t): definitions use each other in a cycle: f() -> h -> f(); one of them must "
        "do without the next\n"
        "  t + h\n"
        "      ^");
  CHECK(all_errors({}, {{"f(t)", "g(t)"}, {"g(t)", "f(t) + 1"}}) ==
        "functions/f(t): definitions use each other in a cycle: f() -> g() -> f(); one of them "
        "must do without the next\n"
        "  g(t)\n"
        "  ^");
  // An argument of the same name is no cycle, and two cycles are both named.
  CHECK(all_errors({{"h", "f(x)"}}, {{"f(h)", "h + 1"}}).empty());
  const std::string two = all_errors({{"a", "b"}, {"b", "a"}, {"c", "d"}, {"d", "c"}});
  CHECK(two.find("a -> b -> a") != std::string::npos);
  CHECK(two.find("c -> d -> c") != std::string::npos);
}

TEST_CASE("texts that use something broken are left out without a word of their own") {
  MistakeSetting s({{"h", "x @ x"}, {"y", "h + 1"}}, {{"f(t)", "t + h"}, {"g(t)", "f(t)"}});
  s.environment.take_errors();
  for (const char* text : {"h", "mean(y)", "f(x)", "g(x)", "mean(h) + mean(x)"}) {
    CAPTURE(text);
    CHECK_FALSE(s.environment.expression(text, "cost/a").has_value());
    CHECK(s.environment.errors().empty());
  }
  CHECK(s.environment.expression("mean(x)", "cost/a").has_value());
  CHECK(s.environment.find("h") == nullptr);
}

TEST_CASE("expansions without end are stopped at once") {
  // f0 .. f60, each calling the one before it twice: 2^60 operations.
  NamedTexts functions = {{"f0(t)", "t + 1"}};
  for (int i = 1; i <= 60; ++i)
    functions.push_back({cat("f", i, "(t)"), cat("f", i - 1, "(t) + f", i - 1, "(2*t)")});
  const std::clock_t begin = std::clock();  // of the processor: others may be busy with it
  const std::string error = all_errors({{"y", "f60(x)"}}, functions);
  CHECK(error.find("functions expand to more than 2000000 operations; a definition is recorded "
                   "once, however often it is used") != std::string::npos);
  CHECK(error.find("... (") != std::string::npos);
  CHECK(std::clock() - begin < 30 * CLOCKS_PER_SEC);
  NamedTexts deep = {{"f0(t)", "t + 1"}};
  for (int i = 1; i <= 150; ++i) deep.push_back({cat("f", i, "(t)"), cat("f", i - 1, "(t)")});
  CHECK(all_errors({{"y", "f150(x)"}}, deep).find("functions call each other more than 100 deep") !=
        std::string::npos);
  CHECK(all_errors({{"y", "f99(x)"}}, deep).empty());
}

TEST_CASE("thousands of mistakes cost no more than they are worth") {
  NamedTexts define;
  for (int i = 0; i < 5000; ++i) define.push_back({cat("d", i), cat("d", i, " + missing", i)});
  const std::clock_t begin = std::clock();  // of the processor: others may be busy with it
  MistakeSetting s(define, {});
  CHECK(s.environment.errors().size() == Environment::kMaxErrors);
  NamedTexts cycles;
  for (int i = 0; i < 5000; ++i) cycles.push_back({cat("d", i), cat("d", i, " + 1")});
  MistakeSetting t(cycles, {});
  CHECK(t.environment.errors().size() == 20);
  CHECK(std::clock() - begin < 20 * CLOCKS_PER_SEC);
}
