#include "models/language/language_error.hpp"

#include <doctest/doctest.h>

#include <random>
#include <string>

#include "models/language/unicode.hpp"

using namespace jacquard::models;

TEST_CASE("an error shows its message, its hint and its place") {
  const LanguageError error("mean(sqnrm(h))", {5, 5}, "unknown function 'sqnrm'",
                            "did you mean 'sqnorm'?");
  CHECK(std::string(error.what()) ==
        "unknown function 'sqnrm'; did you mean 'sqnorm'?\n"
        "  mean(sqnrm(h))\n"
        "       ^~~~~");
  CHECK(error.begin == 5);
  CHECK(error.length == 5);
  CHECK(error.message == "unknown function 'sqnrm'");
  CHECK(error.hint == "did you mean 'sqnorm'?");
  const LanguageError bare("a", {1, 0}, "wrong");
  CHECK(std::string(bare.what()) == "wrong\n  a\n   ^");
  CHECK_THROWS_AS(throw bare, jacquard::SpecError);
}

TEST_CASE("the caret stands under the place in every kind of line") {
  CHECK(show_caret("", {0, 0}) == "  \n  ^");
  CHECK(show_caret("abc", {0, 3}) == "  abc\n  ^~~");
  CHECK(show_caret("abc", {99, 3}) == "  abc\n     ^");
  CHECK(show_caret("abc", {1, 99}) == "  abc\n   ^~");
  CHECK(show_caret("ab\ncd ef\ngh", {6, 2}) == "  cd ef\n     ^~");
  CHECK(show_caret("ab\r\ncd", {4, 1}) == "  cd\n  ^");
  CHECK(show_caret("ab\ncd", {1, 3}) == "  ab\n   ^");   // runs on to the next line
  CHECK(show_caret("ab\ncd", {2, 1}) == "  ab\n    ^");  // the line end itself
  CHECK(show_caret("a\tb", {2, 1}) == "  a b\n    ^");   // a tab takes one column
  CHECK(show_caret("a\x01\xFF"
                   "b",
                   {3, 1}) == "  a??b\n     ^");
  CHECK(show_caret("\xCE\xBB\xE2\x88\x92"
                   "b",
                   {5, 1}) ==
        "  \xCE\xBB\xE2\x88\x92"
        "b\n    ^");
  CHECK(show_caret("\xCE\xBB\xE2\x88\x92"
                   "b",
                   {0, 5}) ==
        "  \xCE\xBB\xE2\x88\x92"
        "b\n  ^~");
}

TEST_CASE("a long line is cut to a window round the place") {
  std::string text(200, '.');
  text[100] = 'X';
  CHECK(show_caret(text, {100, 1}) == "  ..." + std::string(36, '.') + "X" + std::string(59, '.') +
                                          "...\n" + std::string(41, ' ') + "^");
  CHECK(show_caret(text, {100, 100}) == "  ..." + std::string(36, '.') + "X" +
                                            std::string(59, '.') + "...\n" + std::string(41, ' ') +
                                            "^" + std::string(59, '~'));
  CHECK(show_caret(std::string(1000000, 'x'), {500000, 2}).size() < 200);
}

TEST_CASE("any bytes and any span can be shown") {
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string text(random() % 120, ' ');
    for (char& c : text) c = static_cast<char>(random());
    const std::string shown = show_caret(text, {random() % 130, random() % 130});
    REQUIRE(shown.find('\n') == shown.rfind('\n'));
    REQUIRE(shown.find('\0') == std::string::npos);
    REQUIRE(quoted(text).size() < 60);
  }
}

TEST_CASE("quoted text is cut and made printable") {
  CHECK(quoted("abc") == "'abc'");
  CHECK(quoted("") == "''");
  CHECK(quoted("a\nb\xFF") == "'a?b?'");
  CHECK(quoted(std::string(40, 'x')) == "'" + std::string(40, 'x') + "'");
  CHECK(quoted(std::string(41, 'x')) == "'" + std::string(40, 'x') + "...'");
}

TEST_CASE("utf-8 is read strictly") {
  const auto decode = [](const std::string& text) { return decode_utf8(text, 0); };
  CHECK(decode("a").value == U'a');
  CHECK(decode("\xCE\xBB").value == U'\u03BB');
  CHECK(decode("\xE2\x88\x92").value == U'\u2212');
  CHECK(decode("\xF0\x9F\x98\x80").value == U'\U0001F600');
  CHECK(decode("\xF0\x9F\x98\x80").length == 4);
  for (const char* bad : {"\x80", "\xC1\x81", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                          "\xF0\x80\x80\x80", "\xE2\x88", "\xCE",
                          "\xCE"
                          "a",
                          "\xFF"}) {
    CHECK_FALSE(decode(bad).valid);
    CHECK(decode(bad).length == 1);
  }
}
