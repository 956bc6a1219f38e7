// Where the real data sets lie on this machine. Inside of data.hpp: used by data.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/idx.hpp"

namespace jacquard::experiments {

// The four files of a set in the format of MNIST.
enum IdxPart { kTrainImages, kTrainLabels, kTestImages, kTestLabels };
inline constexpr int kIdxParts = 4;

struct IdxFile {
  std::string_view name;            // without the .gz that it may have
  std::vector<std::int64_t> sizes;  // as its header says
  std::uint32_t crc32;              // of its elements, unpacked
};

struct IdxSet {
  std::string_view name;
  std::string_view what;
  std::string_view system_folder;  // where its package puts it; empty if that is no fixed place
  std::array<IdxFile, kIdxParts> files;
};

const std::vector<IdxSet>& idx_sets();
const IdxSet* find_idx_set(std::string_view name);  // nullptr for other names

// The files of the set in the order of IdxPart: from the user's data folder, else from the
// system's. Throws SpecError that says how to get the set, with the files that are missing.
std::array<std::filesystem::path, kIdxParts> locate(const IdxSet& set);

}  // namespace jacquard::experiments
