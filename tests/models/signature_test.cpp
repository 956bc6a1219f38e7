#include "models/language/signature.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "autodiff/error.hpp"

using namespace jacquard::models;

namespace {

struct Mistake {
  std::string text;
  std::string error;
};

std::string mistake_in(const std::string& text) {
  try {
    parse_signature(text);
    return "";
  } catch (const LanguageError& error) {
    return jacquard::cat(error.begin, "+", error.length, ": ", error.message, "; ", error.hint);
  }
}

const std::string kForm = "; a function's head is written name(argument, argument)";

}  // namespace

TEST_CASE("a signature is a name and the names of its arguments") {
  CHECK(parse_signature("kl(p, q)") == Signature{"kl", {"p", "q"}});
  CHECK(parse_signature("  f ( _x1 ) ") == Signature{"f", {"_x1"}});
  CHECK(parse_signature("f()") == Signature{"f", {}});
  CHECK(parse_signature("f(f,T,x)") == Signature{"f", {"f", "T", "x"}});
}

TEST_CASE("everything else is refused with its place") {
  for (const Mistake& mistake : std::vector<Mistake>{
           {"", "0+0: the text ends in place of the function's name" + kForm},
           {"f", "1+0: the text ends in place of '(' behind the function's name" + kForm},
           {"f(", "2+0: the text ends in place of an argument's name" + kForm},
           {"f(a", "3+0: the text ends in place of ',' or ')' behind the argument" + kForm},
           {"f(a,", "4+0: the text ends in place of an argument's name" + kForm},
           {"f(a,)", "4+1: ')' stands in place of an argument's name" + kForm},
           {"f(a b)", "4+1: 'b' stands in place of ',' or ')' behind the argument" + kForm},
           {"f(a) b", "5+1: 'b' stands in place of the end of the text behind ')'" + kForm},
           {"f(a))", "4+1: ')' stands in place of the end of the text behind ')'" + kForm},
           {"(a)", "0+1: '(' stands in place of the function's name" + kForm},
           {"f[a]", "1+1: '[' stands in place of '(' behind the function's name" + kForm},
           {"f(1)", "2+1: '1' stands in place of an argument's name" + kForm},
           {"f('a')", "2+3: ''a'' stands in place of an argument's name" + kForm},
           {"f(a=1)", "3+1: '=' stands in place of ',' or ')' behind the argument" + kForm},
           {"f(g(a))", "3+1: '(' stands in place of ',' or ')' behind the argument" + kForm},
           {"f(not)", "2+3: the word 'not' stands in place of an argument's name" + kForm},
           {"true(a)", "0+4: the word 'true' stands in place of the function's name" + kForm},
           {"f(p, q, p)", "8+1: argument 'p' is there twice; arguments need different names"},
           {"f(\xCE\xBB)",
            "2+2: character '\xCE\xBB' (U+03BB) is not part of the language; spell Greek letters "
            "out, as in lambda or rho"}}) {
    CAPTURE(mistake.text);
    CHECK(mistake_in(mistake.text) == mistake.error);
  }
}

TEST_CASE("a head of 20,000 arguments is read at once") {
  std::string text = "f(a0";
  for (int i = 1; text.size() < 60000; ++i) text += ",a" + std::to_string(i);
  CHECK(parse_signature(text + ")").arguments.size() > 9000);
}
