// `jacquard data list` and `jacquard data get`: which sets there are, and where.
#include "autodiff/error.hpp"
#include "experiments/data.hpp"
#include "experiments/data/generated.hpp"
#include "experiments/data/image_sets.hpp"
#include "experiments/data/store.hpp"
#include "experiments/data/user_files.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

DataListing listing_of(const ImageSet& set) {
  DataListing line{std::string(set.name), std::string(set.what), {}, 0, "generated"};
  if (set.stored.empty()) return line;
  try {
    const std::vector<fs::path> files = locate(*find_stored_set(set.stored));
    std::error_code ignored;
    for (const fs::path& file : files)
      if (const auto size = fs::file_size(file, ignored); !ignored) line.bytes += size;
    line.where = files[0].parent_path();
    line.state = "found";
  } catch (const SpecError&) {
    line.state = cat("missing: run jacquard data get ", set.stored);
  }
  return line;
}

}  // namespace

std::vector<DataListing> data_list() {
  std::vector<DataListing> lines;
  for (const ImageSet& set : image_sets()) lines.push_back(listing_of(set));
  for (const GeneratedSet& set : generated_sets())
    lines.push_back({std::string(set.name), std::string(set.what), {}, 0, "generated"});
  for (const UserSet& set : user_sets())
    lines.push_back({std::string(set.name), std::string(set.what), {}, 0, "yours"});
  return lines;
}

void data_get(const std::string& name, std::ostream& talk) {
  const ImageSet* const set = find_image_set(name);
  if (set && !set->stored.empty()) return fetch(*find_stored_set(set->stored), talk);
  std::string known;
  for (const StoredSet& each : stored_sets()) known += cat(known.empty() ? "" : ", ", each.name);
  throw SpecError(
      cat("data get: ", in_quotes(name), " is no set that can be fetched; there are: ", known));
}

}  // namespace jacquard::experiments
