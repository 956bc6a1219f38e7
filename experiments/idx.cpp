#include "experiments/idx.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <iomanip>
#include <limits>
#include <sstream>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kMaxRank = 4;
constexpr std::uint32_t kUnsignedBytes = 0x08;

bool is_gzip(std::string_view file) { return file.starts_with("\x1f\x8b"); }

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

// zlib's inflate over one gzip stream. A stream is read up to a given number of bytes, so that a
// small file cannot unpack to more than its reader is ready for.
class Gunzip {
 public:
  Gunzip(std::string_view file, std::string_view name) : file_(file), name_(name) {
    constexpr int kGzipOnly = 16;
    if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK)
      throw Error(
          cat("gzip ", file_in_quotes(name_), ": zlib does not start; memory may be short"));
  }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;
  ~Gunzip() { inflateEnd(&stream_); }

  // Appends to `out` until it has `size` bytes or the stream ends. Throws SpecError for a damaged
  // or truncated stream.
  void append(std::string& out, std::uint64_t size) {
    constexpr std::uint64_t kStep = std::uint64_t{1} << 20;
    while (!ended_ && out.size() < size) {
      const std::size_t before = out.size();
      out.resize(static_cast<std::size_t>(before + std::min<std::uint64_t>(kStep, size - before)));
      out.resize(before + inflate_into(out.data() + before, out.size() - before));
    }
  }

  // Throws SpecError unless nothing is left: neither in the stream nor in the file after it.
  // `declared` is what has been read.
  void finish(std::uint64_t declared) {
    char beyond = 0;
    if (!ended_ && inflate_into(&beyond, 1) > 0)
      throw SpecError(cat("gzip ", file_in_quotes(name_), ": unpacks to more than the ", declared,
                          " bytes that its header declares"));
    if (const std::size_t rest = file_.size() - next_ + stream_.avail_in; rest > 0)
      throw SpecError(cat("gzip ", file_in_quotes(name_), ": ", rest,
                          " bytes follow the end of the stream", "; the file must end there"));
  }

 private:
  // The number of bytes written, less than `size` only at the end of the stream.
  std::size_t inflate_into(char* to, std::size_t size) {
    stream_.next_out = reinterpret_cast<Bytef*>(to);
    stream_.avail_out = static_cast<uInt>(size);
    while (!ended_ && stream_.avail_out > 0) {
      if (stream_.avail_in == 0) feed();
      const int result = inflate(&stream_, Z_NO_FLUSH);
      ended_ = result == Z_STREAM_END;
      if (result == Z_OK || ended_) continue;
      if (result == Z_BUF_ERROR)
        throw SpecError(cat("gzip ", file_in_quotes(name_), ": truncated after ", file_.size(),
                            " bytes; the end of the stream is missing"));
      throw SpecError(cat("gzip ", file_in_quotes(name_), ": damaged near byte ",
                          next_ - stream_.avail_in, " of ", file_.size(), ": ",
                          stream_.msg ? stream_.msg : "zlib gives no reason"));
    }
    return size - stream_.avail_out;
  }

  // Hands zlib the next piece: its counts are 32-bit.
  void feed() {
    const std::size_t piece =
        std::min<std::size_t>(file_.size() - next_, std::numeric_limits<uInt>::max());
    stream_.next_in =
        reinterpret_cast<Bytef*>(const_cast<char*>(file_.data() + next_));  // zlib only reads
    stream_.avail_in = static_cast<uInt>(piece);
    next_ += piece;
  }

  std::string_view file_;
  std::string_view name_;
  z_stream stream_{};
  std::size_t next_ = 0;  // first byte that zlib has not been handed
  bool ended_ = false;
};

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

std::string shown(const std::vector<std::int64_t>& sizes) {
  std::string text;
  for (const std::int64_t size : sizes) text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text;
}

// The number of elements. Four 32-bit sizes overflow 64 bits.
std::uint64_t product(const std::vector<std::int64_t>& sizes, std::string_view name) {
  if (std::ranges::count(sizes, 0) > 0) return 0;
  std::uint64_t elements = 1;
  for (const std::int64_t size : sizes)
    if (__builtin_mul_overflow(elements, static_cast<std::uint64_t>(size), &elements) ||
        elements > kMaxFileBytes)
      throw SpecError(cat("idx ", file_in_quotes(name), ": the header declares ", shown(sizes),
                          " bytes; at most ", kMaxFileBytes, " are allowed"));
  return elements;
}

[[noreturn]] void refuse_size(std::string_view name, const std::vector<std::int64_t>& sizes,
                              std::uint64_t declared, std::uint64_t present) {
  throw SpecError(cat("idx ", file_in_quotes(name), ": the header declares ", shown(sizes), " = ",
                      declared, " bytes, the file holds ", present,
                      present < declared ? "; it is truncated" : "; the rest belongs to nothing"));
}

std::vector<std::int64_t> read_sizes(std::string_view header, std::size_t header_bytes) {
  std::vector<std::int64_t> sizes;
  for (std::size_t place = kMagicBytes; place < header_bytes; place += 4)
    sizes.push_back(big_endian(header, place));
  return sizes;
}

IdxArray parse_plain(std::string_view file, std::string_view name) {
  const std::size_t start = header_size(file, name);
  IdxArray array{read_sizes(file, start), {}};
  const std::uint64_t declared = product(array.sizes, name);
  if (declared != file.size() - start)
    refuse_size(name, array.sizes, declared, file.size() - start);
  array.bytes = file.substr(start);
  return array;
}

IdxArray parse_gzip(std::string_view file, std::string_view name) {
  Gunzip gunzip(file, name);
  std::string header;
  gunzip.append(header, kMagicBytes);
  if (header.size() == kMagicBytes && (header[3] & 0xff) <= static_cast<int>(kMaxRank))
    gunzip.append(header, kMagicBytes + 4 * static_cast<std::size_t>(header[3]));
  IdxArray array{read_sizes(header, header_size(header, name)), {}};
  const std::uint64_t declared = product(array.sizes, name);
  gunzip.append(array.bytes, declared);
  if (array.bytes.size() < declared) refuse_size(name, array.sizes, declared, array.bytes.size());
  gunzip.finish(declared);
  return array;
}

}  // namespace

IdxArray parse_idx(std::string_view file, std::string_view name) {
  return is_gzip(file) ? parse_gzip(file, name) : parse_plain(file, name);
}

IdxArray read_idx(const std::filesystem::path& path) {
  return parse_idx(read_file(path), path.native());
}

}  // namespace jacquard::experiments
