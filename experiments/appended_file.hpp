// A file that only grows, such as metrics.jsonl: what was appended stays whole, also after a kill
// or on a full disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace jacquard::experiments {

class AppendedFile {
 public:
  // Opens the file at its end; makes it when it is missing. Throws Error with the system's reason,
  // as all functions here.
  explicit AppendedFile(std::filesystem::path path);
  AppendedFile(AppendedFile&& other) noexcept;
  AppendedFile& operator=(AppendedFile&& other) noexcept;
  ~AppendedFile();

  // Appends all bytes, or none: a part that got through before the failure is cut off again.
  void append(std::string_view bytes);
  // Cuts off everything behind the first `lines` lines. Throws Error when there are fewer.
  void keep_lines(std::int64_t lines);
  // Makes the file this object's alone; false if another one, here or elsewhere, has it.
  bool lock();
  // Waits until what was appended is on disk.
  void sync();

 private:
  [[noreturn]] void fail(const char* step, int code) const;

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace jacquard::experiments
