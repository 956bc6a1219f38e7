#include "experiments/data/png_reader.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include <array>
#include <cstdlib>

#include "autodiff/error.hpp"
#include "experiments/picture.hpp"
#include "tests/experiments/small_set.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

std::string packed(const std::string& bytes) {
  std::string out(compressBound(bytes.size()), '\0');
  uLongf size = out.size();
  compress(reinterpret_cast<Bytef*>(out.data()), &size,
           reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  out.resize(size);
  return out;
}

std::string chunk(const std::string& name, const std::string& content) {
  const std::string body = name + content;
  const auto crc =
      crc32(0, reinterpret_cast<const Bytef*>(body.data()), static_cast<uInt>(body.size()));
  return big_endian(static_cast<std::uint32_t>(content.size())) + body +
         big_endian(static_cast<std::uint32_t>(crc));
}

struct Header {
  unsigned width, height;
  char bits = 8, colour = 2, interlace = 0;
};

std::string png(const Header& h, const std::string& rows, const std::string& between = "") {
  return "\x89PNG\r\n\x1a\n" +
         chunk("IHDR", big_endian(h.width) + big_endian(h.height) +
                           std::string({h.bits, h.colour, 0, 0, h.interlace})) +
         between + chunk("IDAT", packed(rows)) + chunk("IEND", "");
}

std::string refusal(const std::string& file) {
  return message_of<SpecError>([&] { parse_png(file, "f"); });
}

// The value that filter type `type` predicts from the bytes to the left, above, and both (PNG
// specification, section 9).
int predicted(int type, int left, int above, int corner) {
  const int estimate = left + above - corner;
  const std::array<int, 3> away = {std::abs(estimate - left), std::abs(estimate - above),
                                   std::abs(estimate - corner)};
  if (type == 1) return left;
  if (type == 2) return above;
  if (type == 3) return (left + above) / 2;
  if (type != 4) return 0;
  if (away[0] <= away[1] && away[0] <= away[2]) return left;
  return away[1] <= away[2] ? above : corner;
}

TEST_CASE("pictures of grey and of colours are read, whatever filters their rows have") {
  for (const int channels : {1, 3}) {
    CAPTURE(channels);
    constexpr int kWidth = 7, kHeight = 5;
    const int row = kWidth * channels;
    std::string pixels, filtered;
    for (int i = 0; i < kHeight * row; ++i) pixels += static_cast<char>(i * i * 37 + i);
    const auto at = [&](int y, int k) {
      return y < 0 || k < 0 ? 0
                            : static_cast<int>(static_cast<unsigned char>(
                                  pixels[static_cast<std::size_t>(y * row + k)]));
    };
    for (int y = 0; y < kHeight; ++y) {
      filtered += static_cast<char>(y);  // the types are 0 to 4
      for (int k = 0; k < row; ++k)
        filtered += static_cast<char>(
            at(y, k) - predicted(y, at(y, k - channels), at(y - 1, k), at(y - 1, k - channels)));
    }
    const ByteArray read = parse_png(
        png({kWidth, kHeight, 8, static_cast<char>(channels == 3 ? 2 : 0)}, filtered), "f");
    CHECK(read.bytes == pixels);
    CHECK(read.sizes ==
          (channels == 3 ? std::vector<std::int64_t>{5, 7, 3} : std::vector<std::int64_t>{5, 7}));
  }
}

TEST_CASE("a picture that this program wrote is read back") {
  Picture picture{2, 3, 3, {}};
  for (int i = 0; i < 18; ++i) picture.pixels.push_back(static_cast<std::uint8_t>(i * 14));
  CHECK(parse_png(to_png(picture), "f").bytes ==
        std::string(picture.pixels.begin(), picture.pixels.end()));
}

TEST_CASE("other kinds of PNG are refused by name") {
  const std::string rows(100, '\0');
  CHECK(refusal(png({2, 1, 16}, rows)) ==
        "png 'f': its colours are of type 2 with 16 bits; pictures of 8 bits, grey (0) or red, "
        "green, blue (2), not interlaced, are read");
  for (const Header& header :
       {Header{2, 1, 8, 4}, Header{2, 1, 8, 6}, Header{2, 1, 1, 0}, Header{2, 1, 8, 2, 1}})
    CHECK(refusal(png(header, rows)).find("pictures of 8 bits") != std::string::npos);
  CHECK(refusal(png({2, 1, 8, 3}, rows)).starts_with("png 'f': "));  // a palette is missing
  CHECK(refusal("GIF89a, which is none").starts_with("png 'f': Not a PNG file"));
  CHECK(refusal("").starts_with("png 'f': the file is truncated"));
}

TEST_CASE("pictures whose data is too much, too little or damaged are refused") {
  const std::string row = std::string("\0", 1) + std::string(6, 'a');
  CHECK(refusal(png({2, 1}, row)) == "");
  CHECK(refusal(png({2, 2}, row)).find("in row 1 of 2") != std::string::npos);
  CHECK(refusal(png({2, 1}, row + row)) != "");
  CHECK(refusal(png({2, 1}, row) + "xyz") ==
        "png 'f': 3 bytes follow the end of the picture; the file must end there");
  CHECK(refusal(png({2, 1}, "\5" + row.substr(1))).find("bad adaptive filter") !=
        std::string::npos);
  // Any byte of a picture that has nothing but what is needed matters.
  const std::string whole = png({2, 1}, row);
  for (std::size_t place = 0; place < whole.size(); ++place) {
    CAPTURE(place);
    CHECK(refusal(whole.substr(0, place)) != "");
    std::string file = whole;
    file[place] = static_cast<char>(file[place] ^ 0x10);
    CHECK(refusal(file) != "");
  }
}

TEST_CASE("a picture that asks for more than the file can hold is refused at once") {
  CHECK(refusal(png({1000000, 1000000}, "abc"))
            .find("declares 1000000 x 1000000 pixels, to which a file of ") != std::string::npos);
  CHECK(refusal(png({1000001, 1}, "abc")).starts_with("png 'f': "));
}

TEST_CASE("texts and profiles in a picture are skipped, whatever they unpack to") {
  const std::string row = std::string("\0", 1) + std::string(6, 'a');
  const std::string bomb = packed(std::string(20'000'000, 'x'));
  const std::string more = chunk("tEXt", std::string("a\0b", 3)) +
                           chunk("zTXt", std::string("a\0\0", 3) + bomb) +
                           chunk("iCCP", std::string("a\0\0", 3) + bomb);
  CHECK(parse_png(png({2, 1}, row, more), "f").bytes == "aaaaaa");
}

}  // namespace
}  // namespace jacquard::experiments
