#include "experiments/json_text.hpp"

#include <doctest/doctest.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "experiments/json_dump.hpp"
#include "experiments/problem.hpp"

using namespace jacquard;
using namespace jacquard::experiments;
using Json = nlohmann::ordered_json;

namespace {

std::string refusal(std::string_view text) {
  try {
    load_json(text, "spec.json");
  } catch (const InvalidSpec& error) {
    return error.what();
  }
  return "accepted";
}

std::string piece(const Span& span) {
  return span.source->text.substr(span.begin, span.end - span.begin);
}

// Random JSON text with comments, blanks and escapes, and the value it stands for.
class RandomText {
 public:
  explicit RandomText(unsigned seed) : random_(seed) {}

  Json value(std::string& text, int depth) {
    const int kind = pick(depth > 0 ? 8 : 6);
    Json result;
    if (kind <= 1) {
      result = string(text);
    } else if (kind <= 5) {
      static const char* const kScalars[] = {"0", "-7", "12.5e3", "true", "null", "1E-2"};
      const char* const scalar = kScalars[pick(6)];
      text += scalar;
      result = Json::parse(scalar);
    } else if (kind == 6) {
      result = Json::array();
      text += '[';
      for (int i = pick(4); i > 0; --i) {
        blank(text);
        result.push_back(value(text, depth - 1));
        blank(text);
        if (i > 1) text += ',';
      }
      blank(text);
      text += ']';
    } else {
      result = Json::object();
      text += '{';
      const int count = pick(4);
      for (int i = 0; i < count; ++i) {
        if (i > 0) text += ',';
        blank(text);
        std::string name;
        std::string quoted_name;
        do {
          quoted_name.clear();
          name = string(quoted_name);
        } while (result.contains(name));
        text += quoted_name;
        blank(text);
        text += ':';
        blank(text);
        result[name] = value(text, depth - 1);
        blank(text);
      }
      blank(text);
      text += '}';
    }
    return result;
  }

  void blank(std::string& text) {
    static const char* const kBlanks[] = {
        "", " ", "\n", "\r\n\t", "// , \"\n", "/* : ** ] */", "/**//***/", "/*\xC3\xA9*/ "};
    text += kBlanks[pick(8)];
  }

  std::string string(std::string& text) {
    static const char* const kUnits[] = {"a",
                                         "/",
                                         "~",
                                         "\\n",
                                         "\\\"",
                                         "\\\\",
                                         "\\/",
                                         "\xC3\xA9",
                                         "\\u00e9",
                                         "\\u0041",
                                         "\\ud83d\\ude00",
                                         "\\u20AC",
                                         "\xE2\x82\xAC",
                                         "\xF0\x9F\x98\x80",
                                         "//",
                                         "*/"};
    std::string quoted_text = "\"";
    for (int i = pick(6); i > 0; --i) quoted_text += kUnits[pick(16)];
    quoted_text += '"';
    text += quoted_text;
    return Json::parse(quoted_text).get<std::string>();
  }

 private:
  int pick(int count) { return static_cast<int>(random_() % static_cast<unsigned>(count)); }
  std::mt19937 random_;
};

// Every byte of the text that begins a character or an escape is found from its offset in the
// value: the text up to there, read by the JSON library, is as long as that offset.
void check_text_offsets(const LocatedJson& document, const std::string& pointer) {
  const Span whole = document.value_span(pointer);
  const std::string written = piece(whole);
  const auto read_bytes = [&](std::size_t end) -> std::ptrdiff_t {
    const Json prefix = Json::parse(written.substr(0, end) + '"', nullptr, false);
    return prefix.is_string() ? static_cast<std::ptrdiff_t>(prefix.get<std::string>().size()) : -1;
  };
  for (std::size_t end = 1; end < written.size(); ++end) {
    const std::ptrdiff_t offset = read_bytes(end);
    if (offset < 0) continue;
    const Span found = document.text_span(pointer, static_cast<std::size_t>(offset), 0);
    REQUIRE(found.begin == whole.begin + end);
    const Span from_start = document.text_span(pointer, 0, static_cast<std::size_t>(offset));
    REQUIRE(from_start.begin == whole.begin + 1);
    REQUIRE(from_start.end == whole.begin + end);
  }
}

void check_places(const LocatedJson& document, const std::string& pointer, const Json& truth) {
  REQUIRE(document.find(pointer) != nullptr);
  REQUIRE(*document.find(pointer) == truth);
  const std::string written = piece(document.value_span(pointer));
  CAPTURE(pointer);
  REQUIRE(Json::parse(written, nullptr, true, true) == truth);
  REQUIRE(document.written(pointer) == written);
  if (truth.is_string()) check_text_offsets(document, pointer);
  for (const auto& [name, value] : truth.items()) {
    if (!truth.is_structured()) break;
    const std::string inner = child_pointer(pointer, name);
    if (truth.is_object()) REQUIRE(Json::parse(piece(document.name_span(inner))) == Json(name));
    check_places(document, inner, value);
  }
}

}  // namespace

