#include "experiments/appended_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {

AppendedFile::AppendedFile(std::filesystem::path path) : path_(std::move(path)) {
  do descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  while (descriptor_ < 0 && errno == EINTR);
  if (descriptor_ < 0) fail("opening", errno);
}

AppendedFile::AppendedFile(AppendedFile&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

AppendedFile& AppendedFile::operator=(AppendedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

AppendedFile::~AppendedFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void AppendedFile::append(std::string_view bytes) {
  struct stat before {};
  if (::fstat(descriptor_, &before) != 0) fail("appending", errno);
  while (!bytes.empty()) {
    const ssize_t put = ::write(descriptor_, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno != EINTR) {
      const int code = errno;
      // Where this fails as well there is nothing more to save; the first reason is reported.
      if (::ftruncate(descriptor_, before.st_size) != 0) fail("appending", code);
      fail("appending", code);
    }
  }
}

void AppendedFile::keep_lines(std::int64_t lines) {
  const std::string bytes = read_file<Error>(path_);
  std::size_t end = 0;
  for (std::int64_t line = 0; line < lines; ++line) {
    const std::size_t feed = bytes.find('\n', end);
    if (feed == std::string::npos)
      throw Error(cat(in_quotes(path_), " has ", line, " whole lines where ", lines,
                      " were written; it was changed from outside"));
    end = feed + 1;
  }
  if (end == bytes.size()) return;
  if (::ftruncate(descriptor_, static_cast<off_t>(end)) != 0) fail("cutting", errno);
  sync();
}

bool AppendedFile::lock() {
  while (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    if (errno != EINTR) return true;  // a file system without locks
  }
  return true;
}

void AppendedFile::sync() {
  // Pipes and some file systems cannot sync and say EINVAL.
  if (::fsync(descriptor_) != 0 && errno != EINVAL) fail("syncing", errno);
}

void AppendedFile::fail(const char* step, int code) const {
  throw Error(
      cat("write ", in_quotes(path_), ": ", step, ": ", std::generic_category().message(code)));
}

}  // namespace jacquard::experiments
