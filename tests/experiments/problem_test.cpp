#include "experiments/problem.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "experiments/json_text.hpp"
#include "experiments/source_text.hpp"

using namespace jacquard;
using namespace jacquard::experiments;
using Json = nlohmann::ordered_json;

namespace {

std::string marked(const Excerpt& shown) {
  return shown.line + '\n' + std::string(static_cast<std::size_t>(shown.caret_begin), ' ') +
         std::string(static_cast<std::size_t>(shown.caret_length), '^');
}

}  // namespace

TEST_CASE("a problem shows line, column, pointer, hint, the line and a caret") {
  const LocatedJson document = load_json(
      "{\n  \"cost\": {\n    \"contraction\": \"0.1*mean(sqnrm(jacobian(h, x)))\"\n  }\n}\n",
      "spec.json");
  Problems problems(document);
  problems.add_in_text("/cost/contraction", 9, 5, "unknown function 'sqnrm'",
                       "did you mean 'sqnorm'?");
  CHECK_THROWS_WITH_AS(problems.throw_if_any(),
                       "spec.json:3:30: error at /cost/contraction: unknown function 'sqnrm'; did "
                       "you mean 'sqnorm'?\n"
                       "    3 |     \"contraction\": \"0.1*mean(sqnrm(jacobian(h, x)))\"\n"
                       "      |                              ^~~~~",
                       InvalidSpec);
}

TEST_CASE("an offset inside a text is shown behind escapes and letters of several bytes") {
  const LocatedJson document =
      load_json("{\"c\": \"\xC3\xA9 \\n\\u00e9\\ud83d\\ude00 + sqnrm(x)\"}", "spec.json");
  Problems problems(document);
  // In the text itself: 2 + 1 + 1 + 2 + 4 + 3 bytes stand before the name.
  problems.add_in_text("/c", 13, 5, "unknown function 'sqnrm'");
  CHECK(to_text(problems.sorted()) ==
        "spec.json:1:33: error at /c: unknown function 'sqnrm'\n"
        "    1 | {\"c\": \"\xC3\xA9 \\n\\u00e9\\ud83d\\ude00 + sqnrm(x)\"}\n"
        "      |                                 ^~~~~");
}

TEST_CASE("problems are sorted by position, kept once, and thrown together with their data") {
  const LocatedJson document = load_json("{\"a\": 1,\n \"b\": [2, \"t\"]}", "spec.json");
  Problems problems(document);
  CHECK(problems.empty());
  problems.throw_if_any();
  problems.add("/b/1", "third", "", "all of them: 1, 2");
  problems.add_at_name("/b", "second", "do this");
  problems.add("/a", "first");
  problems.add("/a", "first");
  problems.add("", "whole");
  try {
    problems.throw_if_any();
    FAIL("nothing was thrown");
  } catch (const SpecError& error) {
    CHECK(std::string(error.what()) ==
          "spec.json:1:1: error: whole\n"
          "    1 | {\"a\": 1,\n"
          "      | ^~~~~~~~\n"
          "spec.json:1:7: error at /a: first\n"
          "    1 | {\"a\": 1,\n"
          "      |       ^\n"
          "spec.json:2:2: error at /b: second; do this\n"
          "    2 |  \"b\": [2, \"t\"]}\n"
          "      |  ^~~\n"
          "spec.json:2:11: error at /b/1: third\n"
          "    2 |  \"b\": [2, \"t\"]}\n"
          "      |           ^~~\n"
          "      = all of them: 1, 2");
    const auto& invalid = dynamic_cast<const InvalidSpec&>(error);
    REQUIRE(invalid.problems.size() == 4);
    CHECK(to_json(invalid.problems).dump() ==
          R"([{"pointer":"","line":1,"column":1,"message":"whole","hint":""},)"
          R"({"pointer":"/a","line":1,"column":7,"message":"first","hint":""},)"
          R"({"pointer":"/b","line":2,"column":2,"message":"second","hint":"do this"},)"
          R"({"pointer":"/b/1","line":2,"column":11,"message":"third","hint":"",)"
          R"("note":"all of them: 1, 2"}])");
  }
}