TEST_CASE("every value and name of random texts is found where it stands") {
  RandomText random(1);
  for (int i = 0; i < 400; ++i) {
    std::string text = i % 7 == 0 ? "\xEF\xBB\xBF" : "";
    random.blank(text);
    const Json truth = random.value(text, 4);
    random.blank(text);
    CAPTURE(text);
    const LocatedJson document = load_json(text, "spec.json");
    REQUIRE(document.value() == truth);
    REQUIRE(document.value().dump() == truth.dump());  // the same order
    check_places(document, "", truth);
    REQUIRE(Json::parse(dump_strict(document.value())) == truth);
  }
}

TEST_CASE("the order of fields is kept") {
  const LocatedJson document = load_json(R"({"z": 1, "a": 2, "m": {"y": 3, "b": 4}})", "spec.json");
  CHECK(document.value().dump() == R"({"z":1,"a":2,"m":{"y":3,"b":4}})");
}

TEST_CASE("a value that is not there is shown at the nearest one round it") {
  const LocatedJson document = load_json(R"({"train": {"rate": 1}, "list": [7, 8]})", "spec.json");
  CHECK(document.find("/train/epochs") == nullptr);
  CHECK(document.find("/list/2") == nullptr);
  CHECK(document.find("/list/01") == nullptr);
  CHECK(document.find("/train/rate/x") == nullptr);
  CHECK(document.written("/train/epochs") == R"({"rate": 1})");
  CHECK(document.written("/train/rate/x/y") == "1");
  CHECK(document.written("/list/1") == "8");
  CHECK(document.written("/list/2") == "[7, 8]");
  CHECK(piece(document.name_span("/train/epochs")) == R"({"rate": 1})");
  CHECK(piece(document.name_span("/train")) == "\"train\"");
  CHECK(piece(document.name_span("/list/1")) == "8");
}

TEST_CASE("offsets past the end of a text mean its end, and those of other values the whole") {
  const LocatedJson document = load_json(R"({"t": "a\nb", "n": 123, "e": ""})", "spec.json");
  CHECK(piece(document.text_span("/t", 1, 1)) == "\\n");
  CHECK(piece(document.text_span("/t", 1, 100)) == "\\nb");
  CHECK(piece(document.text_span("/t", 1, std::string::npos)) == "\\nb");
  CHECK(document.text_span("/t", 100, 5).begin == document.value_span("/t").end - 1);
  CHECK(piece(document.text_span("/n", 1, 1)) == "123");
  CHECK(document.text_span("/e", 0, 0).begin == document.value_span("/e").begin + 1);
}

TEST_CASE("pointers are split and joined with their escapes") {
  CHECK(pointer_names("").empty());
  CHECK(pointer_names("/") == std::vector<std::string>{""});
  CHECK(pointer_names("/a~1b/~01/0") == std::vector<std::string>{"a/b", "~1", "0"});
  CHECK(child_pointer("", "a/b") == "/a~1b");
  CHECK(child_pointer("/x", "~1") == "/x/~01");
  CHECK_THROWS_AS(pointer_names("a"), InternalError);
}

