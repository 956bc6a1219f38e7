#include "experiments/data/byte_file.hpp"

#include <sys/stat.h>

#include <array>
#include <cstring>
#include <fstream>
#include <optional>

#include "autodiff/error.hpp"
#include "experiments/content_hash.hpp"
#include "experiments/data.hpp"
#include "experiments/data/idx.hpp"
#include "experiments/data/label_list.hpp"
#include "experiments/data/png_reader.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRank = 4;

// What tells whether a source is still the one that was decoded. The last bytes of a gzip stream
// and of a PNG picture hold checksums of all that is in them.
struct Source {
  std::uint64_t bytes = 0, seconds = 0, nanoseconds = 0, tail = 0;

  bool operator==(const Source&) const = default;
};

std::optional<Source> source_of(const fs::path& path) {
  constexpr std::uint64_t kTail = 64;
  struct stat state {};
  if (::stat(path.c_str(), &state) != 0 || !S_ISREG(state.st_mode)) return std::nullopt;
  Source source;
  source.bytes = static_cast<std::uint64_t>(state.st_size);
  source.seconds = static_cast<std::uint64_t>(state.st_mtim.tv_sec);
  source.nanoseconds = static_cast<std::uint64_t>(state.st_mtim.tv_nsec);
  std::array<char, kTail> tail{};
  const auto length = static_cast<std::streamsize>(std::min(kTail, source.bytes));
  std::ifstream file(path, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(source.bytes) - length);
  if (!file.read(tail.data(), length)) return std::nullopt;
  source.tail = content_hash({tail.data(), static_cast<std::size_t>(length)});
  return source;
}

// Stands behind the bytes of a kept array, so that these need not be moved in memory.
struct Footer {
  std::array<char, 8> magic{'J', 'Q', 'B', 'Y', 'T', 'E', 'S', '1'};
  Source source;
  std::uint64_t rank = 0;
  std::array<std::uint64_t, kMaxRank> sizes{};
  std::uint64_t content = 0;  // hash of the bytes
  std::uint64_t own = 0;      // hash of what stands before it in the footer

  std::uint64_t expected_own() const {
    return content_hash({reinterpret_cast<const char*>(this), offsetof(Footer, own)});
  }
};

std::string footer_bytes(const ByteArray& array, const Source& source) {
  Footer footer;
  footer.source = source;
  footer.rank = array.sizes.size();
  for (std::size_t i = 0; i < array.sizes.size(); ++i)
    footer.sizes[i] = static_cast<std::uint64_t>(array.sizes[i]);
  footer.content = content_hash(array.bytes);
  footer.own = footer.expected_own();
  return {reinterpret_cast<const char*>(&footer), sizeof footer};
}

// The kept array, if it is whole and of this source.
std::optional<ByteArray> kept_array(const fs::path& path, const Source& source) {
  std::string file;
  try {
    file = read_file<Error>(path);
  } catch (const Error&) {
    return std::nullopt;
  }
  if (file.size() < sizeof(Footer)) return std::nullopt;
  Footer footer;
  file.copy(reinterpret_cast<char*>(&footer), sizeof footer, file.size() - sizeof footer);
  if (footer.magic != Footer{}.magic || footer.own != footer.expected_own() ||
      !(footer.source == source) || footer.rank > kMaxRank)
    return std::nullopt;
  file.resize(file.size() - sizeof footer);
  ByteArray array{{}, std::move(file)};
  for (std::size_t i = 0; i < footer.rank; ++i)
    array.sizes.push_back(static_cast<std::int64_t>(footer.sizes[i]));
  if (footer.content != content_hash(array.bytes)) return std::nullopt;
  return array;
}

// Where the array of this file is kept; empty if there is no folder for data.
fs::path place_of(const fs::path& source) {
  try {
    std::error_code failure;
    const fs::path whole = fs::canonical(source, failure);
    if (failure) return {};
    const std::string name =
        cat(source.filename().native(), '-', hash_text(content_hash(whole.native())), ".bytes");
    return data_folder() / "cache" / name;
  } catch (const Error&) {
    return {};
  }
}

void keep(const fs::path& place, const ByteArray& array, const Source& source) {
  if (array.sizes.size() > kMaxRank) return;
  try {
    std::error_code ignored;
    fs::create_directories(place.parent_path(), ignored);
    write_file_atomically(place, array.bytes + footer_bytes(array, source));
  } catch (const Error&) {
    // A folder that cannot be written or a full disk: the next start takes longer, no more.
  }
}

}  // namespace

ByteArray decode_byte_file(const fs::path& path) {
  if (path.extension() == ".png") return parse_png(read_file(path), path.native());
  if (path.extension() == ".json") return parse_label_list(read_file(path), path.native());
  return read_idx(path);
}

ByteArray read_byte_file(const fs::path& path) {
  const bool is_quick = !path.has_extension();  // an IDX file as it is
  const std::optional<Source> source = is_quick ? std::nullopt : source_of(path);
  const fs::path place = source ? place_of(path) : fs::path();
  if (place.empty()) return decode_byte_file(path);
  if (std::optional<ByteArray> kept = kept_array(place, *source)) return std::move(*kept);
  ByteArray array = decode_byte_file(path);
  keep(place, array, *source);
  return array;
}

}  // namespace jacquard::experiments
