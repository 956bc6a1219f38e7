// The archive half of npy.hpp.
#include <doctest/doctest.h>
#include <zip.h>

#include <ctime>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"
#include "experiments/npy.hpp"
#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

const auto kFixtures = std::filesystem::path(JACQUARD_SOURCE_DIR) / "tests" / "golden";

void check_fixture(const NamedArrays<double>& arrays) {
  REQUIRE(arrays.size() >= 7);
  CHECK(arrays[0].name == "x");
  CHECK(arrays[0].dtype == "<f4");
  CHECK(arrays[0].values == Tensor<double>({2, 3}, {1.5, -2.25, 3, 4, 5, 6}));
  CHECK(arrays[1].name == "labels");
  CHECK(arrays[1].dtype == "<i8");
  CHECK(arrays[1].values == Tensor<double>({2}, {3, -1}));
  CHECK(arrays[2].name == "terms/a");
  CHECK(arrays[2].values == Tensor<double>({}, 0.5));
  CHECK(arrays[3].name == "fortran");
  CHECK(arrays[3].values == Tensor<double>({2, 3}, {0, 1, 2, 3, 4, 5}));
  CHECK(arrays[4].name == "big");
  CHECK(arrays[4].dtype == ">i2");
  CHECK(arrays[4].values == Tensor<double>({2}, {1, 256}));
  CHECK(arrays[5].name == "flags");
  CHECK(arrays[5].values == Tensor<double>({2}, {1, 0}));
  CHECK(arrays[6].name == "none");
  CHECK(arrays[6].dtype == "|u1");
  CHECK(arrays[6].values.shape == Shape{0, 3});
}

// The two archives were written by NumPy 1.24.2.
TEST_CASE("what NumPy's savez wrote is read") {
  check_fixture(read_npz<double>(kFixtures / "numpy_savez.npz"));
}

TEST_CASE("what NumPy's savez_compressed wrote is read") {
  const auto arrays = read_npz<double>(kFixtures / "numpy_savez_compressed.npz");
  check_fixture(arrays);
  CHECK(arrays.back().values == Tensor<double>({10, 100}));
}

NamedArrays<double> some_arrays() {
  return {{"cost", Tensor<double>({}, 0.1)},
          {"grad/W", Tensor<double>({2, 2}, {1, 2, 3, 4})},
          {"empty", Tensor<double>({0, 7})},
          {"zeros", Tensor<double>({100, 100})}};
}

TEST_CASE("an archive is read back as it was written, in its order") {
  const TemporaryFolder folder;
  for (const Packing packing : {Packing::kStored, Packing::kDeflated}) {
    write_npz(folder / "a.npz", some_arrays(), packing);
    const auto arrays = read_npz<double>(folder / "a.npz");
    REQUIRE(arrays.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(arrays[i].name == some_arrays()[i].name);
      CHECK(arrays[i].values == some_arrays()[i].values);
      CHECK(arrays[i].dtype == "<f8");
    }
  }
  CHECK(npz_bytes(some_arrays(), Packing::kDeflated).size() < 2000);
  CHECK(npz_bytes(some_arrays(), Packing::kStored).size() > 80000);
  write_npz<float>(folder / "f.npz", {{"a", Tensor<float>({1}, 2)}});
  CHECK(read_npz<float>(folder / "f.npz")[0].dtype == "<f4");
  write_npy(folder / "a.npy", Tensor<float>({1}, 2));
  CHECK(read_npy<double>(folder / "a.npy").values == Tensor<double>({1}, 2));
}

TEST_CASE("equal arrays give equal archives, at any time of day and in any zone") {
  const std::string bytes = npz_bytes(some_arrays());
  const Variable zone("TZ", "Asia/Tokyo");
  tzset();
  CHECK(npz_bytes(some_arrays()) == bytes);
}

TEST_CASE("an archive without arrays is written and read") {
  CHECK(npz_bytes(NamedArrays<double>{}).size() == 22);
  CHECK(parse_npz<double>(npz_bytes(NamedArrays<double>{}), "f").empty());
}

TEST_CASE("arrays need names of their own to be written") {
  CHECK(message_of<Error>([] {
          npz_bytes<double>({{"a", {}}, {"a", {}}});
        }) == "npz: two arrays are named 'a'");
  CHECK(message_of<Error>([] {
          npz_bytes<double>({{"", {}}});
        }) == "npz: array 0 has no name; give it one");
}

