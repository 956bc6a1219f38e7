#include "experiments/safetensors.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

// A file put together by hand.
std::string file_of(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  const std::uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + data;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

std::string refusal(const std::string& file) {
  return message_of<SpecError>([&] { parse_safetensors(file, "f"); });
}
std::string header_refusal(const std::string& header, std::size_t data_bytes = 4) {
  return refusal(file_of(header, std::string(data_bytes, '\0')));
}

SafeTensors some_content() {
  return {{{"encoder/W", Tensor<float>({2, 3}, {1, 2, 3, 4, 5, 6})},
           {"b", Tensor<float>({1}, -0.5F)},
           {"step", Tensor<float>({}, 7)},
           {"none", Tensor<float>({0, 5})}},
          {{"seed", "1"}, {"note", "\"quoted\" \xc3\xa4\n"}}};
}

TEST_CASE("a checkpoint is read back as it was written") {
  const TemporaryFolder folder;
  write_safetensors(folder / "a", some_content());
  CHECK(read_safetensors(folder / "a") == some_content());
  const SafeTensors empty;
  CHECK(parse_safetensors(safetensors_bytes(empty), "f") == empty);
  const SafeTensors doubles{{{"a", Tensor<double>({2}, {0.1, 1e300})}}, {}};
  CHECK(parse_safetensors(safetensors_bytes(doubles), "f") == doubles);
}

TEST_CASE("the bytes are those of the format") {
  const SafeTensors content{{{"b", Tensor<float>({1}, 1)}, {"a", Tensor<double>({1, 1}, 2)}},
                            {{"k", "v"}}};
  // The double comes first, so that both are aligned.
  const std::string header =
      "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F64\",\"shape\":[1,1],\"data_offsets\":"
      "[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const std::string expected = file_of(padded, std::string("\0\0\0\0\0\0\0\x40\0\0\x80\x3f", 12));
  CHECK(safetensors_bytes(content) == expected);
  CHECK(safetensors_bytes(content) == safetensors_bytes(parse_safetensors(expected, "f")));
}

TEST_CASE("a header in any order is read in the order of the elements") {
  const std::string data("\0\0\x80\x3f\0\0\0\x40", 8);
  const SafeTensors content =
      parse_safetensors(file_of("{" + entry("second", "F32", "[1]", "[4,8]") + ",\n" +
                                    entry("none", "F64", "[3,0]", "[4,4]") + "," +
                                    entry("first", "F32", "[]", "[0,4]") + "}   ",
                                data),
                        "f");
  REQUIRE(content.tensors.size() == 3);
  CHECK(content.tensors[0] == SavedTensor{"first", Tensor<float>({}, 1)});
  CHECK(content.tensors[1] == SavedTensor{"none", Tensor<double>({3, 0})});
  CHECK(content.tensors[2] == SavedTensor{"second", Tensor<float>({1}, 2)});
}

TEST_CASE("a tensor is found by name in the precision asked for") {
  CHECK(tensor<double>(some_content(), "b") == Tensor<double>({1}, -0.5));
  CHECK(tensor<float>(some_content(), "step") == Tensor<float>({}, 7));
  CHECK(message_of<Error>([] { tensor<float>(some_content(), "c"); }) ==
        "safetensors: there is no tensor 'c'; there are: encoder/W, b, step, none");
}

TEST_CASE("a checkpoint cut at any byte is refused") {
  const std::string whole = safetensors_bytes(some_content());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(refusal(whole.substr(0, size)) != "");
  }
  CHECK(refusal("abc") ==
        "safetensors 'f': the file has 3 bytes; the length of its header alone has 8");
  CHECK(refusal(whole.substr(0, whole.size() - 4)) ==
        "safetensors 'f': the tensors have 32 bytes, the file holds 28; it is truncated");
  CHECK(
      refusal(whole + "x") ==
      "safetensors 'f': the tensors have 32 bytes, the file holds 33; the rest belongs to nothing");
}

