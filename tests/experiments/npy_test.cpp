#include "experiments/npy.hpp"

#include <doctest/doctest.h>
#include <cmath>
#include <cstring>
#include <limits>

#include "autodiff/error.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

// A .npy file put together by hand.
std::string npy(const std::string& header, const std::string& elements, char version = 1) {
  std::string file = "\x93NUMPY";
  file += {version, '\0', static_cast<char>(header.size() & 255),
           static_cast<char>(header.size() >> 8)};
  if (version > 1) file += std::string(2, '\0');
  return file + header + elements;
}

std::string described(const std::string& dtype, const std::string& shape,
                      const std::string& fortran = "False") {
  return "{'descr': '" + dtype + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }";
}

template <class E>
std::string raw(std::initializer_list<E> values, bool big = false) {
  std::string bytes;
  for (const E value : values) {
    std::string element(sizeof value, '\0');
    std::memcpy(element.data(), &value, sizeof value);
    bytes += big ? std::string(element.rbegin(), element.rend()) : element;
  }
  return bytes;
}

std::vector<double> read(const std::string& file) {
  return parse_npy<double>(file, "f").values.data;
}

template <class T = double>
std::string refusal(const std::string& file) {
  return message_of<SpecError>([&] { parse_npy<T>(file, "f"); });
}

TEST_CASE("every element type is read, in both byte orders") {
  const std::vector<double> expected = {1, 100};
  for (const bool big : {false, true}) {
    const std::string order = big ? ">" : "<";
    const auto check = [&](const std::string& code, const std::string& elements) {
      CAPTURE(order + code);
      CHECK(read(npy(described(order + code, "(2,)"), elements)) == expected);
    };
    check("f4", raw<float>({1, 100}, big));
    check("f8", raw<double>({1, 100}, big));
    check("i1", raw<std::int8_t>({1, 100}, big));
    check("i2", raw<std::int16_t>({1, 100}, big));
    check("i4", raw<std::int32_t>({1, 100}, big));
    check("i8", raw<std::int64_t>({1, 100}, big));
    check("u1", raw<std::uint8_t>({1, 100}, big));
    check("u2", raw<std::uint16_t>({1, 100}, big));
    check("u4", raw<std::uint32_t>({1, 100}, big));
    check("u8", raw<std::uint64_t>({1, 100}, big));
  }
  CHECK(read(npy(described("|b1", "(3,)"), std::string("\0\1\1", 3))) ==
        std::vector<double>{0, 1, 1});
  CHECK(read(npy(described("|u1", "(2,)"), "\xff\x80")) == std::vector<double>{255, 128});
  CHECK(read(npy(described("|i1", "(2,)"), "\xff\x80")) == std::vector<double>{-1, -128});
}

TEST_CASE("values that are not finite are read as they are") {
  const std::vector<double> values =
      read(npy(described("<f4", "(2,)"), raw<float>({INFINITY, NAN})));
  CHECK(values[0] == INFINITY);
  CHECK(std::isnan(values[1]));
}

TEST_CASE("the three versions of the format are read") {
  for (const char version : {'\1', '\2', '\3'})
    CHECK(read(npy(described("<f8", "()"), raw({2.5}), version)) == std::vector<double>{2.5});
  CHECK(refusal(npy(described("<f8", "()"), raw({2.5}), '\4')) ==
        "npy 'f': version 4.0 is not known; 1.0, 2.0 and 3.0 are");
  CHECK(refusal(npy(described("<f8", "()"), raw({2.5}), '\0')) ==
        "npy 'f': version 0.0 is not known; 1.0, 2.0 and 3.0 are");
}

TEST_CASE("Fortran's order is turned into C's") {
  CHECK(read(npy(described("|u1", "(2, 3)", "True"), "\1\4\2\5\3\6")) ==
        std::vector<double>{1, 2, 3, 4, 5, 6});
  // Element [i, j, k] of sizes 2, 3, 4 stands at i + 2 j + 6 k.
  std::string elements;
  for (char place = 0; place < 24; ++place) elements += place;
  const Tensor<double> cube =
      parse_npy<double>(npy(described("|u1", "(2, 3, 4)", "True"), elements), "f").values;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 4; ++k) CHECK(cube[(i * 3 + j) * 4 + k] == i + 2 * j + 6 * k);
  CHECK(read(npy(described("|u1", "(0, 3)", "True"), "")).empty());
  CHECK(read(npy(described("|u1", "()", "True"), "\7")) == std::vector<double>{7});
}

