#include "experiments/data/gzip.hpp"

#include <algorithm>
#include <limits>

#include "autodiff/error.hpp"
#include "experiments/file.hpp"

namespace jacquard::experiments {

bool is_gzip(std::string_view file) { return file.starts_with("\x1f\x8b"); }

Gunzip::Gunzip(std::string_view file, std::string_view name) : file_(file), name_(name) {
  constexpr int kGzipOnly = 16;
  if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK)
    throw Error(cat("gzip ", file_in_quotes(name_), ": zlib does not start; memory may be short"));
}

void Gunzip::append(std::string& out, std::uint64_t size) {
  constexpr std::uint64_t kStep = std::uint64_t{1} << 16;
  while (!ended_ && out.size() < size) {
    const std::size_t before = out.size();
    out.resize(static_cast<std::size_t>(before + std::min<std::uint64_t>(kStep, size - before)));
    out.resize(before + inflate_into(out.data() + before, out.size() - before));
  }
}

void Gunzip::finish(std::uint64_t declared) {
  char beyond = 0;
  if (!ended_ && inflate_into(&beyond, 1) > 0)
    throw SpecError(cat("gzip ", file_in_quotes(name_), ": unpacks to more than the ", declared,
                        " bytes that its header declares"));
  if (const std::size_t rest = file_.size() - next_ + stream_.avail_in; rest > 0)
    throw SpecError(cat("gzip ", file_in_quotes(name_), ": ", rest,
                        " bytes follow the end of the stream", "; the file must end there"));
}

// The number of bytes written, less than `size` only at the end of the stream.
std::size_t Gunzip::inflate_into(char* to, std::size_t size) {
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
void Gunzip::feed() {
  const std::size_t piece =
      std::min<std::size_t>(file_.size() - next_, std::numeric_limits<uInt>::max());
  stream_.next_in =
      reinterpret_cast<Bytef*>(const_cast<char*>(file_.data() + next_));  // zlib only reads
  stream_.avail_in = static_cast<uInt>(piece);
  next_ += piece;
}

}  // namespace jacquard::experiments
