#include "experiments/data/idx.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include "autodiff/error.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

std::string idx(std::initializer_list<std::uint32_t> sizes, const std::string& elements) {
  std::string file = {0, 0, 8, static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8) file += static_cast<char>(size >> shift);
  return file + elements;
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(bytes.size() + 1000, '\0');
  std::string in = bytes;
  stream.next_in = reinterpret_cast<Bytef*>(in.data());
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string refusal(const std::string& file) {
  return message_of<SpecError>([&] { parse_idx(file, "f"); });
}

const std::string kSixBytes("\0\1\2\xfd\xfe\xff", 6);

TEST_CASE("an IDX file of one to four sizes is read, plain and packed") {
  for (const bool packed : {false, true}) {
    CAPTURE(packed);
    const auto parse = [&](const std::string& file) {
      return parse_idx(packed ? gzip(file) : file, "f");
    };
    CHECK(parse(idx({6}, kSixBytes)).sizes == std::vector<std::int64_t>{6});
    CHECK(parse(idx({6}, kSixBytes)).bytes == kSixBytes);
    CHECK(parse(idx({2, 3}, kSixBytes)).sizes == std::vector<std::int64_t>{2, 3});
    CHECK(parse(idx({1, 2, 3}, kSixBytes)).bytes == kSixBytes);
    CHECK(parse(idx({1, 2, 3, 1}, kSixBytes)).sizes == std::vector<std::int64_t>{1, 2, 3, 1});
    CHECK(parse(idx({0, 4294967295U, 4294967295U}, "")).bytes.empty());
    CHECK(parse(idx({3000000}, std::string(3000000, 'a'))).bytes == std::string(3000000, 'a'));
  }
}

TEST_CASE("a wrong magic number is named") {
  CHECK(refusal(std::string("\0\0\x0d\3", 4)) ==
        "idx 'f': the magic number is 0x00000d03; 0x00000801 to 0x00000804 are known (unsigned "
        "bytes, 1 to 4 sizes)");
  for (const char* magic : {"\1\0\x08\1", "\0\1\x08\1", "\0\0\x09\1", "\0\0\x08\0", "\0\0\x08\5"})
    for (const bool packed : {false, true}) {
      std::string file(magic, 4);
      file.append(40, '\0');
      CHECK(refusal(packed ? gzip(file) : file).find("magic number") != std::string::npos);
    }
}

TEST_CASE("sizes that do not match the file are both named") {
  CHECK(refusal(idx({2, 4}, kSixBytes)) ==
        "idx 'f': the header declares 2 x 4 = 8 bytes, the file holds 6; it is truncated");
  CHECK(refusal(idx({5}, kSixBytes)) ==
        "idx 'f': the header declares 5 = 5 bytes, the file holds 6; the rest belongs to nothing");
  CHECK(refusal(gzip(idx({2, 4}, kSixBytes))) ==
        "idx 'f': the header declares 2 x 4 = 8 bytes, the file holds 6; it is truncated");
  CHECK(refusal(gzip(idx({5}, kSixBytes))) ==
        "gzip 'f': unpacks to more than the 5 bytes that its header declares");
}

TEST_CASE("sizes that overflow or ask for terabytes are refused at once") {
  for (const bool packed : {false, true})
    for (const std::string& file :
         {idx({4294967295U, 4294967295U, 4294967295U, 4294967295U}, ""),
          idx({65536, 65536, 65536, 65536}, ""), idx({4294967295U, 1000}, kSixBytes)})
      CHECK(refusal(packed ? gzip(file) : file).ends_with("at most 17179869184 are allowed"));
  CHECK(refusal(idx({4294967295U, 2}, kSixBytes)).ends_with("the file holds 6; it is truncated"));
  CHECK(refusal(gzip(idx({4294967295U, 2}, kSixBytes))).ends_with("holds 6; it is truncated"));
}

TEST_CASE("a file cut at any byte is refused") {
  for (const std::string& whole : {idx({2, 3}, kSixBytes), gzip(idx({2, 3}, kSixBytes))})
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      CHECK(refusal(whole.substr(0, size)) != "");
    }
  CHECK(refusal(idx({2, 3}, "").substr(0, 9)) ==
        "idx 'f': the file has 9 bytes; its header alone has 12");
  CHECK(refusal("ab") == "idx 'f': the file has 2 bytes; its magic number alone has 4");
  const std::string packed = gzip(idx({6}, kSixBytes));
  CHECK(refusal(packed.substr(0, 20)) ==
        "gzip 'f': truncated after 20 bytes; the end of the stream is missing");
}

TEST_CASE("a changed byte of the header is refused, in a packed file any that matters") {
  const std::string plain = idx({2, 3}, kSixBytes);
  const std::string packed = gzip(plain);
  for (int change = 1; change < 256; ++change) {
    for (std::size_t place = 0; place < 12; ++place) {
      std::string file = plain;
      file[place] = static_cast<char>(file[place] ^ change);
      CHECK(refusal(file) != "");
    }
    for (std::size_t place = 0; place < packed.size(); ++place) {
      std::string file = packed;
      file[place] = static_cast<char>(file[place] ^ change);
      // gzip's own header has a time, flags and a system that change nothing.
      if (refusal(file) == "") CHECK(parse_idx(file, "f").bytes == kSixBytes);
    }
  }
}

TEST_CASE("bytes after the end of the packed stream are refused") {
  const std::string packed = gzip(idx({6}, kSixBytes));
  CHECK(refusal(packed + "xyz") ==
        "gzip 'f': 3 bytes follow the end of the stream; the file must end there");
  CHECK(refusal(packed + packed).find("follow the end of the stream") != std::string::npos);
}

TEST_CASE("a packed file that unpacks to far more than declared is refused at once") {
  const std::string bomb = gzip(idx({6}, kSixBytes + std::string(50'000'000, '\0')));
  CHECK(refusal(bomb) == "gzip 'f': unpacks to more than the 6 bytes that its header declares");
}

TEST_CASE("a missing file is named") {
  CHECK(message_of<SpecError>([] { read_idx("no/such-file"); }) ==
        "read 'no/such-file': opening: No such file or directory");
}

}  // namespace
}  // namespace jacquard::experiments
