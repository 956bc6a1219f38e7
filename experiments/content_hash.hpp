// Fingerprints of content (xxHash's XXH3): fast enough for whole data sets. They tell apart what
// differs by mistake, not by design.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace jacquard::experiments {

// Of several pieces, one after the other; where one ends makes no difference.
class ContentHash {
 public:
  ContentHash();
  ~ContentHash();
  void add(const void* bytes, std::size_t size);
  std::uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::uint64_t content_hash(std::string_view bytes);

// 16 digits.
std::string hash_text(std::uint64_t hash);

}  // namespace jacquard::experiments
