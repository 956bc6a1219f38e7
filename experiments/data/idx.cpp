#include "experiments/data/idx.hpp"

#include <iomanip>
#include <sstream>

#include "autodiff/error.hpp"
#include "experiments/data/gzip.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kMaxRank = 4;
constexpr std::uint32_t kUnsignedBytes = 0x08;

std::uint32_t big_endian(std::string_view bytes, std::size_t place) {
  std::uint32_t number = 0;
  for (std::size_t i = 0; i < 4; ++i)
    number = number << 8 | static_cast<unsigned char>(bytes[place + i]);
  return number;
}

std::string hexadecimal(std::uint32_t number) {
  std::ostringstream out;
  out << "0x" << std::hex << std::setw(8) << std::setfill('0') << number;
  return out.str();
}

// The bytes of the header by its rank; the rest of `header` is not looked at yet.
std::size_t header_size(std::string_view header, std::string_view name) {
  if (header.size() < kMagicBytes)
    throw SpecError(cat("idx ", file_in_quotes(name), ": the file has ", header.size(),
                        " bytes; its magic number alone has ", kMagicBytes));
  const std::uint32_t magic = big_endian(header, 0);
  const std::size_t rank = magic & 0xff;
  if (magic >> 8 != kUnsignedBytes || rank < 1 || rank > kMaxRank)
    throw SpecError(cat("idx ", file_in_quotes(name), ": the magic number is ", hexadecimal(magic),
                        "; 0x00000801 to 0x00000804 are known (unsigned bytes, 1 to 4 sizes)"));
  const std::size_t size = kMagicBytes + 4 * rank;
  if (header.size() < size)
    throw SpecError(cat("idx ", file_in_quotes(name), ": the file has ", header.size(),
                        " bytes; its header alone has ", size));
  return size;
}

[[noreturn]] void refuse_size(std::string_view name, const std::vector<std::int64_t>& sizes,
                              std::uint64_t declared, std::uint64_t present) {
  throw SpecError(cat("idx ", file_in_quotes(name), ": the header declares ", shown_sizes(sizes),
                      " = ", declared, " bytes, the file holds ", present,
                      present < declared ? "; it is truncated" : "; the rest belongs to nothing"));
}

std::vector<std::int64_t> read_sizes(std::string_view header, std::size_t header_bytes) {
  std::vector<std::int64_t> sizes;
  for (std::size_t place = kMagicBytes; place < header_bytes; place += 4)
    sizes.push_back(big_endian(header, place));
  return sizes;
}

// Takes the file apart in its own memory: images are large.
ByteArray parse_plain(std::string file, std::string_view name) {
  const std::size_t start = header_size(file, name);
  ByteArray array{read_sizes(file, start), {}};
  const std::uint64_t declared = declared_bytes(array.sizes, cat("idx ", file_in_quotes(name)));
  if (declared != file.size() - start)
    refuse_size(name, array.sizes, declared, file.size() - start);
  file.erase(0, start);
  array.bytes = std::move(file);
  return array;
}

ByteArray parse_gzip(std::string_view file, std::string_view name) {
  Gunzip gunzip(file, name);
  std::string header;
  gunzip.append(header, kMagicBytes);
  if (header.size() == kMagicBytes && (header[3] & 0xff) <= static_cast<int>(kMaxRank))
    gunzip.append(header, kMagicBytes + 4 * static_cast<std::size_t>(header[3]));
  ByteArray array{read_sizes(header, header_size(header, name)), {}};
  const std::uint64_t declared = declared_bytes(array.sizes, cat("idx ", file_in_quotes(name)));
  gunzip.append(array.bytes, declared);
  if (array.bytes.size() < declared) refuse_size(name, array.sizes, declared, array.bytes.size());
  gunzip.finish(declared);
  return array;
}

}  // namespace

ByteArray parse_idx(std::string_view file, std::string_view name) {
  return is_gzip(file) ? parse_gzip(file, name) : parse_plain(std::string(file), name);
}

ByteArray read_idx(const std::filesystem::path& path) {
  std::string file = read_file(path);
  return is_gzip(file) ? parse_gzip(file, path.native())
                       : parse_plain(std::move(file), path.native());
}

}  // namespace jacquard::experiments
