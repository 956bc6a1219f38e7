// What is no cost text: the full message and the place of every mistake, and hostile input.
#include <doctest/doctest.h>

#include <random>
#include <string>
#include <vector>

#include "models/language/print.hpp"
#include "models/language/syntax.hpp"
#include "models/language/tokens.hpp"

using namespace jacquard::models;

namespace {

// "begin+length: message; hint", or "" when the text is read.
std::string mistake_in(const std::string& text) {
  try {
    parse_expression(text);
    return "";
  } catch (const LanguageError& error) {
    return jacquard::cat(error.begin, "+", error.length, ": ", error.message,
                         error.hint.empty() ? "" : "; ", error.hint);
  }
}

std::string repeated(const std::string& piece, int times) {
  std::string result;
  for (int i = 0; i < times; ++i) result += piece;
  return result;
}

struct Mistake {
  std::string text;
  std::string error;
};

void check_all(const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    CAPTURE(mistake.text);
    CHECK(mistake_in(mistake.text) == mistake.error);
  }
}

// Reads the text; what it gives must be an error inside the text or a tree that prints and reads
// back to itself.
void check_survives(const std::string& text) {
  try {
    const SyntaxTree tree = parse_expression(text);
    if (!(parse_expression(print_expression(tree)) == tree)) FAIL("changed by printing: ", text);
  } catch (const LanguageError& error) {
    if (error.begin + error.length > text.size() || error.message.empty())
      FAIL("no place or no message: ", text, ": ", error.what());
  }
}

}  // namespace

TEST_CASE("operands and operators that are missing are named with their neighbours") {
  check_all({
      {"", "0+0: the text is empty; an expression is needed, as in mean(x)"},
      {" \n ", "3+0: the text is empty; an expression is needed, as in mean(x)"},
      {"a +", "3+0: the text ends behind '+'; an operand is missing"},
      {"-", "1+0: the text ends behind '-'; an operand is missing"},
      {"not", "3+0: the text ends behind 'not'; an operand is missing"},
      {"f(a,", "4+0: the text ends behind ','; an operand is missing"},
      {"a + * b", "4+1: an operand is missing between '+' and '*'"},
      {"* b", "0+1: an operand is missing before '*'"},
      {"+a", "0+1: an operand is missing before '+'; a sign '+' is not needed"},
      {"2 * +a", "4+1: an operand is missing between '*' and '+'; a sign '+' is not needed"},
      {"f(a,)", "4+1: an operand is missing between ',' and ')'"},
      {"f(,a)", "2+1: an operand is missing between '(' and ','"},
      {"()", "1+1: an operand is missing between '(' and ')'"},
      {"x[]", "2+1: an operand is missing between '[' and ']'"},
      {"[1,,2]", "3+1: an operand is missing between ',' and ','"},
      {"f(k=)", "4+1: an operand is missing between '=' and ')'"},
      {"a b", "2+1: an operator is missing between 'a' and 'b'; a product is written with '*'"},
      {"2 x", "2+1: an operator is missing between '2' and 'x'; a product is written with '*'"},
      {"f(x)(y)", "4+1: an operator is missing between ')' and '('; a product is written with '*'"},
      {"(f)(x)", "3+1: an operator is missing between ')' and '('; a product is written with '*'"},
      {"a not b", "2+3: an operator is missing between 'a' and 'not'"},
      {"a 'b'", "2+3: an operator is missing between 'a' and ''b''"},
      {"W'*W'", "1+4: an operator is missing between 'W' and ''*W''; write '.T' for the transpose"},
  });
}

TEST_CASE("brackets that do not match are shown where they open") {
  check_all({
      {"(a + b", "0+1: '(' is never closed"},
      {"2*(", "2+1: '(' is never closed"},
      {"mean(f(a) + (b)", "4+1: '(' is never closed"},
      {"x[0:", "1+1: '[' is never closed"},
      {"a + [1, 2", "4+1: '[' is never closed"},
      {"f((a]", "2+1: '(' is closed by ']'; write ')'"},
      {"x[f(a)) + b", "1+1: '[' is closed by ')'; write ']'"},
      {"[(]", "1+1: '(' is closed by ']'; write ')'"},
      {"a)", "1+1: ')' closes nothing; delete it or write the '(' that it closes"},
      {"]", "0+1: ']' closes nothing; delete it or write the '[' that it closes"},
  });
}