TEST_CASE("after 100 problems the rest is counted") {
  std::string text = "[0";
  for (int i = 1; i < 250; ++i) text += ",0";
  const LocatedJson document = load_json(text + "]", "spec.json");
  Problems problems(document);
  for (int i = 0; i < 250; ++i) problems.add(cat('/', i), "wrong");
  const std::vector<Problem> sorted = problems.sorted();
  REQUIRE(sorted.size() == 101);
  CHECK(sorted[99].pointer == "/99");
  CHECK(to_text(sorted[100]) == "spec.json: error: 150 further mistakes are not shown");
}

TEST_CASE("what the user wrote cannot steer the terminal") {
  const LocatedJson document =
      load_json("{\"a\x7F\xE2\x80\xAE\": 1} // \x1B[31m\xFF", "spec\x1B[1m.json");
  Problems problems(document);
  problems.add_at_name("/a\x7F\xE2\x80\xAE", "unknown field 'a\x1B'");
  CHECK(to_text(problems.sorted()) ==
        "spec\\x1b[1m.json:1:2: error at /a\\x7f\\u202e: unknown field 'a\\x1b'\n"
        "    1 | {\"a\\x7f\\u202e\": 1} // \\x1b[31m\\xff\n"
        "      |  ^~~~~~~~~~~~~");
  CHECK_NOTHROW(to_json(problems.sorted()).dump());
}

TEST_CASE("to_json is valid for messages of any bytes") {
  Problem problem;
  problem.message = "bad \xFF byte";
  CHECK(to_json({problem}).dump() ==
        R"([{"pointer":"","line":0,"column":0,"message":"bad \\xff byte","hint":""}])");
}

TEST_CASE("lines end at line feeds, with or without a carriage return") {
  const std::string text = "ab\r\ncd\n\nef";
  CHECK(marked(excerpt(text, 0, 2)) == "ab\n^^");
  CHECK(marked(excerpt(text, 1, 100)) == "ab\n ^");
  CHECK(marked(excerpt(text, 4, 5)) == "cd\n^");
  CHECK(marked(excerpt(text, 6, 7)) == "cd\n  ^");
  CHECK(marked(excerpt(text, 7, 8)) == "\n^");
  CHECK(marked(excerpt(text, 8, 10)) == "ef\n^^");
  CHECK(marked(excerpt(text, 10, 10)) == "ef\n  ^");
  CHECK(marked(excerpt(text, 99, 99)) == "ef\n  ^");
  CHECK(marked(excerpt("", 0, 0)) == "\n^");
  const Position end = position_of(text, 10);
  CHECK(end.line == 4);
  CHECK(end.column == 3);
  CHECK(position_of(text, 4).line == 2);
  CHECK(position_of(text, 4).column == 1);
}

TEST_CASE("columns count characters, tabs as one, a byte order mark as none") {
  const std::string text = "\xEF\xBB\xBF\t\xC3\xA9\xF0\x9F\x98\x80x";
  CHECK(position_of(text, 0).column == 1);
  CHECK(position_of(text, 3).column == 1);
  CHECK(position_of(text, text.size() - 1).column == 4);
  CHECK(marked(excerpt(text, text.size() - 1, text.size())) == " \xC3\xA9\xF0\x9F\x98\x80x\n   ^");
  CHECK(marked(excerpt("a\tb\t\tc", 5, 6)) == "a b  c\n     ^");
}

TEST_CASE("a caret stands under whole escapes") {
  CHECK(marked(excerpt("a\x01z", 1, 2)) == "a\\x01z\n ^^^^");
  CHECK(marked(excerpt("a\x01z", 2, 3)) == "a\\x01z\n     ^");
  // A byte in the middle of a character means that character.
  CHECK(marked(excerpt("a\xC3\xA9z", 2, 3)) == "a\xC3\xA9z\n ^");
}