TEST_CASE("a header may be laid out in any way that Python reads alike") {
  CHECK(read(npy("{\"shape\":(2,),\"descr\":'|u1' ,'fortran_order':False}\n", "ab")) ==
        std::vector<double>{97, 98});
  CHECK(read(npy("  { 'shape' : ( 1 , 2 , ) , 'descr':'|u1','fortran_order': False , } \n",
                 "ab")) == std::vector<double>{97, 98});
}

TEST_CASE("a header that is none is refused where it goes wrong") {
  const std::string rest = ", 'fortran_order': False, 'shape': (1,), }";
  CHECK(refusal(npy("{'descr': '<f8'", "")) ==
        "npy 'f': the header '{'descr': '<f8'' cannot be read at its byte 15; a '}' is needed");
  CHECK(refusal(npy("{'descr': '|u1', 'shape': (), }", "a"))
            .ends_with("'descr', 'fortran_order' and 'shape' are all needed"));
  for (const std::string& header : {std::string(),
                                    std::string("{"),
                                    std::string("}"),
                                    std::string("{}"),
                                    "{'descr'" + rest,
                                    "{'descr': " + rest,
                                    "{'descr': '|u1" + rest,
                                    "{'descr': u1" + rest,
                                    "{'descr': '|u1', 'descr': '|u1'" + rest,
                                    "{'descr': '|u1', 'more': 1" + rest,
                                    described("|u1", "(1,)") + " x",
                                    described("|u1", "(1,)", "0"),
                                    described("|u1", "1"),
                                    described("|u1", "(1)"),
                                    described("|u1", "(-1,)"),
                                    described("|u1", "(1.0,)"),
                                    described("|u1", "(1 1)"),
                                    described("|u1", "(,)"),
                                    described("|u1", "(+1,)"),
                                    described("|u1", "(99999999999999999999,)"),
                                    described("|u1", "(True,)"),
                                    described("|u1", "[1]"),
                                    std::string("\0\0", 2)}) {
    CAPTURE(header);
    CHECK(refusal(npy(header, "a")).starts_with("npy 'f': the header "));
  }
  std::string many = "(";
  for (int i = 0; i < 65; ++i) many += "1, ";
  CHECK(refusal(npy(described("|u1", many + ")"), "a")).ends_with("at most 64 sizes are allowed"));
}

TEST_CASE("Python objects, structures and unknown types are refused") {
  CHECK(refusal(npy(described("|O", "(1,)"), "\x80\x04K\x01.")) ==
        "npy 'f': the element type '|O' is that of Python objects, which are programs and never "
        "read; store an array of numbers");
  CHECK(
      refusal(npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }", raw({1.0})))
          .ends_with(
              "structured arrays are not supported; store each field as an array of its own"));
  CHECK(refusal(npy(described("<c16", "(1,)"), raw({1.0, 2.0}))) ==
        "npy 'f': the element type '<c16' is not supported; f4, f8, b1, i1, i2, i4, i8, u1, u2, "
        "u4, u8 are");
  for (const char* dtype :
       {"<U1", "|S1", "<M8[ns]", "<f2", "<f16", "f8", "=f8", "|f8", "", "<", "|V8"})
    CHECK(refusal(npy(described(dtype, "(1,)"), raw({1.0}))).find("not supported") !=
          std::string::npos);
}

TEST_CASE("sizes that do not match the file are both named") {
  CHECK(refusal(npy(described("<f8", "(2, 3)"), raw({1.0}))) ==
        "npy 'f': the header declares 2 x 3 x 8 = 48 bytes, the file holds 8; it is truncated or "
        "damaged");
  CHECK(refusal(npy(described("<f8", "()"), raw({1.0, 2.0}))) ==
        "npy 'f': the header declares 8 = 8 bytes, the file holds 16; the rest belongs to nothing");
  CHECK(refusal(npy(described("<f8", "(0, 5)"), "x")) ==
        "npy 'f': the header declares 0 x 5 x 8 = 0 bytes, the file holds 1; the rest belongs to "
        "nothing");
}