TEST_CASE("commas, colons and equal signs out of place say what is meant") {
  check_all({
      {"a = b", "2+1: '=' has no place here; write '==' to compare"},
      {"(a = b)", "3+1: '=' has no place here; write '==' to compare"},
      {"[a = b]", "3+1: '=' has no place here; write '==' to compare"},
      {"f(2 = b)",
       "4+1: '=' has no place here; arguments are named as in sum(t, axis=1); write '==' to "
       "compare"},
      {"f(axis=1, b)",
       "10+1: an argument without a name stands behind 'axis='; named arguments come last"},
      {"f(axis=1, axis=2)", "10+4: argument 'axis' is given twice"},
      {"a, b", "1+1: ',' stands outside of a call, a list and an index; lists are written [a, b]"},
      {"f((a, b))",
       "4+1: ',' stands in parentheses that call nothing; write ')' before it, or a list [a, b]"},
      {"a:b", "1+1: ':' stands outside of an index; slices are written x[0:10]"},
      {"f(1:2)", "3+1: ':' stands outside of an index; slices are written x[0:10]"},
      {"[1:2]", "2+1: ':' stands in a list; slices are written x[0:10]"},
      {"x[::2]", "3+1: a slice has no step; slices are written begin:end"},
      {"x[0:10:2]", "6+1: a slice has no step; slices are written begin:end"},
      {"a < b < c", "6+1: comparisons cannot be chained; write 'a < b and b < c'"},
      {"a == b != c", "7+2: comparisons cannot be chained; write 'a < b and b < c'"},
      {"a + not b", "4+3: 'not' cannot stand behind '+'; put it in parentheses: (not ...)"},
      {"-not b", "1+3: 'not' cannot stand behind '-'; put it in parentheses: (not ...)"},
      {"x.shape", "1+6: '.shape' is not known; the only one is '.T', the transpose"},
      {"x.", "1+1: '.' is not followed by a name; '.T' is the transpose"},
      {"x.T2", "1+3: '.T2' is not known; the only one is '.T', the transpose"},
  });
}

TEST_CASE("what other languages write is answered with what this one does") {
  check_all({
      {"a ** 2", "2+2: '**' is not an operator; write '^' for powers"},
      {"a // 2", "2+2: '//' is not an operator; there is no integer division; '/' divides"},
      {"a & b", "2+1: '&' is not an operator; write 'and'"},
      {"a && b", "2+2: '&&' is not an operator; write 'and'"},
      {"a | b", "2+1: '|' is not an operator; write 'or'"},
      {"a || b", "2+2: '||' is not an operator; write 'or'"},
      {"!a", "0+1: '!' is not an operator; write 'not'"},
      {"~a", "0+1: '~' is not an operator; write 'not'"},
      {"a <> b", "2+2: '<>' is not an operator; write '!='"},
      {"a =< b", "2+2: '=<' is not an operator; write '<='"},
      {"a => b", "2+2: '=>' is not an operator; write '>='"},
      {"a.*b",
       "1+2: '.*' is not an operator; '*' works element by element, '@' is the matrix product"},
      {"a./b", "1+2: './' is not an operator; '/' works element by element"},
      {"a.^b", "1+2: '.^' is not an operator; '^' works element by element"},
      {"a # b",
       "2+1: character '#' is not part of the language; comments belong outside of the text"},
      {"{1}", "0+1: character '{' is not part of the language; lists are written [1, 2]"},
      {"a;",
       "1+1: character ';' is not part of the language; one text is one expression; name "
       "parts of it as definitions"},
      {"a ? b",
       "2+1: character '?' is not part of the language; a choice is written "
       "where(condition, a, b)"},
      {"a $ b", "2+1: character '$' is not part of the language"},
      {"a \x01", "2+1: control character 0x01 is not part of the language"},
      {"a \xFF", "2+1: byte 0xff is not part of the language; the text must be plain ASCII"},
      {"a \xE2\x88\x92 b",
       "2+3: character '\xE2\x88\x92' (U+2212, minus sign) is not part of the language; write '-'"},
      {"2\xC3\x97 b",
       "1+2: character '\xC3\x97' (U+00D7, multiplication sign) is not part of the "
       "language; write '*'"},
      {"x\xC2\xB2",
       "1+2: character '\xC2\xB2' (U+00B2, superscript two) is not part of the "
       "language; write '^2'"},
      {"\xCE\xBB*x",
       "0+2: character '\xCE\xBB' (U+03BB) is not part of the language; spell Greek "
       "letters out, as in lambda or rho"},
      {"h\xC3\xA9",
       "1+2: character '\xC3\xA9' (U+00E9) is not part of the language; names are "
       "written with a-z, A-Z, 0-9 and _"},
      {"a\xE2\x80\x8B",
       "1+3: character (U+200B, zero width space) is not part of the language; "
       "delete this invisible character"},
  });
  CHECK(mistake_in(std::string("a\0b", 3)) ==
        "1+1: control character 0x00 is not part of the language");
}

