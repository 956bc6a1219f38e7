#include "experiments/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <set>
#include <system_error>
#include <utility>

#include "experiments/large_pages.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

// Linux reads and writes at most 0x7ffff000 bytes a call; the loops ask for no more than this.
constexpr std::size_t kCallBytes = std::size_t{1} << 30;

// The step that failed and errno's text; the two public functions add the name of the file.
struct Failed {
  std::string what;
};

[[noreturn]] void fail(const char* step) {
  const int code = errno;
  throw Failed{cat(step, ": ", std::generic_category().message(code))};
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  int number() const { return number_; }
  // Whether close succeeded: some file systems (NFS) report a failed write only here. Never
  // repeated, not even after EINTR: Linux has freed the number in any case.
  bool close() {
    const int result = ::close(std::exchange(number_, -1));
    return result == 0 || errno == EINTR;
  }

 private:
  int number_;
};

int open_retrying(const fs::path& path, int flags, mode_t mode = 0) {
  int number = -1;
  do number = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (number < 0 && errno == EINTR);
  return number;
}

// Reads at most `limit` bytes, so that the caller sees by the size that there are more than it
// allows. The size that the system states is a first guess only: a pipe has none, and a file may
// grow.
std::string read_all(int number, std::uint64_t stated, std::uint64_t limit) {
  std::string bytes;
  std::size_t used = 0;
  const auto guess = static_cast<std::size_t>(std::min(limit, stated + 1));
  bytes.reserve(guess);
  prefer_large_pages(bytes.data(), guess);
  bytes.resize(guess);
  while (used < limit) {
    if (used == bytes.size())
      bytes.resize(static_cast<std::size_t>(
          std::min(limit, std::max<std::uint64_t>(std::uint64_t{2} * used, 65536))));
    const ssize_t got =
        ::read(number, bytes.data() + used, std::min(bytes.size() - used, kCallBytes));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("reading");
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  bytes.resize(used);
  return bytes;
}

std::string read_capped(const fs::path& path, std::uint64_t max_bytes) {
  const Descriptor file(open_retrying(path, O_RDONLY));
  if (file.number() < 0) fail("opening");
  struct stat state {};
  if (::fstat(file.number(), &state) != 0) fail("opening");
  const std::uint64_t stated =
      S_ISREG(state.st_mode) ? static_cast<std::uint64_t>(std::max<off_t>(state.st_size, 0)) : 0;
  if (stated > max_bytes)
    throw Failed{cat(stated, " bytes are too many; at most ", max_bytes, " are allowed")};
  std::string bytes = read_all(file.number(), stated, max_bytes + 1);
  if (bytes.size() > max_bytes)
    throw Failed{cat("too many bytes; at most ", max_bytes, " are allowed")};
  return bytes;
}

void write_all(int number, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(number, bytes.data(), std::min(bytes.size(), kCallBytes));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("writing");
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

// A file under a name of its own that disappears unless it is given its final name.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& folder) : file_(create(folder)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  void write(std::string_view bytes) {
    write_all(file_.number(), bytes);
    if (::fsync(file_.number()) != 0) fail("syncing");
    if (!file_.close()) fail("closing");
  }
  void rename_to(const fs::path& path) {
    if (::rename(path_.c_str(), path.c_str()) != 0) fail("renaming the temporary file");
    path_.clear();
  }

 private:
  int create(const fs::path& folder) {
    static std::atomic<unsigned> count{0};
    // A killed process may have left a file whose name this process would use again.
    for (int attempt = 0; attempt < 1000; ++attempt) {
      fs::path name = folder / cat(".jacquard-", ::getpid(), '-', count++, ".tmp");
      const int number = open_retrying(name, O_WRONLY | O_CREAT | O_EXCL, 0666);
      if (number >= 0) {
        path_ = std::move(name);
        return number;
      }
      if (errno != EEXIST) break;
    }
    fail("creating a temporary file beside it");
  }

  fs::path path_;
  Descriptor file_;  // after path_, which create() fills
};

// A new name survives a power cut only once its folder is on disk. File systems that cannot sync
// folders say EINVAL.
void sync_folder(const fs::path& folder) {
  const Descriptor file(open_retrying(folder, O_RDONLY | O_DIRECTORY));
  if (file.number() < 0 || (::fsync(file.number()) != 0 && errno != EINVAL))
    fail("syncing its folder");
}

// Where a link leads, so that the link itself stays; other paths as they are.
fs::path target_of(const fs::path& path) {
  std::error_code failure;
  if (!fs::is_symlink(path, failure)) return path;
  const fs::path target = fs::canonical(path, failure);
  return failure ? path : target;
}

void replace(const fs::path& target, std::string_view bytes) {
  const fs::path folder = target.has_parent_path() ? target.parent_path() : fs::path(".");
  TemporaryFile temporary(folder);
  temporary.write(bytes);
  temporary.rename_to(target);
  sync_folder(folder);
}

// A step that fails becomes an Error with the name of what is written.
template <class Step>
void writing(const fs::path& path, const Step& step) {
  try {
    step();
  } catch (const Failed& failed) {
    throw Error(cat("write ", in_quotes(path), ": ", failed.what));
  }
}

void write_directly(const fs::path& path, std::string_view bytes) {
  Descriptor file(open_retrying(path, O_WRONLY));
  if (file.number() < 0) fail("opening");
  write_all(file.number(), bytes);
  if (!file.close()) fail("closing");
}

}  // namespace

template <class Failure>
std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  try {
    return read_capped(path, max_bytes);
  } catch (const Failed& failed) {
    throw Failure(cat("read ", in_quotes(path), ": ", failed.what));
  }
}

template std::string read_file<SpecError>(const fs::path&, std::uint64_t);
template std::string read_file<Error>(const fs::path&, std::uint64_t);

void write_file_atomically(const fs::path& path, std::string_view bytes) {
  writing(path, [&] {
    struct stat state {};
    const bool exists = ::stat(path.c_str(), &state) == 0;
    if (exists && S_ISDIR(state.st_mode)) throw Failed{"this is a folder; name a file in it"};
    if (exists && !S_ISREG(state.st_mode))
      write_directly(path, bytes);
    else
      replace(target_of(path), bytes);
  });
}

void write_new_files(const std::vector<NewFile>& files) {
  std::deque<Descriptor> open;
  std::set<fs::path> folders;
  for (const NewFile& file : files)
    writing(file.path, [&] {
      open.emplace_back(open_retrying(file.path, O_WRONLY | O_CREAT | O_EXCL, 0666));
      if (open.back().number() < 0) fail("creating");
      write_all(open.back().number(), file.bytes);
      folders.insert(file.path.parent_path());
    });
  for (std::size_t i = 0; i < files.size(); ++i)
    writing(files[i].path, [&] {
      if (::fsync(open[i].number()) != 0) fail("syncing");
      if (!open[i].close()) fail("closing");
    });
  for (const fs::path& folder : folders) writing(folder, [&] { sync_folder(folder); });
}

std::string file_in_quotes(std::string_view name) { return "'" + printable(name) + "'"; }

}  // namespace jacquard::experiments