TEST_CASE("of a long line a window round the caret is shown, at most 100 columns wide") {
  std::string line;
  while (line.size() < 5000) line += "0123456789";
  for (std::size_t begin = 0; begin < line.size(); begin += 7) {
    for (const std::size_t length : {std::size_t{1}, std::size_t{20}, std::size_t{300}}) {
      const Excerpt shown = excerpt(line, begin, begin + length);
      CAPTURE(begin);
      CAPTURE(length);
      REQUIRE(shown.line.size() <= kExcerptColumns);
      REQUIRE(shown.line.size() > 45);
      const auto caret = static_cast<std::size_t>(shown.caret_begin);
      const auto width = static_cast<std::size_t>(shown.caret_length);
      REQUIRE(caret + width <= shown.line.size());
      // Under the caret stands what was marked, or as much of it as fits.
      REQUIRE(shown.line.substr(caret, width) == line.substr(begin, width));
      if (length <= 20) REQUIRE(width == std::min(length, line.size() - begin));
      REQUIRE(shown.line.starts_with("...") ==
              (begin > (100 - std::min<std::size_t>(length, 50)) / 2));
    }
  }
  CHECK(excerpt(line, line.size(), line.size()).caret_begin == 100);
}

TEST_CASE("windows are right for letters of several bytes and for escapes") {
  std::string line;
  for (int i = 0; i < 2000; ++i) line += i % 2 == 0 ? "\xE2\x82\xAC" : "\x01";
  const std::size_t begin = 4 * 500;
  const Excerpt shown = excerpt(line, begin, begin + 3);
  CHECK(shown.line.starts_with("..."));
  CHECK(shown.line.ends_with("..."));
  CHECK(is_utf8(shown.line));
  std::vector<std::string> columns;
  for (std::size_t i = 0; i < shown.line.size();) {
    const std::size_t bytes = shown.line[i] == '\xE2' ? 3 : 1;
    columns.push_back(shown.line.substr(i, bytes));
    i += bytes;
  }
  REQUIRE(columns.size() <= kExcerptColumns);
  CHECK(columns[static_cast<std::size_t>(shown.caret_begin)] == "\xE2\x82\xAC");
  CHECK(shown.caret_length == 1);
  CHECK(excerpt(std::string(1 << 20, '\xFF'), 1 << 19, 1 << 19).line.size() <= kExcerptColumns);
}

TEST_CASE("a line of exactly 100 columns is not cut, one of 101 is") {
  CHECK(excerpt(std::string(100, 'x'), 99, 100).line == std::string(100, 'x'));
  const std::string kept(97, 'x'), dots = "...";
  CHECK(excerpt(std::string(101, 'x'), 0, 1).line == kept + dots);
  CHECK(excerpt(std::string(101, 'x'), 100, 101).line == dots + kept);
}

TEST_CASE("printable and shortened keep a text readable") {
  CHECK(printable("a\tb\n\xC3\xA9 \xC2\x85 \xE2\x81\xA6") == "a\\tb\\n\xC3\xA9 \\u0085 \\u2066");
  CHECK(shortened("abcdef", 6) == "abcdef");
  CHECK(shortened("abcdefg", 6) == "abc...");
  CHECK(shortened("\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9", 4) == "\xC3\xA9...");
}

TEST_CASE("in_quotes shows a text of any bytes safely") {
  CHECK(in_quotes("x\x01") == "'x\\x01'");
  CHECK(in_quotes(std::string(61, 'x')) == "'" + std::string(57, 'x') + "...'");
}

TEST_CASE("is_utf8 knows overlong forms, surrogates and truncated characters") {
  CHECK(is_utf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  for (const char* const bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80",
                                "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF5", "\xE2\x82"})
    CHECK_FALSE(is_utf8(bad));
}