TEST_CASE("numbers and quoted texts that are none are refused whole") {
  check_all({
      {"2x", "0+2: '2x' is not a number; write '2*x' for a product"},
      {"1e-3x", "0+5: '1e-3x' is not a number; write '1e-3*x' for a product"},
      {"1 + 5.T", "4+3: '5.T' is not a number; write '(5).T'"},
      {"1e", "0+2: '1e' is not a number; numbers look like 1, 0.5 or 1e-3"},
      {"1e+", "0+2: '1e' is not a number; numbers look like 1, 0.5 or 1e-3"},
      {"1.2.3", "0+5: '1.2.3' is not a number; numbers look like 1, 0.5 or 1e-3"},
      {"1..2", "0+4: '1..2' is not a number; numbers look like 1, 0.5 or 1e-3"},
      {"0x10", "0+4: '0x10' is not a number; numbers look like 1, 0.5 or 1e-3"},
      {"1_000", "0+5: '1_000' is not a number; numbers look like 1, 0.5 or 1e-3"},
      {"1e400", "0+5: number '1e400' is out of range; numbers lie between 4.9e-324 and 1.8e308"},
      {"1e-400", "0+6: number '1e-400' is out of range; numbers lie between 4.9e-324 and 1.8e308"},
      {"2e308", "0+5: number '2e308' is out of range; numbers lie between 4.9e-324 and 1.8e308"},
      {"1e99999999999999999999",
       "0+22: number '1e99999999999999999999' is out of range; numbers lie between 4.9e-324 and "
       "1.8e308"},
      {"f(\"ab)", "2+1: the quote \" is never closed"},
      {"f('ab\")", "2+1: the quote ' is never closed"},
      {"x @ W'", "5+1: the quote ' is never closed; write '.T' for the transpose"},
      {"'a\nb'",
       "2+1: control character 0x0a stands in a quoted text; quoted texts hold printable "
       "ASCII characters"},
      {"'\xCE\xBB'",
       "1+2: character '\xCE\xBB' (U+03BB) stands in a quoted text; quoted texts "
       "hold printable ASCII characters"},
  });
  CHECK(mistake_in(std::string(100, '7') + "x") ==
        "0+101: '7777777777777777777777777777777777777777...' is not a number; numbers look like "
        "1, 0.5 or 1e-3");
}

TEST_CASE("nesting is allowed 200 deep and refused at once beyond") {
  struct Form {
    const char* open;
    const char* close;
  };
  for (const Form& form : std::vector<Form>{{"(", ")"},
                                            {"[", "]"},
                                            {"f(", ")"},
                                            {"f(k=", ")"},
                                            {"x[", "]"},
                                            {"x[1:", "]"},
                                            {"-", ""},
                                            {"not ", ""},
                                            {"a^", ""},
                                            {"1 or (", ")"}}) {
    CAPTURE(form.open);
    const auto nested = [&](int depth) {
      return repeated(form.open, depth) + "a" + repeated(form.close, depth);
    };
    CHECK(mistake_in(nested(kMaxNesting)) == "");
    check_survives(nested(kMaxNesting));
    for (const int depth : {kMaxNesting + 1, 20000}) {
      const std::string text = repeated(form.open, depth) + (depth < 1000 ? "a" : "");
      if (text.size() > kMaxTextLength) continue;
      const std::string error = mistake_in(text);
      CHECK(error.substr(error.find(':')) ==
            ": the text is nested more than 200 deep; name inner parts as definitions");
    }
  }
  CHECK(mistake_in(repeated("(", 20000)) ==
        "200+1: the text is nested more than 200 deep; name inner parts as definitions");
  CHECK(mistake_in(repeated("a^", 20000)) ==
        "401+1: the text is nested more than 200 deep; name inner parts as definitions");
  // What stands side by side does not add up.
  CHECK(mistake_in("a" + repeated(" + a^2 * -(b) * not_[0] - f([c], k=d)", 240)) == "");
  CHECK(mistake_in("true" + repeated(" and not a", 300)) == "");
  // All binary levels between two brackets cost the parser most of its own stack.
  const std::string ladder = "a or b and c < d + e * f ^ (";
  CHECK(mistake_in(repeated(ladder, 100) + "a" + repeated(")", 100)) == "");
}