TEST_CASE("a changed byte of a checkpoint's header never does harm") {
  const std::string whole = safetensors_bytes(some_content());
  for (std::size_t place = 0; place < whole.size() - 32; ++place)
    for (int change = 1; change < 256; ++change) {
      std::string file = whole;
      file[place] = static_cast<char>(file[place] ^ change);
      try {
        // What is accepted is a file of the same meaning when it is written again.
        const SafeTensors content = parse_safetensors(file, "f");
        const SafeTensors again = parse_safetensors(safetensors_bytes(content), "f");
        CHECK(again == content);
      } catch (const SpecError&) {
      }
    }
}

TEST_CASE("headers that ask for too much are refused at once") {
  CHECK(refusal(std::string("\1\xe1\xf5\5\0\0\0\0{}", 10)) ==
        "safetensors 'f': a header of 100000001 bytes is declared; at most 100000000 are allowed");
  CHECK(refusal(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)).find("at most 100000000") !=
        std::string::npos);
  CHECK(refusal(std::string("\x40\0\0\0\0\0\0\0{}", 10)) ==
        "safetensors 'f': a header of 64 bytes is declared, the file holds 2; it is truncated or "
        "damaged");
  CHECK(header_refusal("{" + entry("a", "F32", "[1099511627776]", "[0,4398046511104]") + "}") ==
        "safetensors 'f': the tensors have 4398046511104 bytes, the file holds 4; it is truncated");
  CHECK(header_refusal("{" + entry("a", "F32", "[4294967296,4294967296,4]", "[0,4]") + "}") ==
        "safetensors 'f': tensor 'a': shape [4294967296, 4294967296, 4]: too many elements; at "
        "most 2^40 are allowed");
  CHECK(header_refusal("{" + entry("a", "F32", "[18446744073709551615]", "[0,4]") + "}") ==
        "safetensors 'f': tensor 'a' has a size of 18446744073709551615");
  CHECK(header_refusal(std::string(1000000, '[')) != "");
  CHECK(header_refusal("{\"a\":" + std::string(1000000, '[')) != "");
  CHECK(header_refusal("{\"a\":{\"shape\":" + std::string(1000000, '[')) != "");
}

TEST_CASE("overlaps, holes and wrong lengths are refused") {
  CHECK(header_refusal("{" + entry("a", "F32", "[1]", "[0,4]") + "," +
                       entry("b", "F32", "[1]", "[0,4]") + "}") ==
        "safetensors 'f': tensor 'b' begins at byte 0, the one before it ends at 4; tensors follow "
        "each other");
  CHECK(header_refusal("{" + entry("a", "F32", "[1]", "[4,8]") + "}", 8).find("begins at byte 4") !=
        std::string::npos);
  CHECK(header_refusal("{" + entry("a", "F32", "[2]", "[0,4]") + "}") ==
        "safetensors 'f': tensor 'a' of shape [2] and type F32 has 8 bytes, its data_offsets are 0 "
        "and 4");
  CHECK(header_refusal("{" + entry("a", "F32", "[1]", "[4,0]") + "}") != "");
  CHECK(header_refusal("{" + entry("a", "F32", "[0]", "[2,2]") + "}", 4) != "");
  CHECK(header_refusal("{" + entry("a", "F32", "[1]", "[18446744073709551612,0]") + "}") != "");
}

TEST_CASE("equal names, other types and unknown fields are refused") {
  const std::string a = entry("a", "F32", "[1]", "[0,4]");
  CHECK(header_refusal("{" + a + "," + a + "}") ==
        "safetensors 'f': the name 'a' stands there twice");
  CHECK(header_refusal("{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}") ==
        "safetensors 'f': the field 'dtype' of 'a' stands there twice");
  CHECK(header_refusal("{" + entry("a", "BF16", "[2]", "[0,4]") + "}") ==
        "safetensors 'f': tensor 'a' has the type 'BF16'; F32 and F64 are supported");
  CHECK(header_refusal("{\"a\":{\"kind\":1}}") ==
        "safetensors 'f': the field 'kind' of 'a' is not known; dtype, shape and data_offsets are");
  CHECK(header_refusal("{\"__metadata__\":{\"k\":\"v\",\"k\":\"w\"}}", 0) ==
        "safetensors 'f': the field 'k' of the metadata stands there twice");
}

