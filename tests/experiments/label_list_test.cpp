#include "experiments/data/label_list.hpp"

#include <doctest/doctest.h>

#include "autodiff/error.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

std::string refusal(const std::string& file) {
  return message_of<SpecError>([&] { parse_label_list(file, "f"); });
}

TEST_CASE("a list of whole numbers from 0 to 255 is labels") {
  const ByteArray labels = parse_label_list("[0, 9,\n255]", "f");
  CHECK(labels.sizes == std::vector<std::int64_t>{3});
  CHECK(labels.bytes == std::string("\0\x09\xff", 3));
  CHECK(parse_label_list("[]", "f").sizes == std::vector<std::int64_t>{0});
}

TEST_CASE("anything else is refused with its place") {
  for (const char* wrong :
       {"[1, 256]", "[1, -1]", "[1, 1.0]", "[1, \"1\"]", "[1, null]", "[1, [1]]"})
    CHECK(refusal(wrong) == "labels 'f': element 1 is no whole number from 0 to 255");
  for (const char* wrong : {"{}", "3", "\"a\"", "null"})
    CHECK(refusal(wrong) == "labels 'f': a list of whole numbers is needed, [5, 0, 9, ...]");
  CHECK(refusal("[1,\n 2").find("f:2:") != std::string::npos);
  CHECK(refusal("") != "");
  CHECK(refusal(std::string(100000, '[')) != "");
}

}  // namespace
}  // namespace jacquard::experiments
