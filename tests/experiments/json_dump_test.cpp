#include "experiments/json_dump.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "autodiff/error.hpp"

using namespace jacquard;
using namespace jacquard::experiments;
using Json = nlohmann::ordered_json;

TEST_CASE("dump_strict writes two spaces, a field per line, plain arrays on one line") {
  const Json value = Json::parse(
      R"({"name": "a\"\\\n\u0001é", "shape": [784, 256], "none": [], "empty": {},
          "nested": [[1], {"x": null}], "rate": 0.1, "on": true})");
  CHECK(dump_strict(value) == R"({
  "name": "a\"\\\n\u0001é",
  "shape": [784, 256],
  "none": [],
  "empty": {},
  "nested": [
    [1],
    {
      "x": null
    }
  ],
  "rate": 0.1,
  "on": true
})");
  CHECK(dump_strict(Json(3)) == "3");
  CHECK(dump_strict(Json::array()) == "[]");
}

TEST_CASE("dump_strict writes the shortest digits that read back as the same number") {
  CHECK(dump_strict(Json(1.0)) == "1.0");
  CHECK(dump_strict(Json(-0.0)) == "-0.0");
  CHECK(dump_strict(Json(0.0001)) == "1e-4");
  CHECK(dump_strict(Json(1e20)) == "1e20");
  CHECK(dump_strict(Json(5e-324)) == "5e-324");
  CHECK(dump_strict(Json(0.1 + 0.2)) == "0.30000000000000004");
  CHECK(dump_strict(Json(std::numeric_limits<std::uint64_t>::max())) == "18446744073709551615");
  CHECK(dump_strict(Json(std::numeric_limits<std::int64_t>::min())) == "-9223372036854775808");
  std::mt19937_64 random(2);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof number);
    if (!std::isfinite(number)) continue;
    const Json back = Json::parse(dump_strict(Json(number)));
    REQUIRE(back.is_number_float());
    REQUIRE(back.get<double>() == number);
  }
}

TEST_CASE("dump_strict refuses what JSON cannot hold") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH_AS(dump_strict(Json{{"a", {1.0, -infinity}}}),
                       "writing JSON: the number -inf is not finite; JSON holds no such",
                       SpecError);
  CHECK_THROWS_AS(dump_strict(Json(std::nan(""))), SpecError);
  CHECK_THROWS_WITH_AS(dump_strict(Json{{"a", "x\xFF"}}),
                       "writing JSON: text 'x\\xff' is not UTF-8; JSON holds only that", SpecError);
  CHECK_THROWS_AS(dump_strict(Json{{"\xC3", 1}}), SpecError);
}

TEST_CASE("number_text has no more digits than needed") {
  CHECK(number_text(0) == "0");
  CHECK(number_text(10) == "10");
  CHECK(number_text(0.5) == "0.5");
  CHECK(number_text(1e-7) == "1e-7");
  CHECK(number_text(1.5e300) == "1.5e300");
}