std::string archive_refusal(const std::string& file) {
  return message_of<SpecError>([&] { parse_npz<double>(file, "f"); });
}

TEST_CASE("an archive cut at any byte is refused") {
  for (const char* name : {"numpy_savez.npz", "numpy_savez_compressed.npz"}) {
    const std::string whole = read_file(kFixtures / name);
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      CHECK(archive_refusal(whole.substr(0, size)) != "");
    }
  }
  CHECK(
      archive_refusal("no archive") ==
      "npz 'f': this is no whole zip archive: Not a zip archive; a file of numpy.savez is needed");
}

TEST_CASE("a changed byte of an archive is an error or changes no number") {
  for (const char* name : {"numpy_savez.npz", "numpy_savez_compressed.npz"}) {
    const std::string whole = read_file(kFixtures / name);
    const auto expected = parse_npz<double>(whole, "f");
    for (std::size_t place = 0; place < whole.size(); ++place)
      for (const int change : {1, 0x80, 0xff}) {
        std::string file = whole;
        file[place] = static_cast<char>(file[place] ^ change);
        try {
          const auto arrays = parse_npz<double>(file, "f");
          CAPTURE(place);
          REQUIRE(arrays.size() == expected.size());
          for (std::size_t i = 0; i < arrays.size(); ++i)
            CHECK(arrays[i].values == expected[i].values);
        } catch (const SpecError&) {
        }
      }
  }
}

// Replaces every place where `from` stands.
std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
  return text;
}

TEST_CASE("archives with other things than arrays are refused") {
  const std::string whole = npz_bytes<double>({{"a", {}}, {"b", {}}});
  CHECK(archive_refusal(replaced(whole, "b.npy", "b.txt")) ==
        "npz 'f': entry 'b.txt' is no array; every entry must be named as an array and end in "
        "'.npy'");
  CHECK(archive_refusal(replaced(whole, "b.npy", "a.npy")) ==
        "npz 'f': two entries have the same name");
  CHECK(archive_refusal(replaced(whole, "a.npy", "/.npy")) == "");  // a name is never a path
}

TEST_CASE("an entry's own errors name archive and entry") {
  std::string whole = npz_bytes<double>({{"a", {}}}, Packing::kStored);
  zip_source_t* const source = zip_source_buffer_create(nullptr, 0, 0, nullptr);
  zip_t* const archive = zip_open_from_source(source, ZIP_TRUNCATE, nullptr);
  zip_source_keep(source);
  const std::string header = "{'descr': '|O', 'fortran_order': False, 'shape': (), }";
  const std::string entry =
      std::string("\x93NUMPY\1\0", 8) + static_cast<char>(header.size()) + '\0' + header + "x";
  zip_file_add(archive, "model.npy", zip_source_buffer(archive, entry.data(), entry.size(), 0), 0);
  REQUIRE(zip_close(archive) == 0);
  zip_stat_t stat;
  REQUIRE(zip_source_stat(source, &stat) == 0);
  std::string bytes(stat.size, '\0');
  zip_source_open(source);
  zip_source_read(source, bytes.data(), stat.size);
  zip_source_close(source);
  zip_source_free(source);
  CHECK(archive_refusal(bytes).starts_with("npy 'f/model.npy': the element type '|O' is"));
}

TEST_CASE("an archive that claims impossible sizes is refused before it is unpacked") {
  const std::string whole = npz_bytes<double>({{"a", Tensor<double>({100})}});
  // The central directory's record: its unpacked size stands 24 bytes after its signature.
  std::string file = whole;
  const std::size_t record = file.find("PK\1\2");
  REQUIRE(record != std::string::npos);
  file.replace(record + 24, 4, "\xf0\xff\xff\xff");
  file.replace(22, 4, "\xf0\xff\xff\xff");
  CHECK(archive_refusal(file).find("which is impossible") != std::string::npos);
}

TEST_CASE("a file that is not there is a SpecError") {
  CHECK(message_of<SpecError>([] { read_npz<float>("no/such.npz"); }) ==
        "read 'no/such.npz': opening: No such file or directory");
}

}  // namespace
}  // namespace jacquard::experiments