TEST_CASE("text that is no JSON is refused where it goes wrong") {
  const struct {
    std::string text, message;
  } cases[] = {
      {"", "spec.json:1:1: error: the file is empty; a spec is an object {...}"},
      {"// none\n",
       "spec.json:1:8: error: there is no value, only blanks and comments; a spec is an object "
       "{...}\n"
       "    1 | // none\n"
       "      |        ^"},
      {"{\"a\": {\n  \"b\": [1, 2\n\n",
       "spec.json:2:13: error at /a/b/2: unexpected end; the '[' at 2:8 is not closed\n"
       "    2 |   \"b\": [1, 2\n"
       "      |             ^"},
      {"{\"a\": 1, /* last */ }",
       "spec.json:1:8: error at /a: ',' before '}'; remove the comma\n"
       "    1 | {\"a\": 1, /* last */ }\n"
       "      |        ^"},
      {"[1, 2,]",
       "spec.json:1:6: error at /2: ',' before ']'; remove the comma\n"
       "    1 | [1, 2,]\n"
       "      |      ^"},
      {"{\"a\": 1 \"b\": 2}",
       "spec.json:1:9: error at /a: unexpected '\"b\"'; ',' or '}' is needed after a value\n"
       "    1 | {\"a\": 1 \"b\": 2}\n"
       "      |         ^~~"},
      {"[1 2]",
       "spec.json:1:4: error at /1: unexpected '2'; ',' or ']' is needed after a value\n"
       "    1 | [1 2]\n"
       "      |    ^"},
      {"{\"a\" 1}",
       "spec.json:1:6: error at /a: unexpected '1'; ':' and a value are needed after a name\n"
       "    1 | {\"a\" 1}\n"
       "      |      ^"},
      {"{rate: 1}",
       "spec.json:1:2: error: unexpected 'rate'; a name in double quotes is needed\n"
       "    1 | {rate: 1}\n"
       "      |  ^~~~"},
      {"{\"a\": NaN}",
       "spec.json:1:7: error at /a: unexpected 'NaN'; a value is a number, text in double quotes, "
       "true, false, null, [...] or {...}\n"
       "    1 | {\"a\": NaN}\n"
       "      |       ^~~"},
      {"{} x",
       "spec.json:1:4: error: unexpected 'x'; nothing may follow the value\n"
       "    1 | {} x\n"
       "      |    ^"},
      {"[-]",
       "spec.json:1:2: error at /0: '-' is no number; expected digit after '-'\n"
       "    1 | [-]\n"
       "      |  ^"},
      {"[01]",
       "spec.json:1:3: error at /1: unexpected '1'; ',' or ']' is needed after a value\n"
       "    1 | [01]\n"
       "      |   ^"},
      {"{\"a\": \"mean(x)\n}",
       "spec.json:1:7: error at /a: the text that begins here has no closing '\"' on its line; "
       "a line break inside a text is written \\n\n"
       "    1 | {\"a\": \"mean(x)\n"
       "      |       ^"},
      {"{\"a\": \"\\q\"}",
       "spec.json:1:9: error at /a: invalid string: forbidden character after backslash\n"
       "    1 | {\"a\": \"\\q\"}\n"
       "      |         ^"},
      {"[\"\xFF\"]",
       "spec.json:1:3: error at /0: invalid string: ill-formed UTF-8 byte\n"
       "    1 | [\"\\xff\"]\n"
       "      |   ^~~~"},
      {"1 /* x",
       "spec.json:1:3: error: the comment that begins here is not closed; '*/' is missing\n"
       "    1 | 1 /* x\n"
       "      |   ^~"},
      {std::string("{}\0{}", 5),
       "spec.json:1:3: error: a byte 0 in a text; is this a JSON file?\n"
       "    1 | {}\\x00{}\n"
       "      |   ^~~~"},
  };
  for (const auto& each : cases) CHECK(refusal(each.text) == each.message);
}

TEST_CASE("broken texts are accepted or refused as by the JSON library, and never crash") {
  RandomText random(3);
  std::mt19937 bytes(4);
  int accepted = 0, refused = 0;
  for (int i = 0; i < 4000; ++i) {
    std::string text;
    random.blank(text);
    random.value(text, 3);
    constexpr std::string_view kBytes = "{}[],:\"\\/*0-.eEtn \n\xFF\x1B";
    for (auto change = bytes() % 3 + 1; change > 0 && !text.empty(); --change) {
      const std::size_t at = bytes() % text.size();
      const char byte = kBytes[bytes() % kBytes.size()];
      if (bytes() % 3 == 0) {
        text.erase(at, bytes() % 4);
      } else if (bytes() % 2 == 0) {
        text.insert(at, 1, byte);
      } else {
        text[at] = byte;
      }
    }
    CAPTURE(text);
    const std::string message = refusal(text);
    // What is stricter here than in the library.
    if (message.find("duplicate field") != std::string::npos ||
        message.find("is too small") != std::string::npos)
      continue;
    const bool is_json = Json::accept(text, /*ignore_comments=*/true);
    REQUIRE((message == "accepted") == is_json);
    ++(is_json ? accepted : refused);
  }
  CHECK(accepted > 200);
  CHECK(refused > 200);
}

