#include "experiments/data/byte_file.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/picture.hpp"
#include "tests/experiments/small_set.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

const std::string kLabels = std::string("\0\0\x08\1\0\0\0\3", 8) + "abc";
const ByteArray kArray{{3}, "abc"};

void put_gzip(const fs::path& path, const std::string& bytes) {
  gzFile file = gzopen(path.c_str(), "wb9");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
}

fs::path kept_file(const TemporaryFolder& data) {
  fs::path found;
  for (const auto& entry : fs::directory_iterator(data / "cache")) found = entry.path();
  return found;
}

TEST_CASE("files are read by their format") {
  const TemporaryFolder folder, data;
  const Variable own("JACQUARD_DATA", data.path().c_str());
  CHECK(read_byte_file(folder.put("labels", kLabels)) == kArray);
  CHECK_FALSE(fs::exists(data / "cache"));  // nothing to decode
  put_gzip(folder / "labels.gz", kLabels);
  CHECK(read_byte_file(folder / "labels.gz") == kArray);
  CHECK(read_byte_file(folder.put("labels.json", "[97, 98, 99]")) == kArray);
  CHECK(read_byte_file(folder.put("p.png", to_png({1, 3, 1, {97, 98, 99}}))) ==
        ByteArray{{1, 3}, "abc"});
}

TEST_CASE("what was decoded is kept, and read from there as long as its source is the same") {
  const TemporaryFolder folder, data;
  const Variable own("JACQUARD_DATA", data.path().c_str());
  const fs::path source = folder / "labels.gz";
  put_gzip(source, kLabels);
  CHECK(read_byte_file(source) == kArray);
  const fs::path kept = kept_file(data);
  const std::string bytes = read_file(kept);
  const auto time = fs::last_write_time(source);
  SUBCASE("another time, another array") {
    put_gzip(source, std::string("\0\0\x08\1\0\0\0\3", 8) + "abd");
    CHECK(read_byte_file(source).bytes == "abd");
    CHECK(read_byte_file(source).bytes == "abd");
  }
  SUBCASE("the same size and time, but other last bytes") {
    put_gzip(source, std::string("\0\0\x08\1\0\0\0\3", 8) + "abd");
    fs::last_write_time(source, time);
    CHECK(read_byte_file(source).bytes == "abd");
  }
  SUBCASE("a missing source is missed") {
    fs::remove(source);
    CHECK(message_of<SpecError>([&] { read_byte_file(source); }) != "");
  }
  SUBCASE("a kept file that is damaged anywhere, cut or longer is made anew") {
    for (std::size_t place = 0; place <= bytes.size(); ++place) {
      CAPTURE(place);
      std::string damaged = bytes.substr(0, place);
      if (place == bytes.size()) damaged += 'x';
      write_file_atomically(kept, damaged);
      CHECK(read_byte_file(source) == kArray);
      CHECK(read_file(kept) == bytes);
      if (place == bytes.size()) break;
      damaged = bytes;
      damaged[place] = static_cast<char>(damaged[place] ^ 0x40);
      write_file_atomically(kept, damaged);
      CHECK(read_byte_file(source) == kArray);
      CHECK(read_file(kept) == bytes);
    }
  }
  SUBCASE("the kept array is read and nothing else") {
    // The source cannot be decoded any more, but looks the same from outside.
    const TemporaryFolder long_folder;
    const fs::path long_source = long_folder / "long.gz";
    std::string noise = std::string("\0\0\x08\1\0\0\1\0", 8);
    for (int i = 0; i < 256; ++i) noise += static_cast<char>(i * i * 7 + i / 3);
    put_gzip(long_source, noise);
    const ByteArray first = read_byte_file(long_source);
    const auto long_time = fs::last_write_time(long_source);
    std::string spoilt = read_file(long_source);
    REQUIRE(spoilt.size() > 200);
    for (std::size_t i = 30; i < 60; ++i) spoilt[i] = '\xff';
    write_file_atomically(long_source, spoilt);
    fs::last_write_time(long_source, long_time);
    CHECK(read_byte_file(long_source) == first);
    CHECK(message_of<SpecError>([&] { decode_byte_file(long_source); }) != "");
    fs::remove_all(data / "cache");
    CHECK(message_of<SpecError>([&] { read_byte_file(long_source); }) != "");
  }
}

TEST_CASE("where nothing can be kept, files are decoded every time") {
  const TemporaryFolder folder;
  put_gzip(folder / "labels.gz", kLabels);
  const Variable own("JACQUARD_DATA", "/dev/null/none");
  CHECK(read_byte_file(folder / "labels.gz") == kArray);
  const Variable none("JACQUARD_DATA", nullptr), home("HOME", nullptr),
      shared("XDG_DATA_HOME", nullptr);
  CHECK(read_byte_file(folder / "labels.gz") == kArray);
}

}  // namespace
}  // namespace jacquard::experiments
