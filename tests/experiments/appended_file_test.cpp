#include "experiments/appended_file.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "autodiff/error.hpp"
#include "tests/experiments/temporary_folder.hpp"

using namespace jacquard::experiments;

namespace {

std::string bytes_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("a file grows by what is appended and keeps what it had") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a";
  std::ofstream(path) << "old\n";
  AppendedFile file(path);
  file.append("one\n");
  file.append("");
  file.append(std::string("\0two\n", 5));
  file.sync();
  CHECK(bytes_of(path) == std::string("old\none\n\0two\n", 13));
}

TEST_CASE("a moved file goes on where it was") {
  const TemporaryFolder folder;
  AppendedFile first(folder.path() / "a");
  first.append("1");
  AppendedFile second(std::move(first));
  second.append("2");
  AppendedFile third(folder.path() / "b");
  third = std::move(second);
  third.append("3");
  CHECK(bytes_of(folder.path() / "a") == "123");
  CHECK(bytes_of(folder.path() / "b").empty());
}

TEST_CASE("a file that cannot be opened is an error with the system's reason") {
  CHECK_THROWS_WITH_AS(AppendedFile("/dev/null/a"), "write '/dev/null/a': opening: Not a directory",
                       jacquard::Error);
}

TEST_CASE("a full disk is an error with the system's reason") {
  AppendedFile file("/dev/full");
  CHECK_THROWS_WITH_AS(file.append("x"), "write '/dev/full': appending: No space left on device",
                       jacquard::Error);
}

TEST_CASE("a line that fits only in part is not written at all") {
  const TemporaryFolder folder;
  const auto path = folder.path() / "a";
  AppendedFile file(path);
  file.append("whole\n");
  // The system writes up to the limit and fails then, as on a disk that fills up.
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  std::string message;
  try {
    file.append("too long\n");
  } catch (const jacquard::Error& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, old_handler);
  CHECK(message == "write '" + path.string() + "': appending: File too large");
  CHECK(bytes_of(path) == "whole\n");
  file.append("next\n");
  CHECK(bytes_of(path) == "whole\nnext\n");
}