TEST_CASE("all duplicate fields are reported at once") {
  CHECK(refusal("{\"a\": 1,\n \"b\": {\"c\": 1, \"\\u0063\": 2},\n \"a\": 3}") ==
        "spec.json:2:16: error at /b/c: duplicate field 'c'; the first is at 2:8\n"
        "    2 |  \"b\": {\"c\": 1, \"\\u0063\": 2},\n"
        "      |                ^~~~~~~~\n"
        "spec.json:3:2: error at /a: duplicate field 'a'; the first is at 1:2\n"
        "    3 |  \"a\": 3}\n"
        "      |  ^~~");
  CHECK(refusal("{\"a\": {\"x\": 1}, \"b\": {\"x\": 1}}") == "accepted");
}

TEST_CASE("numbers that a double does not hold are refused") {
  CHECK(refusal("[1e999]") ==
        "spec.json:1:2: error at /0: number '1e999' is too large; the largest number is 1.797e308\n"
        "    1 | [1e999]\n"
        "      |  ^~~~~");
  CHECK(refusal("[2, 1e-999]") ==
        "spec.json:1:5: error at /1: number '1e-999' is too small; the smallest number above 0 is "
        "4.94e-324\n"
        "    1 | [2, 1e-999]\n"
        "      |     ^~~~~~");
  CHECK(refusal("-1e400").starts_with("spec.json:1:1: error: number '-1e400' is too large"));
  CHECK(refusal("[0e-999, 0.0e5, 5e-324, 1.797e308, 18446744073709551615]") == "accepted");
}

TEST_CASE("nesting up to 64 levels is read, deeper nesting is refused at once") {
  CHECK(refusal(std::string(64, '[') + std::string(64, ']')) == "accepted");
  CHECK(refusal(std::string(65, '[') + std::string(65, ']')) != "accepted");
  const std::clock_t start = std::clock();  // of the processor: others may be busy with it
  std::string objects;
  for (int i = 0; i < 20000; ++i) objects += "{\"a\":";
  const std::string message = ": nested deeper than 64 levels; a spec needs far fewer\n";
  CHECK(refusal(objects).find(message) != std::string::npos);
  CHECK(refusal(std::string(20000, '[')).find(message) != std::string::npos);
  CHECK(refusal(std::string(20000, '[')).starts_with("spec.json:1:65: error at /0/0/0"));
  CHECK(std::clock() - start < 1 * CLOCKS_PER_SEC);
}

TEST_CASE("a file beyond 16 MiB and a name beyond 1000 bytes are refused") {
  CHECK(refusal(std::string(kMaxJsonBytes + 1, ' ')) ==
        "spec.json:1:1: error: the file has 16777217 bytes; at most 16777216 are allowed");
  CHECK(refusal("{\"" + std::string(1000, 'k') + "\": 1}") == "accepted");
  CHECK(refusal("{\"" + std::string(1001, 'k') + "\": 1}")
            .starts_with("spec.json:1:2: error: a name of 1001 bytes; at most 1000 are allowed\n"));
}

TEST_CASE("large flat texts are read in linear time") {
  std::string text = "{";
  for (int i = 0; i < 100000; ++i) text += '"' + std::to_string(i) + "\": 0, ";
  text += "\"last\": 1}";
  const std::clock_t start = std::clock();  // of the processor: others may be busy with it
  const LocatedJson document = load_json(text, "spec.json");
  CHECK(document.value().size() == 100001);
  CHECK(document.written("/last") == "1");
  CHECK(std::clock() - start < 5 * CLOCKS_PER_SEC);
}

TEST_CASE("a file is read, and one that cannot be read is an error") {
  const std::string path = std::filesystem::temp_directory_path() / "jacquard_json_text_test.json";
  std::ofstream(path) << "{\"a\": [1]} // end";
  CHECK(load_json_file(path).value().dump() == R"({"a":[1]})");
  std::filesystem::remove(path);
  CHECK_THROWS_AS(load_json_file(path), SpecError);
  CHECK_THROWS_AS(load_json_file(std::filesystem::temp_directory_path()), SpecError);
}

TEST_CASE("a document can be moved and keeps its places") {
  LocatedJson document = load_json(R"({"a": "text"})", "spec.json");
  const Span before = document.value_span("/a");
  LocatedJson moved = std::move(document);
  CHECK(moved.value_span("/a").source == before.source);
  CHECK(piece(before) == "\"text\"");
}
