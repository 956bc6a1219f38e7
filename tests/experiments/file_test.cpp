#include "experiments/file.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "tests/experiments/temporary_folder.hpp"

namespace jacquard::experiments {
namespace {

TEST_CASE("a file is read back as it was written, whatever its bytes and size") {
  const TemporaryFolder folder;
  std::string bytes;
  for (int i = 0; i < 200000; ++i) bytes += static_cast<char>(i * 7);
  for (const std::size_t size : {0U, 1U, 4096U, 65536U, 65537U, 200000U}) {
    write_file_atomically(folder / "a", bytes.substr(0, size));
    CHECK(read_file(folder / "a") == bytes.substr(0, size));
    CHECK(read_file(folder / "a", size) == bytes.substr(0, size));
  }
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("a file larger than allowed is refused") {
  const TemporaryFolder folder;
  const auto path = folder.put("a", "12345");
  CHECK(message_of<SpecError>([&] { read_file(path, 4); }) ==
        cat("read '", path.native(), "': 5 bytes are too many; at most 4 are allowed"));
  CHECK(message_of<SpecError>([] { read_file("/dev/zero", 100000); }) ==
        "read '/dev/zero': too many bytes; at most 100000 are allowed");
}

TEST_CASE("a file whose size the system does not state is read whole") {
  CHECK(read_file("/proc/self/status").find("VmPeak") != std::string::npos);
  const TemporaryFolder folder;
  const auto path = folder / "pipe";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  std::string sent(300000, 'x');
  std::thread writer([&] { write_file_atomically(path, sent); });
  CHECK(read_file(path) == sent);
  writer.join();
  CHECK(std::filesystem::is_fifo(path));
}

TEST_CASE("what cannot be read is the error that the caller chose") {
  const TemporaryFolder folder;
  const auto path = folder / "none";
  const std::string text = cat("read '", path.native(), "': opening: No such file or directory");
  CHECK(message_of<SpecError>([&] { read_file(path); }) == text);
  CHECK(message_of<Error>([&] { read_file<Error>(path); }) == text);
  CHECK_THROWS_AS(read_file<Error>(path), Error);
  CHECK_THROWS_AS(message_of<SpecError>([&] { read_file<Error>(path); }), Error);
}

TEST_CASE("reading a folder is an error") {
  const TemporaryFolder folder;
  CHECK(message_of<SpecError>([&] { read_file(folder.path()); }) ==
        cat("read '", folder.path().native(), "': reading: Is a directory"));
}

TEST_CASE("a file that cannot be written says why and leaves nothing behind") {
  const TemporaryFolder folder;
  CHECK(message_of<Error>([&] { write_file_atomically(folder / "no/file", "a"); }) ==
        cat("write '", (folder / "no/file").native(),
            "': creating a temporary file beside it: No such file or directory"));
  CHECK(message_of<Error>([&] { write_file_atomically(folder.path(), "a"); }) ==
        cat("write '", folder.path().native(), "': this is a folder; name a file in it"));
  const auto long_name = folder / std::string(300, 'n');
  CHECK(message_of<Error>([&] {
          write_file_atomically(long_name, "a");
        }).ends_with("renaming the temporary file: File name too long"));
  CHECK(folder.names().empty());
}

TEST_CASE("a write that fails half-way keeps the old file and removes the temporary one") {
  const TemporaryFolder folder;
  const auto path = folder.put("a", "old");
  struct rlimit before {};
  getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 1000;
  setrlimit(RLIMIT_FSIZE, &small);
  const std::string text =
      message_of<Error>([&] { write_file_atomically(path, std::string(5000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  CHECK(text == cat("write '", path.native(), "': writing: File too large"));
  CHECK(read_file(path) == "old");
  CHECK(folder.names() == std::vector<std::string>{"a"});
}

TEST_CASE("new files are written whole, and never over others") {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "inner");
  write_new_files({{folder / "a", "one"}, {folder / "inner/b", ""}});
  CHECK(read_file(folder / "a") == "one");
  CHECK(read_file(folder / "inner/b").empty());
  CHECK(message_of<Error>([&] {
          write_new_files({{folder / "a", "two"}});
        }) == cat("write '", (folder / "a").native(), "': creating: File exists"));
  CHECK(read_file(folder / "a") == "one");
  CHECK(message_of<Error>([&] {
          write_new_files({{folder / "no/file", "a"}});
        }) ==
        cat("write '", (folder / "no/file").native(), "': creating: No such file or directory"));
}

TEST_CASE("a device is written to, not replaced") {
  write_file_atomically("/dev/null", "gone");
  CHECK(std::filesystem::is_character_file("/dev/null"));
  CHECK(message_of<Error>([] { write_file_atomically("/dev/full", "a"); }) ==
        "write '/dev/full': writing: No space left on device");
}

TEST_CASE("a link stays and the file that it names is replaced") {
  const TemporaryFolder folder;
  const auto target = folder.put("inner/target", "old");
  std::filesystem::create_symlink("inner/target", folder / "link");
  write_file_atomically(folder / "link", "new");
  CHECK(std::filesystem::is_symlink(folder / "link"));
  CHECK(read_file(target) == "new");
}

TEST_CASE("a name without a folder is written into the current one") {
  const TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path());
  write_file_atomically("here", "a");
  std::filesystem::current_path(before);
  CHECK(read_file(folder / "here") == "a");
}

TEST_CASE("a new file has the rights that the mask of the process leaves") {
  const TemporaryFolder folder;
  const mode_t before = umask(027);
  write_file_atomically(folder / "a", "a");
  umask(before);
  struct stat state {};
  REQUIRE(stat((folder / "a").c_str(), &state) == 0);
  CHECK((state.st_mode & 0777) == 0640);
}

TEST_CASE("the name of a file is shown whole and can steer no terminal") {
  CHECK(file_in_quotes("a \x1b[1m") == "'a \\x1b[1m'");
  CHECK(in_quotes(std::filesystem::path(std::string(300, 'a'))) ==
        cat("'", std::string(300, 'a'), "'"));
}

}  // namespace
}  // namespace jacquard::experiments
