#include "experiments/json_line.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "autodiff/error.hpp"

using namespace jacquard::experiments;

namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
}  // namespace

TEST_CASE("a metrics line keeps the order of its fields") {
  JsonLine line;
  line.add("epoch", 3).add("cost", 0.1).add("aardvark", true).add("set", "valid");
  CHECK(line.text() == R"({"epoch": 3, "cost": 0.1, "aardvark": true, "set": "valid"})");
  CHECK(JsonLine().text() == "{}");
}

TEST_CASE("a number that is not finite is null and listed at the end") {
  JsonLine line;
  line.add("cost", kNan).add("step", 7).add("terms/a", kInfinity).add("b", -kInfinity);
  line.add("c", std::numeric_limits<float>::quiet_NaN());
  CHECK(line.text() == R"({"cost": null, "step": 7, "terms/a": null, "b": null, "c": null, )"
                       R"("nonfinite": ["cost", "terms/a", "b", "c"]})");
}

TEST_CASE("numbers are the shortest that read back the same") {
  CHECK(json_number(0.1) == "0.1");
  CHECK(json_number(0.1f) == "0.1");
  CHECK(json_number(1.0) == "1.0");
  CHECK(json_number(-0.0) == "-0.0");
  CHECK(json_number(1e300) == "1e+300");
  CHECK(json_number(5e-324) == "5e-324");
  CHECK(json_number(1.0 / 3) == "0.3333333333333333");
  CHECK(json_number(1.0f / 3) == "0.33333334");
  CHECK(json_number(kNan) == "null");
}

TEST_CASE("any finite number of a line reads back bit for bit") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t bits = random();
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    if (!(value - value == 0)) continue;
    JsonLine line;
    line.add("v", value);
    const auto back = nlohmann::json::parse(line.text());
    CHECK(back["v"].is_number_float());
    const double read = back["v"].get<double>();
    CHECK(std::memcmp(&read, &value, sizeof value) == 0);
  }
}

TEST_CASE("integers keep all their digits") {
  JsonLine line;
  line.add("a", std::numeric_limits<std::int64_t>::min());
  line.add("b", std::numeric_limits<std::uint64_t>::max());
  CHECK(line.text() == R"({"a": -9223372036854775808, "b": 18446744073709551615})");
}

TEST_CASE("names and texts are escaped") {
  JsonLine line;
  line.add("a\"b\n", "\x1b\\ \xff");
  CHECK(line.text() == "{\"a\\\"b\\n\": \"\\u001b\\\\ \xef\xbf\xbd\"}");
  CHECK(nlohmann::json::parse(line.text()).size() == 1);
}

TEST_CASE("a field cannot stand twice in a line") {
  JsonLine line;
  line.add("cost", 1);
  CHECK_THROWS_WITH_AS(line.add("cost", 2.0), "json line: field 'cost' is already there",
                       jacquard::InternalError);
  CHECK_THROWS_WITH_AS(line.add("nonfinite", 2), "json line: field 'nonfinite' is already there",
                       jacquard::InternalError);
  CHECK_THROWS_AS(line.add("cost", kNan), jacquard::InternalError);
  CHECK(line.text() == R"({"cost": 1})");
}