TEST_CASE("chains are allowed 1000 high and refused beyond") {
  CHECK(mistake_in("a" + repeated(" + a", kMaxTreeHeight - 1)) == "");
  CHECK(mistake_in("a" + repeated("+a", kMaxTreeHeight)) ==
        "1999+1: more than 1000 operations stand on one another; name parts of the text as "
        "definitions");
  CHECK(mistake_in("a" + repeated(".T", kMaxTreeHeight - 1)) == "");
  CHECK(mistake_in("a" + repeated(".T", 20000)) ==
        "1999+2: more than 1000 operations stand on one another; name parts of the text as "
        "definitions");
  CHECK(mistake_in("a" + repeated("[0]", 20000)) ==
        "2998+3: more than 1000 operations stand on one another; name parts of the text as "
        "definitions");
  CHECK(mistake_in("[0" + repeated(",1", 30000) + "]") == "");  // wide is not high
}

TEST_CASE("texts are allowed up to 64 kB") {
  CHECK(mistake_in(std::string(kMaxTextLength, 'a')) == "");
  CHECK(mistake_in(std::string(kMaxTextLength + 7, 'a')) ==
        "65536+7: the text has 65543 bytes; at most 65536 are allowed; name parts of it as "
        "definitions");
  CHECK(mistake_in(repeated("(", 70000)) ==
        "65536+4464: the text has 70000 bytes; at most 65536 are allowed; name parts of it as "
        "definitions");
}

TEST_CASE("random bytes never crash") {
  std::mt19937 random(5);
  std::string text;
  for (int round = 0; round < 100000; ++round) {
    text.resize(random() % 48);
    for (char& c : text) c = static_cast<char>(random() % (round % 2 == 0 ? 256 : 128));
    check_survives(text);
  }
}

TEST_CASE("random pieces of the language never crash") {
  const std::vector<std::string> pieces = {
      "a", "W",   "f(", "(",   ")",  "[",  "]",   ",",   ":",    "=",  "+",    "-",  "*",
      "/", "@",   "^",  "<",   "<=", "==", "!=",  "and", "or",   " ",  "not ", ".T", ".",
      "1", "0.5", "2.", "1e3", "k=", "'",  "'s'", "\"",  "true", "x[", "  ",   "**", "!"};
  std::mt19937 random(6);
  for (int round = 0; round < 100000; ++round) {
    std::string text;
    for (auto n = 1 + random() % 9; n > 0; --n) text += pieces[random() % pieces.size()];
    check_survives(text);
  }
}

TEST_CASE("every prefix, deletion, doubling and bit flip of a valid text is read or refused") {
  const std::vector<std::string> valid = {
      "mean(cross_entropy_logits(y, x)) + 0.1 * mean(sqnorm(jacobian(h, x)))",
      "p*log(p/q) + (1-p)*log((1-p)/(1-q))", "mean((h < 0.05) or not (h > 0.95 and true))",
      "contract('bi,ij->bj', x[:, 0:10], W.T)[-1]^-2 @ reshape(t, [5, -1], keepdims=false)"};
  for (const std::string& text : valid) {
    check_survives(text);
    for (std::size_t i = 0; i < text.size(); ++i) {
      check_survives(text.substr(0, i));
      check_survives(text.substr(i));
      check_survives(text.substr(0, i) + text.substr(i + 1));
      check_survives(text.substr(0, i) + text[i] + text.substr(i));
      for (int bit = 0; bit < 8; ++bit) {
        std::string flipped = text;
        flipped[i] = static_cast<char>(flipped[i] ^ (1 << bit));
        check_survives(flipped);
      }
    }
  }
}
