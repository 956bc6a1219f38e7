// Whole files in and out: every reader and writer of experiments/ goes through these functions.
//
// A file is read into memory under a cap. It is written so that at any instant, also after a kill
// or a power cut, its name shows either the old content or the whole new one.
#pragma once

#include <concepts>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "autodiff/error.hpp"
#include "experiments/source_text.hpp"

namespace jacquard::experiments {

// What any file may have: 16 GiB. Readers of small things (specs) ask for less.
inline constexpr std::uint64_t kMaxFileBytes = std::uint64_t{1} << 34;

// The bytes of a file (or of a pipe, to its end). A missing, unreadable or too large file is thrown
// as Failure: SpecError for what the user handed in (the program exits with 3), Error for what
// Jacquard itself wrote. Both are compiled in file.cpp.
template <class Failure = SpecError>
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes = kMaxFileBytes);

extern template std::string read_file<SpecError>(const std::filesystem::path&, std::uint64_t);
extern template std::string read_file<Error>(const std::filesystem::path&, std::uint64_t);

// Writes a temporary file in the same folder, syncs it, renames it to `path` and syncs the folder.
// A link is followed; what is no regular file (a pipe, a terminal, the null device) is written
// directly, since it cannot be replaced. Throws Error with the step and the system's reason; the
// temporary file is then gone and the old file as it was (but for a folder that cannot be synced:
// then the new file stands there and may not outlive a power cut).
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

// Files that do not exist yet, in folders that nobody knows yet: all are written before the first
// one is synced, which the disk does in half the time. Throws Error as above.
struct NewFile {
  std::filesystem::path path;
  std::string bytes;
};
void write_new_files(const std::vector<NewFile>& files);

// The name of a file as messages show it: in quotes, made safe for a terminal, and whole, since its
// end is what tells files apart. (in_quotes of other text is cut: source_text.hpp.)
std::string file_in_quotes(std::string_view name);
std::string in_quotes(const std::same_as<std::filesystem::path> auto& path) {
  return file_in_quotes(path.native());
}

}  // namespace jacquard::experiments
