// Gunzip: zlib's inflate over one gzip stream in memory. A stream is read up to a given number of
// bytes, so that a small file cannot unpack to more than its reader is ready for.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace jacquard::experiments {

// Whether the bytes begin as a gzip stream does.
bool is_gzip(std::string_view file);

class Gunzip {
 public:
  // `file` and `name` (for messages) must stay alive.
  Gunzip(std::string_view file, std::string_view name);
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;
  ~Gunzip() { inflateEnd(&stream_); }

  // Appends to `out` until it has `size` bytes or the stream ends. `out` grows with what is there,
  // whatever `size` asks for. Throws SpecError for a damaged or truncated stream.
  void append(std::string& out, std::uint64_t size);

  // Throws SpecError unless nothing is left: neither in the stream nor in the file after it.
  // `declared` is what has been read.
  void finish(std::uint64_t declared);

 private:
  std::size_t inflate_into(char* to, std::size_t size);
  void feed();

  std::string_view file_;
  std::string_view name_;
  z_stream stream_{};
  std::size_t next_ = 0;  // first byte that zlib has not been handed
  bool ended_ = false;
};

}  // namespace jacquard::experiments
