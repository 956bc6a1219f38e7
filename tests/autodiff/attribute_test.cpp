#include "autodiff/attribute.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>

#include "autodiff/error.hpp"

using namespace jacquard;

namespace {

std::string text(const Attributes& attributes) {
  std::ostringstream out;
  out << attributes;
  return out.str();
}

std::string error_of(const auto& call) {
  try {
    call();
  } catch (const InternalError& error) {
    return error.what();
  }
  return "";
}

using Integers = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("attributes give back what was put in, by name and type") {
  const Attributes a{{"axis", std::int64_t{-1}},
                     {"value", 0.5},
                     {"stream", std::string("e1")},
                     {"shape", Integers{2, 3}}};
  CHECK_EQ(a.integer("axis"), -1);
  CHECK_EQ(a.number("value"), 0.5);
  CHECK_EQ(a.text("stream"), "e1");
  CHECK_EQ(a.integers("shape"), Integers{2, 3});
  CHECK_EQ(text(a), "axis=-1, value=0.5, stream=\"e1\", shape=[2, 3]");
  CHECK_EQ(text({}), "");
  CHECK(Attributes{}.empty());
  CHECK_EQ(error_of([&a] { (void)a.integer("k"); }),
           "attributes: there is no 'k' among axis=-1, value=0.5, stream=\"e1\", shape=[2, 3]");
  CHECK_EQ(error_of([&a] { (void)a.integer("value"); }),
           "attributes: 'value' has another type than the one asked for");
}

TEST_CASE("attributes are equal when every name, type and bit is") {
  const double nan = std::nan("");
  const auto one = [](const char* name, AttributeValue value) {
    return Attributes{{name, std::move(value)}};
  };
  const std::vector<Attributes> different{
      {},
      one("a", std::int64_t{0}),
      one("b", std::int64_t{0}),
      one("a", std::int64_t{1}),
      one("a", 0.0),
      one("a", -0.0),
      one("a", 1.0),
      one("a", nan),
      one("a", std::string("0")),
      one("a", std::string()),
      one("a", Integers{}),
      one("a", Integers{0}),
      one("a", Integers{0, 0}),
      Attributes{{"a", std::int64_t{0}}, {"b", std::int64_t{0}}},
  };
  for (std::size_t i = 0; i < different.size(); ++i)
    for (std::size_t j = 0; j < different.size(); ++j)
      CHECK_EQ(different[i] == different[j], i == j);
  CHECK(one("a", nan) == one("a", nan));
  CHECK_EQ(one("a", nan).hash(), one("a", nan).hash());
  CHECK_NE(one("a", Integers{1, 2}).hash(), one("a", Integers{2, 1}).hash());
}

TEST_CASE("numbers are written in the shortest text that reads back to the same bits") {
  CHECK_EQ(number_text(0.1), "0.1");
  CHECK_EQ(number_text(1), "1");
  CHECK_EQ(number_text(-0.0), "-0");
  CHECK_EQ(number_text(1e300), "1e+300");
  for (const double x : {1.0 / 3, 5e-324, std::numeric_limits<double>::max(), 1e22 + 1, 0.1 + 0.2})
    CHECK_EQ(std::strtod(number_text(x).c_str(), nullptr), x);
}