TEST_CASE("values of the wrong type are refused") {
  CHECK(header_refusal("{\"a\":1}") == "safetensors 'f': 'a' is 1; an object is needed");
  CHECK(header_refusal("{" + entry("a", "F32", "[-1]", "[0,4]") + "}") ==
        "safetensors 'f': the field 'shape' of 'a' holds -1; a list of numbers >= 0 is needed");
  CHECK(header_refusal("{\"__metadata__\":{\"k\":1}}", 0) ==
        "safetensors 'f': the field 'k' of the metadata holds 1; a string is needed");
  for (const char* value : {"null", "true", "1.5", "1e3", "\"x\"", "{}", "[[1]]", "[\"1\"]",
                            "[1.0]", "[null]", "[{}]", "18446744073709551616"}) {
    CAPTURE(value);
    CHECK(header_refusal("{" + entry("a", "F32", value, "[0,4]") + "}") != "");
    CHECK(header_refusal("{" + entry("a", "F32", "[1]", value) + "}") != "");
    CHECK(header_refusal(cat("{\"a\":{\"dtype\":", value, "}}")) != "");
    CHECK(header_refusal(cat("{\"__metadata__\":{\"k\":", value, "}, \"a\": [", value, "]}")) !=
          "");
  }
  CHECK(header_refusal("{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}") ==
        "safetensors 'f': tensor 'a' is not described; a dtype, a shape and two data_offsets are "
        "needed");
  CHECK(header_refusal("{" + entry("a", "F32", "[1]", "[0,4,8]") + "}").find("two data_offsets") !=
        std::string::npos);
}

TEST_CASE("a header that is no JSON object is refused where it goes wrong") {
  CHECK(header_refusal("[]") == "safetensors 'f': the header does not begin with '{'");
  CHECK(header_refusal(" {}") == "safetensors 'f': the header does not begin with '{'");
  CHECK(header_refusal("") == "safetensors 'f': the header does not begin with '{'");
  CHECK(header_refusal("{\"a\":}") == "safetensors 'f': the header is no JSON at its byte 6");
  CHECK(header_refusal("{} {}").find("is no JSON") != std::string::npos);
  CHECK(header_refusal("{}" + std::string(6, '\0'), 0).find("is no JSON") != std::string::npos);
  CHECK(header_refusal("{\"\xff\":{}}").find("is no JSON") != std::string::npos);
}

TEST_CASE("content that has no file is refused in writing") {
  const SavedTensor a{"a", Tensor<float>()};
  CHECK(message_of<Error>([&] {
          safetensors_bytes({{a, a}, {}});
        }) == "safetensors: the name 'a' is taken; every tensor needs one of its own");
  CHECK(message_of<Error>([&] {
          safetensors_bytes({{{"__metadata__", Tensor<float>()}}, {}});
        }) == "safetensors: the name '__metadata__' is taken; every tensor needs one of its own");
  CHECK(message_of<Error>([&] {
          safetensors_bytes({{a}, {{"k", "\xff"}}});
        }) == "safetensors: a name or a text of the metadata is no UTF-8");
}

TEST_CASE("a missing checkpoint is the error that the caller chose") {
  CHECK(message_of<SpecError>([] { read_safetensors("none"); }) ==
        "read 'none': opening: No such file or directory");
  bool is_spec_error = false;
  try {
    read_safetensors<Error>("none");
  } catch (const Error& error) {
    is_spec_error = dynamic_cast<const SpecError*>(&error) != nullptr;
  }
  CHECK_FALSE(is_spec_error);
}

}  // namespace
}  // namespace jacquard::experiments
