// Where the real data sets lie on this machine. Inside of data.hpp: used by image_sets.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string_view>
#include <vector>

namespace jacquard::experiments {

// A file whose content is known.
struct StoredFile {
  std::string_view name;            // without the .gz that it may have
  std::vector<std::int64_t> sizes;  // of the array of bytes that it holds
  std::uint32_t crc32;              // of these bytes, unpacked
};

// The npm package that brings a set; no name for those that come with the system.
struct NpmPackage {
  std::string_view name, version;
  std::string_view folder;  // of the files inside the package
};

struct StoredSet {
  std::string_view name;
  std::string_view system_folder;  // where Debian's package puts it; empty if there is none
  NpmPackage package;
  std::vector<StoredFile> files;
};

const std::vector<StoredSet>& stored_sets();
const StoredSet* find_stored_set(std::string_view name);  // nullptr for other names

// The files of the set in its order: from the user's data folder, else from the system's. Throws
// SpecError that says how to get the set, with the files that are missing.
std::vector<std::filesystem::path> locate(const StoredSet& set);

// Brings the set; see data_get().
void fetch(const StoredSet& set, std::ostream& talk);

}  // namespace jacquard::experiments