TEST_CASE("sizes that overflow or ask for terabytes are refused at once") {
  CHECK(refusal(npy(described("<f8", "(4611686018427387904, 4)"), "")) ==
        "npy 'f': the header declares 4611686018427387904 x 4 x 8 bytes, more than 2^64, the file "
        "holds 0; it is truncated or damaged");
  for (const char* shape :
       {"(1099511627776,)", "(9223372036854775807,)", "(65536, 65536, 65536, 65536)",
        "(9223372036854775807, 9223372036854775807)"})
    CHECK(refusal(npy(described("|u1", shape), "abc")).find("the file holds 3") !=
          std::string::npos);
  // No elements, but a shape beyond what a tensor may have.
  CHECK(refusal(npy(described("|u1", "(0, 9223372036854775807)"), "")) ==
        "npy 'f': shape [0, 9223372036854775807]: too many elements; at most 2^40 are allowed");
  std::string huge = npy(described("|u1", "()"), "a", '\2');
  huge.replace(8, 4, "\xff\xff\xff\xff");
  CHECK(refusal(huge) == cat("npy 'f': a header of 4294967295 bytes is declared, the file holds ",
                             huge.size() - 12, "; it is truncated or damaged"));
}

TEST_CASE("integers are exact or refused") {
  const std::int64_t exact = std::int64_t{1} << 53;
  CHECK(read(npy(described("<i8", "(3,)"),
                 raw({exact, -exact, std::numeric_limits<std::int64_t>::min()}))) ==
        std::vector<double>{0x1p53, -0x1p53, -0x1p63});
  CHECK(refusal(npy(described("<i8", "(2,)"), raw({exact, exact + 1}))) ==
        "npy 'f': element 1 is the integer 9007199254740993, which 53 binary digits cannot hold; "
        "store floating-point numbers if rounding is meant");
  CHECK(refusal(npy(described("<u8", "(1,)"), raw({std::numeric_limits<std::uint64_t>::max()}))) !=
        "");
  CHECK(refusal(npy(described("<i8", "(1,)"), raw({std::numeric_limits<std::int64_t>::max()}))) !=
        "");
  CHECK(refusal<float>(npy(described("<i4", "(1,)"), raw<std::int32_t>({1 << 24}))) == "");
  CHECK(refusal<float>(npy(described("<i4", "(1,)"), raw<std::int32_t>({-(1 << 24) - 1})))
            .starts_with("npy 'f': element 0 is the integer -16777217, which 24 binary digits"));
}

TEST_CASE("a .npy file cut at any byte is refused") {
  for (const char version : {'\1', '\2'}) {
    const std::string whole = npy(described("<f8", "(2,)"), raw({1.0, 2.0}), version);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      CHECK(refusal(whole.substr(0, size)) != "");
    }
  }
  CHECK(refusal("") == "npy 'f': the file has 0 bytes; its magic number and version alone have 8");
  CHECK(refusal("PK\3\4____") ==
        "npy 'f': the file begins with 'PK\\x03\\x04__'; a .npy file begins with '\\x93NUMPY'");
}

TEST_CASE("a changed byte of a .npy header never does harm") {
  const std::string whole = npy_bytes(Tensor<double>({2, 3}, {1, 2, 3, 4, 5, 6}));
  for (std::size_t place = 0; place < whole.size() - 48; ++place)
    for (int change = 1; change < 256; ++change) {
      std::string file = whole;
      file[place] = static_cast<char>(file[place] ^ change);
      try {
        const std::int64_t size = parse_npy<double>(file, "f").values.size();
        CHECK(size <= 48);
      } catch (const SpecError&) {
      }
    }
}

TEST_CASE("a .npy file has the bytes of NumPy's format, version 1.0") {
  // numpy.save in NumPy 1.24.2: the same bytes but for the number of spaces, which it may choose.
  const std::string bytes = npy_bytes(Tensor<float>({2, 1}, {1, -2}));
  CHECK(bytes == std::string("\x93NUMPY\1\0\x76\0", 10) +
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 1), }" +
                     std::string(58, ' ') + "\n" + raw<float>({1, -2}));
  CHECK(npy_bytes(Tensor<double>({5})).find("'shape': (5,), }") != std::string::npos);
  CHECK(npy_bytes(Tensor<double>()).find("'shape': (), }") != std::string::npos);
  for (const Shape& shape :
       {Shape{}, Shape{3}, Shape{0, 4}, Shape{2, 3, 4}, Shape{1, 1, 1, 1, 1}}) {
    Tensor<double> values(shape);
    for (std::int64_t i = 0; i < values.size(); ++i) values[i] = 1.0 / static_cast<double>(i + 3);
    const std::string file = npy_bytes(values);
    CHECK((file.size() - values.data.size() * 8) % 64 == 0);
    CHECK(parse_npy<double>(file, "f").values == values);
  }
}

}  // namespace
}  // namespace jacquard::experiments
